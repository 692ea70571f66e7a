"""Projected gradient descent."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field, model_validator

from yuragi.attacks.ascent import ascent
from yuragi.attacks.balls import Ball
from yuragi.attacks.base import BallAttack, Knowledge
from yuragi.attacks.losses import Loss
from yuragi.attacks.turns import in_turn

torch = lazy.load("torch")


class PGD(BallAttack):
    """Many small steps along the gradient, each put back into the ball and the pixel range.

        x_{t+1} = project(x_t + η d(g(x_t))),    g(x) = (1/K) Σ_k ∇_x L(z(x, ξ_k), y),    t = 0 … steps - 1

    with η = relative_step · ε / steps, fresh noise ξ in every step, d(g) = sign g (L∞) or g / ‖g‖ (L2), and project keeping x within ε of the image
    and within [0, 1]. Of several restarts the strongest image is kept: the one that the fewest draws recognise, then the one with the largest
    loss, over ``draws`` draws that all restarts share.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws ξ_k of the network's noise that are averaged per gradient; a deterministic network takes one
    steps
        number of steps, at least 1
    relative_step
        η in units of ε / steps, above 0; above 2 the attack can cross the whole ball
    random_start
        whether x_0 is a uniformly random point of the ball instead of the image
    restarts
        independent runs; more than one need ``random_start``
    loss
        L: see `yuragi.attacks.losses`
    drop_fooled
        whether an image leaves as soon as a deterministic network gets it wrong: much faster on a network that is not robust, and never weaker. A
        stochastic network gets an image wrong by chance, so that its images always go through all steps

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images or the classes.

    Source: Madry et al. 2018, arXiv 1706.06083; the average over draws: Athalye et al. 2018, arXiv 1707.07397.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = PGD(eps=0.25, steps=5, drop_fooled=False)(model, images, labels, torch.Generator())
    >>> (attacked - images).abs().flatten().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    knowledge: ClassVar[Knowledge] = "gradients"
    kind: Literal["pgd"] = "pgd"
    steps: int = Field(20, ge=1, description="Number of steps.")
    relative_step: float = Field(2.5, gt=0, description="Size of a step in units of ε/steps; above 2 the attack can cross the whole ball.")
    random_start: bool = Field(True, description="Start at a uniformly random point of the ball instead of at the image.")
    restarts: int = Field(1, ge=1, description="Independent runs, of which the strongest is kept per image.")
    loss: Loss = Field("cross_entropy", description="What the attack raises.")
    drop_fooled: bool = Field(
        True, description="Leave an image alone as soon as a deterministic network gets it wrong: faster, and never weaker. false: all steps."
    )

    @model_validator(mode="after")
    def _restarts_differ(self) -> PGD:
        if self.restarts > 1 and not self.random_start:
            raise ValueError(f"restarts = {self.restarts} without random_start repeats one run; set random_start to true or restarts to 1")
        return self

    def _within(self, model: torch.nn.Module, around: Ball, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        def run(left: torch.Tensor) -> torch.Tensor:
            return self._run(model, around.part(left), labels[left], generator, chunk)

        first = self._run(model, around, labels, generator, chunk)
        if self.restarts == 1:
            return first
        return in_turn([run] * (self.restarts - 1), first, model, labels, generator, self.draws, chunk, drop_fooled=self.drop_fooled)

    def _run(self, model: torch.nn.Module, around: Ball, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        return ascent(
            model,
            around,
            around.inside(generator) if self.random_start else around.images,
            labels,
            generator,
            steps=self.steps,
            size=self.relative_step * around.eps / self.steps,
            draws=self.draws,
            chunk=chunk,
            loss=self.loss,
            drop_fooled=self.drop_fooled,
        )
