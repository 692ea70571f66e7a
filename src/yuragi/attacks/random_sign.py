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

        x' = clip(x + ε s),    s uniform over {-1, 1} per pixel

    clip keeps pixels within [0, 1]. An attack by gradients has found something only where it beats this. Of several tries the strongest is kept
    as in `yuragi.attacks.pgd.PGD`.

    eps
        ε, the change of every pixel, in units of the pixel range [0, 1]
    draws
        K, draws of the network's noise over which tries are compared, shared by all tries
    tries
        number of random sign images, at least 1

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images.

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
