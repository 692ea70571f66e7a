"""Small steps of a fixed size from the image: the first iterated attack."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks.ascent import ascent
from yuragi.attacks.base import BoundedAttack, Knowledge

torch = lazy.load("torch")


class BasicIterative(BoundedAttack):
    """Steps of one grey level along the gradient, from the image itself, each put back into the ball and the pixel range.

        x_{t+1} = project(x_t + α d(g(x_t))),    g(x) = (1/K) Σ_k ∇_x cross-entropy(z(x, ξ_k), y),    x_0 = x,    t = 0 … n - 1

    with d(g) = sign g (L∞) or g / ‖g‖ (L2), fresh noise ξ in every step, and n = ⌈min(ε/α + 4, 1.25 ε/α)⌉ where no number is given: enough steps
    to reach the end of the ball. Published for L∞ and α = 1/255; `pgd` is the same with a random start and steps of a size that follows ε.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws ξ_k of the network's noise that are averaged per gradient; a deterministic network takes one
    step_size
        α, in units of the pixel range, above 0
    steps
        n, at least 1
    drop_fooled
        whether an image stays where a deterministic network gets it wrong: faster, and never weaker. Images of a stochastic network, which gets
        them wrong by chance, always go through all steps

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images or the classes.

    Source: Kurakin, Goodfellow and Bengio 2017, arXiv 1611.01236 and 1607.02533.

    >>> import torch
    >>> BasicIterative(eps=8 / 255).number_of_steps, BasicIterative(eps=32 / 255).number_of_steps
    (10, 36)
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = BasicIterative(eps=8 / 255, drop_fooled=False)(model, images, labels, torch.Generator())
    >>> (255 * (attacked - images)).abs().round(decimals=2).flatten().tolist()
    [8.0, 8.0, 8.0, 8.0]
    """

    knowledge: ClassVar[Knowledge] = "gradients"
    kind: Literal["basic_iterative"] = "basic_iterative"
    step_size: float = Field(1 / 255, gt=0, description="α: size of a step, in units of the pixel range [0, 1].")
    steps: int | None = Field(None, ge=1, description="Number of steps; null: min(ε/α + 4, 1.25 ε/α), rounded up, as published.")
    drop_fooled: bool = Field(
        True, description="Leave an image alone as soon as a deterministic network gets it wrong: faster, and never weaker. false: all steps."
    )

    @property
    def number_of_steps(self) -> int:
        """n, by the published rule where none is given."""
        return self.steps or published_steps(self.eps, self.step_size)

    def _attacked(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        return ascent(
            model,
            self._ball(images),
            images,
            labels,
            generator,
            steps=self.number_of_steps,
            size=self.step_size,
            draws=self.draws,
            chunk=chunk,
            drop_fooled=self.drop_fooled,
        )


def published_steps(eps: float, step_size: float) -> int:
    """⌈min(ε/α + 4, 1.25 ε/α)⌉, at least 1.

    Source: Kurakin, Goodfellow and Bengio 2017, arXiv 1607.02533, where α is one grey level.
    """
    levels = round(eps / step_size, 6)  # 8/255 over 1/255 is 8, not a little more
    return max(1, math.ceil(min(levels + 4, 1.25 * levels)))
