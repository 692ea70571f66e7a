"""Blurs: of the lens, of rough glass, of motion, and of an approach."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.attacks.corruptions.base import Corruption

torch = lazy.load("torch")


class GaussianBlur(Corruption):
    """A Gaussian blur.

        x'(p) = Σ_q k(q) x(p - q),    k(q) ∝ exp(-|q|² / 2σ²), cut at 4 σ

    σ = 0.4, 0.6, 0.7, 0.8, 1 pixels at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019, arXiv:1903.12261,
    ``make_cifar_c.py``). The last pixel is repeated beyond the edges. Nothing in it is random.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> stripes = torch.tensor([0.0, 1.0]).repeat(16).expand(1, 1, 32, 32)
    >>> bool(GaussianBlur(severity=5)(stripes, torch.Generator())[..., 8:24].std() < 0.01)
    True
    """

    kind: Literal["gaussian_blur"] = "gaussian_blur"
    levels: ClassVar = (0.4, 0.6, 0.7, 0.8, 1.0)

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        from yuragi.attacks.corruptions._sampling import gaussian_blur

        return gaussian_blur(images, self._level)


class DefocusBlur(Corruption):
    """The blur of a lens out of focus: a disc in the place of every point.

        x'(p) = Σ_q k(q) x(p - q),    k = (1 where |q| ≤ r, else 0, divided by its sum) * Gaussian of σ on 3 x 3 pixels

    (r, σ) = (0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1) pixels at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich
    2019, arXiv:1903.12261, ``make_cifar_c.py``). Nothing in it is random.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> point = torch.zeros(1, 1, 9, 9)
    >>> point[..., 4, 4] = 1
    >>> [round(value, 3) for value in DefocusBlur(severity=5)(point, torch.Generator())[0, 0, 4, 2:7].tolist()]
    [0.0, 0.111, 0.111, 0.111, 0.0]
    """

    kind: Literal["defocus_blur"] = "defocus_blur"
    levels: ClassVar = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        from yuragi.attacks.corruptions._sampling import filtered

        radius, sigma = self._level
        reach = math.floor(radius) + 1
        places = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
        disc = (places[:, None] ** 2 + places**2 <= radius**2).to(images.dtype)
        edge = torch.exp(-(places.new_tensor([-1.0, 0.0, 1.0]) ** 2) / (2 * sigma**2))
        softening = edge[:, None] * edge
        soft = torch.nn.functional.conv2d(disc[None, None], softening[None, None], padding=1)[0, 0]
        return filtered(images, soft / soft.sum())


class GlassBlur(Corruption):
    """The view through rough glass: blurred, pixels moved by one at random, blurred again.

        x' = G_σ M … M G_σ x,    (M x)(p) = x(p - d),    d drawn from {0, 1} x {0, 1} for every pixel p and application of M

    (σ in pixels, number of applications) = (0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2) at the severities 1 to 5, as CIFAR-10-C has them
    (Hendrycks & Dietterich 2019, arXiv:1903.12261, ``make_cifar_c.py``). The paper speaks of pixels that change places. The code that made the data
    set copies the neighbour instead, above or to the left or both, from the third row and column on; so does this.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> ramp = torch.arange(32.0).expand(1, 1, 32, 32) / 32
    >>> moved = GlassBlur(severity=1)(ramp, torch.Generator().manual_seed(0)) - ramp
    >>> sorted(set((32 * moved).flatten().tolist()))
    [-1.0, 0.0]
    """

    kind: Literal["glass_blur"] = "glass_blur"
    levels: ClassVar = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))
    grows: ClassVar = False

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        from yuragi.attacks.corruptions._sampling import gaussian_blur

        sigma, times = self._level
        count, _, height, width = images.shape
        every = torch.arange(count, device=images.device)[:, None, None]
        rows, columns = (torch.arange(2, side, device=images.device) for side in (height, width))
        moved = gaussian_blur(images, sigma).movedim(1, -1).clone()
        for _ in range(times):
            steps = torch.randint(2, (2, count, height - 2, width - 2), generator=generator, device=images.device)
            moved[:, 2:, 2:] = moved[every, rows[:, None] - steps[0], columns - steps[1]]
        return gaussian_blur(moved.movedim(-1, 1), sigma)


class MotionBlur(Corruption):
    """The blur of a moving camera, in a random direction for every image.

        x'(p) = Σ_i k(i) x(p + [i (cos θ, sin θ)]),    k(i) ∝ exp(-i² / 2σ²),    i = 0 … 2 r,    θ uniform in [-45°, 45°]

    (r, σ) = (6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5) pixels at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019,
    arXiv:1903.12261, ``make_cifar_c.py``), with ImageMagick's definition of the blur: one-sided, offsets rounded to whole pixels.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> stripes = torch.tensor([0.0, 1.0]).repeat(16).expand(1, 1, 32, 32)
    >>> bool(MotionBlur(severity=5)(stripes, torch.Generator()).std() < 0.2)
    True
    """

    kind: Literal["motion_blur"] = "motion_blur"
    levels: ClassVar = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        from yuragi.attacks.corruptions._sampling import motion_blur, uniform

        return motion_blur(images, *self._level, uniform(-45, 45, (len(images),), images, generator))


class ZoomBlur(Corruption):
    """The blur of a fast approach: the mean over enlargements of the middle.

        x' = (x + Σ_f Z_f x) / (1 + number of factors),    f = 1, 1.01, 1.02 … up to c,    Z_f: the middle, enlarged f times

    c = 1.06, 1.11, 1.15, 1.20, 1.25 at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019, arXiv:1903.12261,
    ``make_cifar_c.py``; rounding of its range of factors includes the end at the first two). Nothing in it is random.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> bright_edge = torch.ones(1, 1, 32, 32)
    >>> bright_edge[..., 1:] = 0
    >>> [round(value, 2) for value in ZoomBlur(severity=5)(bright_edge, torch.Generator())[0, 0, 16, :3].tolist()]
    [0.3, 0.01, 0.0]
    """

    kind: Literal["zoom_blur"] = "zoom_blur"
    levels: ClassVar = (6, 11, 15, 20, 25)

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        from yuragi.attacks.corruptions._sampling import clipped_zoom

        factors = [1 + percent / 100 for percent in range(self._level + 1)]
        total = images.clone()
        for factor in factors:
            total += clipped_zoom(images, factor)
        return total / (1 + len(factors))
