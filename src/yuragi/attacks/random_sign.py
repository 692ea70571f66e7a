"""The control beside every attack: a change of the same size that knows nothing."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks.base import Attack
from yuragi.attacks.scores import strongest

torch = lazy.load("torch")


class RandomSign(Attack):
    """A control: every pixel moves by ε in a random direction; the best of a number of tries.

    x' = clip(x + ε s), s uniform over {-1, 1} per pixel. An attack by gradients has found something only where it beats this. Of several
    tries the strongest is kept as in `yuragi.attacks.pgd.PGD`, over ``draws`` draws of the noise that all tries share.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = RandomSign(eps=0.25, tries=3)(model, images, labels, torch.Generator())
    >>> (attacked - images).abs().flatten().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    knowledge: ClassVar[int] = 0
    kind: Literal["random_sign"] = "random_sign"
    tries: int = Field(1, ge=1, description="Random sign images tried, of which the strongest is kept per image.")

    def _attacked(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        if self.tries == 1:
            return self._try(images, generator)
        candidates = (self._try(images, generator) for _ in range(self.tries))
        return strongest(candidates, model, labels, generator, self.draws, chunk)

    def _try(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        heads = torch.randint(2, images.shape, generator=generator, device=generator.device).to(images.device)
        return torch.clamp(images + self.eps * (2 * heads - 1), *self._bounds(images))
