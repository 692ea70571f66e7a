"""The fast gradient sign method."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.attacks.base import Attack
from yuragi.attacks.gradients import loss_gradient

torch = lazy.load("torch")


class FGSM(Attack):
    """One step of size ε along the sign of the gradient.

    x' = clip(x + ε sign g), with g of `yuragi.attacks.gradients.loss_gradient`. Exact for a linear network with two classes; for any other
    a lower bound of what an attacker can do. Source: Goodfellow, Shlens and Szegedy 2015, arXiv 1412.6572.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = FGSM(eps=0.25)(model, images, labels, torch.Generator())
    >>> (attacked - images).abs().flatten().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    knowledge: ClassVar[int] = 1
    kind: Literal["fgsm"] = "fgsm"

    def _attacked(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        gradient = loss_gradient(model, images, labels, generator, self.draws, chunk)
        return torch.clamp(images + self.eps * gradient.sign(), *self._bounds(images))
