"""What the published iterated attacks have in common: steps of a fixed size, from the image itself, as many as a published rule says."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks.ascent import ascent
from yuragi.attacks.balls import Ball
from yuragi.attacks.base import BallAttack, Knowledge

torch = lazy.load("torch")


class FixedSteps(BallAttack):
    """x_{t+1} = project(x_t + α d(g(x_t))), x_0 = x."""

    knowledge: ClassVar[Knowledge] = "gradients"
    step_size: float = Field(1 / 255, gt=0, description="α: size of a step, in units of the pixel range [0, 1].")
    steps: int | None = Field(None, ge=1, description="Number of steps; null: min(ε/α + 4, 1.25 ε/α), rounded up, as published.")
    drop_fooled: bool = Field(
        True, description="Leave an image alone as soon as a deterministic network gets it wrong: faster, and never weaker. false: all steps."
    )

    @property
    def number_of_steps(self) -> int:
        """n, by the published rule where none is given."""
        return self._steps_within(self.eps)

    def _steps_within(self, eps: float) -> int:
        return self.steps or published_steps(eps, self.step_size)

    def _within(self, model: torch.nn.Module, around: Ball, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        return ascent(
            model,
            around,
            around.images,
            labels,
            generator,
            # Of balls of several sizes all images take the steps of the largest: further ones stay within the smaller.
            steps=self._steps_within(float(around.eps.max())),
            size=self.step_size,
            draws=self.draws,
            chunk=chunk,
            targets=self._targets(model, around.images, labels, generator, chunk),
            drop_fooled=self.drop_fooled,
        )

    @abstractmethod
    def _targets(
        self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int
    ) -> torch.Tensor | None:
        """The class that every image shall be taken for, (image); None: any but its own."""


def published_steps(eps: float, step_size: float) -> int:
    """⌈min(ε/α + 4, 1.25 ε/α)⌉, at least 1.

    Source: Kurakin, Goodfellow and Bengio 2017, arXiv 1607.02533, where α is one grey level.
    """
    levels = round(eps / step_size, 3)  # 16/255 in single precision, or written 0.062745, over 1/255 is 16: no step more for a rounded digit
    return max(1, math.ceil(min(levels + 4, 1.25 * levels)))
