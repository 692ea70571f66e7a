"""One step towards a random wrong class."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.attacks.balls import Ball
from yuragi.attacks.base import BallAttack, Knowledge
from yuragi.attacks.classes import class_count, random_others
from yuragi.attacks.gradients import gradient_pass

torch = lazy.load("torch")


class StepRnd(BallAttack):
    """One step of size ε towards a random wrong class.

        x' = clip(x - ε d(g(x))),    g(x) = (1/K) Σ_k ∇_x cross-entropy(z(x, ξ_k), t),    t uniform over the classes but y

    d(g) = sign g (L∞) or g / ‖g‖ (L2). Weaker than `step_ll` and `fgsm` on most networks; its direction depends on the label only in that the
    true class is never the target.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws ξ_k of the network's noise that are averaged per gradient; a deterministic network takes one

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images or the classes.

    Source: Kurakin, Goodfellow and Bengio 2017, arXiv 1611.01236.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = StepRnd(eps=0.25)(model, images, labels, torch.Generator())
    >>> (attacked - images).abs().flatten().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    knowledge: ClassVar[Knowledge] = "gradient"
    uses_true_label: ClassVar[bool] = False
    kind: Literal["step_rnd"] = "step_rnd"

    def _within(self, model: torch.nn.Module, around: Ball, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        images = around.images
        targets = random_others(class_count(model, images), labels, generator)
        passed = gradient_pass(model, images, labels, generator, self.draws, chunk, targets=targets)
        return around.step(images, passed.gradient, around.eps)
