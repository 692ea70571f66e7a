"""What every attack has in common: a budget, the draws that it averages over, and images in, images out."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import lazy_loader as lazy
from pydantic import Field, field_validator

from yuragi.attacks.passes import check_images
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.plugins import Plugin

torch = lazy.load("torch")


class Attack(Plugin):
    """An adversary in the L∞ ball: finds x' with max|x' - x| ≤ ε and x' in [0, 1] that the network gets wrong.

    It attacks the network as it is, noise included: gradients are averaged over ``draws`` draws of the noise.
    """

    knowledge: ClassVar[int] = 2
    """How much the attack uses of the network: 0 nothing but its answers, 1 one gradient, 2 many. More must not be weaker."""

    eps: float = Field(8 / 255, description="ε: the largest change of a pixel, in units of the pixel range [0, 1].")
    draws: int = Field(16, ge=1, description="Draws of the noise that are averaged per gradient; a deterministic network needs and takes one.")

    @field_validator("eps")
    @classmethod
    def _within_pixels(cls, eps: float | int) -> float:
        return checked_eps(eps)

    def at(self, eps: float | int) -> Attack:
        """The same attack with another budget ε; `InputError` outside [0, 1].

        >>> from yuragi.attacks import FGSM
        >>> FGSM().at(0.25).eps
        0.25
        """
        return type(self).model_validate({**self.model_dump(), "eps": checked_eps(eps)})

    def __call__(
        self,
        model: torch.nn.Module,
        images: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
        *,
        chunk: int = 1024,
    ) -> torch.Tensor:
        """Attacked images of the same shape, within ε of the given ones and in [0, 1]; at ε = 0 the images as they are.

        model
            a network that takes pixels and returns logits. It runs in evaluation mode and is left as it was: mode, weights, gradients
        images, labels
            x, pixels in [0, 1], (image, channel, height, width), and the true classes y, int64, (image)
        generator
            source of the network's noise and of the attack's own random choices
        chunk
            the most images × draws × time steps that are held at once. Attacks on a deterministic network do not depend on it (but for rounding);
            those on a stochastic network do through the order in which the noise is drawn, and are equal in distribution only

        Errors: `InputError` for pixels outside [0, 1] and labels that do not fit.
        """
        check_images(images, labels)
        images = images.detach()
        if self.eps == 0:
            return images.clone()
        with evaluation_mode(model):
            return self._attacked(model, images, labels, generator, chunk)

    @abstractmethod
    def _attacked(
        self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int
    ) -> torch.Tensor: ...

    def _bounds(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The smallest and the largest value that each pixel may take: the ball cut with the pixel range."""
        return (images - self.eps).clamp_(min=0), (images + self.eps).clamp_(max=1)


def checked_eps(eps: float | int) -> float:
    """ε itself when it is a budget in pixel units; else an `InputError`.

    >>> checked_eps(8)
    Traceback (most recent call last):
    yuragi.errors.InputError: eps = 8 is outside [0, 1]; it is in units of the pixel range, so 8 of 255 grey levels are 0.031373
    """
    if not 0 <= eps <= 1:
        as_levels = f", so {eps:g} of 255 grey levels are {eps / 255:.6f}" if 1 < eps <= 255 else ""
        raise InputError(f"eps = {eps:g} is outside [0, 1]; it is in units of the pixel range{as_levels}")
    return float(eps)
