"""AutoAttack: several attacks of different kinds in a published order, none of which needs tuning."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks.apgd import APGD
from yuragi.attacks.base import BoundedAttack, Knowledge
from yuragi.attacks.classes import class_count
from yuragi.attacks.fab import FAB
from yuragi.attacks.passes import is_stochastic
from yuragi.attacks.square import Square
from yuragi.attacks.turns import Turn, in_turn
from yuragi.progress import track

torch = lazy.load("torch")

TARGETS = 9
"""Wrong classes that targeted parts aim at, where there are as many."""

COMPARED = 50
"""Draws over which the parts' images are compared, at least: more than a part averages over, and draws that no part has seen."""


class Suite(BoundedAttack):
    """Attacks of different kinds, each on the images that those before have left: AutoAttack, as published for the kind of network.

    For a deterministic network ("standard") in this order, on images that are still recognised:

        apgd with the cross-entropy; apgd with the difference of logits, targets = 9; fab, targets = 9; square

    with as many targets as there are wrong classes where these are fewer than 9. With fewer than 4 classes there is no targeted difference of
    logits, and the cross-entropy stands in for it.

    For a stochastic network ("rand"), on all images:

        apgd with the cross-entropy; apgd with the difference of logits (from 3 classes on)

    each with gradients that are averaged over ``draws`` draws. Here no image leaves early, for a noisy network gets images wrong by chance. Of the
    image itself and what the parts find, the one is kept that the fewest of 50 or more fresh draws recognise. The published program instead counts
    one draw that goes wrong as success, stops there, and so reports too small an accuracy for images that are too weak.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws of the network's noise that are averaged per gradient; 20 as published; a deterministic network takes one
    steps
        steps of `apgd` per target and of `fab`; 100 as published
    queries
        trials of `square`; 5000 as published
    drop_fooled
        whether images that a deterministic network gets wrong are left out of what follows

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for pixels outside
    [0, 1] and labels that do not fit the images or the classes.

    Source: Croce and Hein 2020, arXiv 2003.01690.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    >>> images = torch.full((1, 1, 4, 4), 0.5)
    >>> attacked = Suite(eps=0.25, steps=5, queries=5)(model, images, model(images).argmax(1), torch.Generator())
    >>> float((attacked - images).abs().max()) <= 0.25
    True
    """

    knowledge: ClassVar[Knowledge] = "gradients"
    kind: Literal["suite"] = "suite"
    draws: int = Field(20, ge=1, description="Draws of the noise that are averaged per gradient; a deterministic network needs and takes one.")
    steps: int = Field(100, ge=1, description="Steps of `apgd`, per target, and of `fab`.")
    queries: int = Field(5000, ge=1, description="Trials of `square`, which a stochastic network does not meet.")
    drop_fooled: bool = Field(True, description="Leave an image alone as soon as a deterministic network gets it wrong, as published: much faster.")

    def parts(self, classes: int, stochastic: bool) -> list[BoundedAttack]:
        """The attacks of which the suite consists, for a network with that many classes.

        >>> [part.kind for part in Suite().parts(10, stochastic=False)]
        ['apgd', 'apgd', 'fab', 'square']
        >>> [part.loss for part in Suite().parts(10, stochastic=True)]
        ['cross_entropy', 'difference_of_logits']
        """
        shared = {"eps": self.eps, "norm": self.norm, "draws": self.draws, "drop_fooled": self.drop_fooled}
        plain = APGD(**shared, steps=self.steps)
        if stochastic:
            return [plain] if classes < 3 else [plain, APGD(**shared, steps=self.steps, loss="difference_of_logits")]
        targets = min(TARGETS, classes - 1)
        return [
            plain,
            APGD(**shared, steps=self.steps, targets=targets, loss="difference_of_logits" if classes > 3 else "cross_entropy"),
            FAB(**shared, steps=self.steps, targets=targets),
            Square(**shared, queries=self.queries),
        ]

    def _attacked(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        parts = self.parts(class_count(model, images), is_stochastic(model))

        def turn(part: BoundedAttack) -> Turn:
            return lambda left: part(model, images[left], labels[left], generator, chunk=chunk)

        turns = track([turn(part) for part in parts], "parts of the suite")
        return in_turn(turns, images, model, labels, generator, max(self.draws, COMPARED), chunk, drop_fooled=self.drop_fooled)
