"""Results of attacks that look for the smallest change, and what they are worth to an adversary in a ball."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks.balls import Ball, Norm, ball, per_image
from yuragi.attacks.base import BoundedAttack
from yuragi.attacks.passes import check_images, is_stochastic
from yuragi.attacks.scores import strongest
from yuragi.models.modes import evaluation_mode

torch = lazy.load("torch")


class Closest(NamedTuple):
    """The nearest misclassified image that was found for every image.

    images
        (image, channel, height, width); the image itself where none was found
    distance
        size of the change, (image); infinite where none was found
    """

    images: torch.Tensor
    distance: torch.Tensor

    def part(self, index: torch.Tensor) -> Closest:
        return Closest(self.images[index], self.distance[index])

    def keep(self, index: torch.Tensor, found: Closest) -> None:
        """Take over, at these places, what was found where it is nearer."""
        nearer = found.distance < self.distance[index]
        self.images[index[nearer]] = found.images[nearer]
        self.distance[index[nearer]] = found.distance[nearer]

    def drawn_in(
        self,
        model: torch.nn.Module,
        originals: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
        draws: int,
        chunk: int,
        *,
        norm: Norm,
        enough: float,
    ) -> Closest:
        """What was found, moved straight towards the original as far as it stays misclassified, to 1/256 of its distance.

        enough
            changes of at most this size stay as they are
        """
        from yuragi.attacks._hyperplanes import mean_logits

        which = (torch.isfinite(self.distance) & (self.distance > enough)).nonzero()[:, 0]
        if not len(which):
            return self
        found, original, of = self.images[which], originals[which], labels[which]
        low, high = torch.zeros_like(self.distance[which]), torch.ones_like(self.distance[which])
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            candidate = original + per_image(middle, original) * (found - original)
            wrong = mean_logits(model, candidate, generator, draws, chunk).argmax(1) != of
            low, high = torch.where(wrong, low, middle), torch.where(wrong, middle, high)
        drawn = torch.where(per_image(high, original) < 1, original + per_image(high, original) * (found - original), found)
        self.keep(which, Closest(drawn, ball(norm, original, 0.0).distance(drawn)))
        return self


HALVINGS = 8


class ClosestAttack(BoundedAttack):
    """An adversary that looks for the smallest change, and takes from it what fits into the ball."""

    drop_fooled: bool = Field(
        True, description="Leave an image alone once a change within ε fools a deterministic network: faster, and as strong. false: go on to the end."
    )

    def closest(
        self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, *, chunk: int = 1024
    ) -> Closest:
        """The nearest misclassified images that were found, however far, and their distances; see `Closest`. Parameters and errors as in a call.

        With ``drop_fooled`` an image whose change is within ε is not brought nearer. The network is attacked as it is, whatever ``adapts`` says.
        """
        check_images(images, labels)
        with evaluation_mode(model):
            self._check(model, images, labels)
            return self._closest(model, images.detach(), labels, generator, chunk)

    @abstractmethod
    def _closest(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> Closest: ...

    def _attacked(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        found = self._closest(model, images, labels, generator, chunk)
        return into_the_ball(found, model, self._ball(images), labels, generator, self.draws, chunk)

    def _enough(self, model: torch.nn.Module) -> float:
        """The size of a change below which no smaller one is looked for."""
        return self.eps if self.drop_fooled and not is_stochastic(model) else 0.0


def into_the_ball(
    found: Closest, model: torch.nn.Module, around: Ball, labels: torch.Tensor, generator: torch.Generator, draws: int, chunk: int
) -> torch.Tensor:
    """Per image the strongest of two points: what was found, put into the ball, and its change brought to the size ε.

    On the boundary any noise, and any rounding, returns the answer: beyond it the attack is stronger as a rule.
    """
    change = found.images - around.images
    there = torch.where(torch.isfinite(found.distance) & (found.distance > 0), found.distance, 1)
    stretched = around.project(around.images + around.eps / per_image(there, change) * change)
    return strongest([around.project(found.images), stretched], model, labels, generator, draws, chunk)
