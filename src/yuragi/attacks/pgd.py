"""Projected gradient descent in the L∞ ball."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field, model_validator

from yuragi.attacks.base import Attack
from yuragi.attacks.gradients import loss_gradient
from yuragi.attacks.scores import strongest

torch = lazy.load("torch")


class PGD(Attack):
    """Many small steps along the sign of the gradient, each put back into the ball and the pixel range.

        x_{t+1} = clip(x_t + η sign g(x_t)),    g(x) = (1/K) Σ_k ∇_x cross-entropy(z(x, ξ_k), y),    t = 0 … steps - 1

    with η = relative_step · ε / steps, fresh noise ξ in every step, and clip keeping pixels within ε of the image and within [0, 1]. Of several
    restarts the strongest image is kept: the one that the fewest draws recognise, then the one with the largest loss, over ``draws`` draws that
    all restarts share.

    eps
        ε, the largest change of a pixel, in units of the pixel range [0, 1]
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

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images or the classes.

    Source: Madry et al. 2018, arXiv 1706.06083; the average over draws: Athalye et al. 2018, arXiv 1707.07397.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = PGD(eps=0.25, steps=5)(model, images, labels, torch.Generator())
    >>> (attacked - images).abs().flatten().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    knowledge: ClassVar[int] = 2
    kind: Literal["pgd"] = "pgd"
    steps: int = Field(20, ge=1, description="Number of steps.")
    relative_step: float = Field(2.5, gt=0, description="Size of a step in units of ε/steps; above 2 the attack can cross the whole ball.")
    random_start: bool = Field(True, description="Start at a uniformly random point of the ball instead of at the image.")
    restarts: int = Field(1, ge=1, description="Independent runs, of which the strongest is kept per image.")

    @model_validator(mode="after")
    def _restarts_differ(self) -> PGD:
        if self.restarts > 1 and not self.random_start:
            raise ValueError(f"restarts = {self.restarts} without random_start repeats one run; set random_start to true or restarts to 1")
        return self

    def _attacked(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        if self.restarts == 1:
            return self._run(model, images, labels, generator, chunk)
        candidates = (self._run(model, images, labels, generator, chunk) for _ in range(self.restarts))
        return strongest(candidates, model, labels, generator, self.draws, chunk)

    def _run(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        low, high = self._bounds(images)
        attacked = images
        if self.random_start:
            uniform = torch.rand(images.shape, generator=generator, device=generator.device, dtype=images.dtype).to(images.device)
            attacked = low + (high - low) * uniform
        step = self.relative_step * self.eps / self.steps
        for _ in range(self.steps):
            gradient = loss_gradient(model, attacked, labels, generator, self.draws, chunk)
            attacked = torch.clamp(attacked + step * gradient.sign(), low, high)
        return attacked
