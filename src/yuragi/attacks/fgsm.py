"""The fast gradient sign method."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.attacks.balls import Ball
from yuragi.attacks.base import BallAttack, Knowledge
from yuragi.attacks.gradients import loss_gradient

torch = lazy.load("torch")


class FGSM(BallAttack):
    """One step of size ε along the gradient of the cross-entropy with the true label.

        x' = clip(x + ε d(g(x))),    g(x) = (1/K) Σ_k ∇_x cross-entropy(z(x, ξ_k), y),    d(g) = sign g (L∞), g / ‖g‖ (L2)

    clip keeps pixels within [0, 1]. Exact for a linear network with two classes; for any other a lower bound of what an attacker can do.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws ξ_k of the network's noise that are averaged per gradient; a deterministic network takes one

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images or the classes.

    Source: Goodfellow, Shlens and Szegedy 2015, arXiv 1412.6572; the average over draws: Athalye et al. 2018, arXiv 1707.07397.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = FGSM(eps=0.25)(model, images, labels, torch.Generator())
    >>> (attacked - images).abs().flatten().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    knowledge: ClassVar[Knowledge] = "gradient"
    kind: Literal["fgsm"] = "fgsm"

    def _within(self, model: torch.nn.Module, around: Ball, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        return around.step(around.images, loss_gradient(model, around.images, labels, generator, self.draws, chunk), around.eps)
