"""What every corruption has in common: a severity, images in, images out.

The corruptions are those of CIFAR-10-C (Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and
perturbations", ICLR, arXiv:1903.12261), with the parameters by which the authors made that data set (their repository ``hendrycks/robustness``,
file ``ImageNet-C/create_c/make_cifar_c.py``). Lengths are in pixels of images of about 32 x 32; larger images meet a milder version. Three things
differ from the data set: pixels are not rounded to 256 levels (but by JPEG), random numbers are others, and two corruptions are missing. ``frost``
needs photographs, ``spatter`` the edge detector of a library for computer vision.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks.passes import check_pixels
from yuragi.errors import InputError
from yuragi.plugins import Plugin, discover

torch = lazy.load("torch")

ROOM = "yuragi.attacks.corruptions"
SEVERITIES = (0, 1, 2, 3, 4, 5)
SMALLEST = 8
"""The smallest side of an image: blurs reflect images at their edges."""


class Corruption(Plugin):
    """A random change of images that knows neither network nor labels."""

    levels: ClassVar[tuple[Any, ...]]
    """The published parameters of the severities 1 to 5."""

    grows: ClassVar[bool] = True
    """Whether the mean change of an image grows, or at least never falls, with the severity; the published parameters of some do not see to that."""

    colour_only: ClassVar[bool] = False
    """Whether grey images have nothing that it could change."""

    severity: int = Field(3, ge=0, le=5, description="How strong it is: 1 to 5 as published; 0 leaves images as they are.")

    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Corrupted images of the same shape, in [0, 1]; every image meets random numbers of its own.

        images
            pixels in [0, 1], (image, channel, height, width), grey or in colour, each side of 8 pixels or more; they are left as they are
        generator
            the only source of what is random. Computed on its device, so that a generator on the CPU makes the same images for any network

        Errors: `InputError` for other images, and for grey ones where it changes colours alone.
        """
        self.check(images)
        if self.severity == 0:
            return images.detach().clone()
        with torch.no_grad():
            return self._corrupted(images.detach().to(generator.device), generator).clamp(0, 1).to(images)

    def at(self, severity: int) -> Corruption:
        """The same corruption with another severity.

        >>> from yuragi.attacks.corruptions import Contrast
        >>> Contrast().at(5).severity
        5
        """
        return type(self).model_validate({**self.model_dump(), "severity": severity})

    def applies(self, images: torch.Tensor) -> bool:
        """Whether such images, grey or in colour, have anything that it could change."""
        return images.shape[1] > 1 or not self.colour_only

    @abstractmethod
    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor: ...

    @property
    def _level(self) -> Any:
        return self.levels[self.severity - 1]

    def check(self, images: torch.Tensor) -> None:
        """Refuse images that it cannot corrupt, with an `InputError`."""
        fits = images.ndim == 4 and len(images) > 0 and images.shape[1] in (1, 3) and min(images.shape[2:]) >= SMALLEST
        if not fits or not images.is_floating_point():
            raise InputError(
                f"images: shape {tuple(images.shape)} of {images.dtype}; give (image, channel, height, width) of floats, with 1 or 3 channels "
                f"and sides of {SMALLEST} pixels or more"
            )
        check_pixels(images)
        if not self.applies(images):
            raise InputError(f"corruption '{self.kind}': it changes colours alone and the images are grey; leave it out")


def applicable(images: torch.Tensor) -> dict[str, Corruption]:
    """All corruptions that images of this shape can have, by kind."""
    return {kind: found for kind, found in every_corruption().items() if found.applies(images)}


def every_corruption() -> dict[str, Corruption]:
    """All corruptions, by kind."""
    return {kind: found() for kind, found in discover(ROOM, Corruption).items()}
