"""The control beside every attack: a change of the same size that knows nothing."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks.balls import Ball
from yuragi.attacks.base import BallAttack, Knowledge
from yuragi.attacks.scores import strongest

torch = lazy.load("torch")


class RandomNoise(BallAttack):
    """The weakest adversary, a control: a random change of size ε; the best of a number of tries.

        x' = clip(x + ε s),    s uniform over {-1, 1} per pixel (L∞), or over the directions of length 1 (L2)

    clip keeps pixels within [0, 1]. An attack by gradients has found something only where it beats this. Of several tries the strongest is kept
    as in `yuragi.attacks.pgd.PGD`.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws of the network's noise over which tries are compared, shared by all tries
    tries
        number of random changes, at least 1

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = RandomNoise(eps=0.25, tries=3)(model, images, labels, torch.Generator())
    >>> (attacked - images).abs().flatten().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    knowledge: ClassVar[Knowledge] = "chance"
    uses_true_label: ClassVar[bool] = False
    kind: Literal["random_noise"] = "random_noise"
    tries: int = Field(1, ge=1, description="Random changes tried, of which the strongest is kept per image.")

    def _within(self, model: torch.nn.Module, around: Ball, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        if self.tries == 1:
            return around.surface(generator)
        candidates = (around.surface(generator) for _ in range(self.tries))
        return strongest(candidates, model, labels, generator, self.draws, chunk)
