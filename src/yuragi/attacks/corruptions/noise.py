"""Noise of pixels that are independent of each other."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.attacks.corruptions.base import Corruption

torch = lazy.load("torch")


class GaussianNoise(Corruption):
    """Normal noise, as of a camera in the dark.

        x' = clip(x + σ n),    n normal with mean 0 and variance 1, per pixel and channel

    σ = 0.04, 0.06, 0.08, 0.09, 0.10 of the pixel range at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019,
    arXiv:1903.12261, ``make_cifar_c.py``).

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> corrupted = GaussianNoise(severity=5)(torch.full((20, 1, 32, 32), 0.5), torch.Generator().manual_seed(0))
    >>> round(float(corrupted.std()), 2)
    0.1
    """

    kind: Literal["gaussian_noise"] = "gaussian_noise"
    levels: ClassVar = (0.04, 0.06, 0.08, 0.09, 0.10)

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        from yuragi.attacks.corruptions._sampling import normal

        return images + self._level * normal(images.shape, images, generator)


class ShotNoise(Corruption):
    """The noise of counting photons: its variance grows with brightness.

        x' = clip(Poisson(c x) / c)

    c = 500, 250, 100, 75, 50 photons of a white pixel at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019,
    arXiv:1903.12261, ``make_cifar_c.py``). Black pixels stay black.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> corrupted = ShotNoise(severity=5)(torch.full((20, 1, 32, 32), 0.5), torch.Generator().manual_seed(0))
    >>> round(float(corrupted.std()), 2)
    0.1
    """

    kind: Literal["shot_noise"] = "shot_noise"
    levels: ClassVar = (500, 250, 100, 75, 50)

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return torch.poisson(images * self._level, generator=generator) / self._level


class ImpulseNoise(Corruption):
    """Salt and pepper: some values become 0 or 1.

        x' = x with probability 1 - c, else 0 or 1, either as often, per pixel and channel

    c = 0.01, 0.02, 0.03, 0.05, 0.07 at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019, arXiv:1903.12261,
    ``make_cifar_c.py``).

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> corrupted = ImpulseNoise(severity=4)(torch.full((20, 1, 32, 32), 0.5), torch.Generator().manual_seed(0))
    >>> round(float((corrupted != 0.5).float().mean()), 2)
    0.05
    """

    kind: Literal["impulse_noise"] = "impulse_noise"
    levels: ClassVar = (0.01, 0.02, 0.03, 0.05, 0.07)

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        from yuragi.attacks.corruptions._sampling import uniform

        drawn = uniform(0, 1, images.shape, images, generator)
        half = self._level / 2
        return torch.where(drawn < half, 0.0, torch.where(drawn >= 1 - half, 1.0, images))


class SpeckleNoise(Corruption):
    """Noise in proportion to brightness, as of coherent light.

        x' = clip(x + x σ n),    n normal with mean 0 and variance 1, per pixel and channel

    σ = 0.06, 0.1, 0.12, 0.16, 0.2 at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019, arXiv:1903.12261,
    ``make_cifar_c.py``). Black pixels stay black.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> corrupted = SpeckleNoise(severity=5)(torch.full((20, 1, 32, 32), 0.5), torch.Generator().manual_seed(0))
    >>> round(float(corrupted.std()), 2)
    0.1
    """

    kind: Literal["speckle_noise"] = "speckle_noise"
    levels: ClassVar = (0.06, 0.1, 0.12, 0.16, 0.2)

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        from yuragi.attacks.corruptions._sampling import normal

        return images + images * self._level * normal(images.shape, images, generator)
