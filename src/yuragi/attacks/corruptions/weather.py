"""Light and weather."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.attacks.corruptions.base import Corruption

torch = lazy.load("torch")


class Brightness(Corruption):
    """More light.

        V' = min(V + c, 1) in hue, saturation and value (HSV); for grey images x' = min(x + c, 1)

    c = 0.05, 0.1, 0.15, 0.2, 0.3 at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019, arXiv:1903.12261,
    ``make_cifar_c.py``). Nothing in it is random.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> Brightness(severity=2)(torch.full((1, 1, 8, 8), 0.25), torch.Generator()).unique().tolist()
    [0.3499999940395355]
    """

    kind: Literal["brightness"] = "brightness"
    levels: ClassVar = (0.05, 0.1, 0.15, 0.2, 0.3)

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        value = images.amax(1, keepdim=True)
        brighter = (value + self._level).clamp(max=1)
        return torch.where(value > 0, images * (brighter / value.clamp(min=1e-12)), brighter)


class Fog(Corruption):
    """Fog: a random landscape of brightness laid over the image.

        x' = (x + c f) M / (M + c),    M the largest value of the image

    f in [0, 1] is a plasma fractal by midpoint displacement (diamond-square) on a periodic square whose side is a power of two: each midpoint is the
    mean of its four neighbours plus a uniform number, whose range shrinks by w² from one scale to the next. (c, w) = (0.2, 3), (0.5, 3), (0.75, 2.5),
    (1, 2), (1.5, 1.75) at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019, arXiv:1903.12261, ``make_cifar_c.py``).

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> foggy = Fog(severity=4)(torch.ones(1, 1, 32, 32), torch.Generator().manual_seed(0))
    >>> float(foggy.min()), float(foggy.max())
    (0.5, 1.0)
    """

    kind: Literal["fog"] = "fog"
    levels: ClassVar = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        strength, decay = self._level
        height, width = images.shape[2:]
        side = 1 << (max(height, width) - 1).bit_length()
        landscape = _plasma(images, side, decay, generator)[:, None, :height, :width]
        largest = images.amax((1, 2, 3), keepdim=True)
        return (images + strength * landscape) * largest / (largest + strength)


class Snow(Corruption):
    """Snow: flakes that fall in a random direction, and a paler scene.

        x' = clip(b x + (1 - b) max(x, 1.5 g + 0.5) + s + s turned by 180°),    g the grey image

    s is normal noise of mean μ and deviation σ, enlarged z times, set to 0 below t, clipped, and smeared as by `MotionBlur` with (r, σ_m) at an angle
    uniform in [-135°, -45°]. (μ, σ, z, t, r, σ_m, b) = (0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9), (0.15, 0.3, 1.75, 0.55, 10, 4,
    0.9), (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8) at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks &
    Dietterich 2019, arXiv:1903.12261, ``make_cifar_c.py``).

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> images = torch.full((1, 1, 32, 32), 0.25)
    >>> bool((Snow(severity=3)(images, torch.Generator().manual_seed(0)) > images).all())
    True
    """

    kind: Literal["snow"] = "snow"
    levels: ClassVar = (
        (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
        (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
    )

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        from yuragi.attacks.corruptions._sampling import clipped_zoom, motion_blur, normal, uniform

        mean, deviation, zoom, threshold, radius, smear, kept = self._level
        count, channels, height, width = images.shape
        flakes = clipped_zoom(mean + deviation * normal((count, 1, height, width), images, generator), zoom)
        flakes = torch.where(flakes < threshold, 0.0, flakes).clamp(0, 1)
        flakes = motion_blur(flakes, radius, smear, uniform(-135, -45, (count,), images, generator))
        # The weights of red, green and blue in grey by ITU-R BT.601.
        grey = images if channels == 1 else (images * images.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
        paler = kept * images + (1 - kept) * torch.maximum(images, 1.5 * grey + 0.5)
        return paler + flakes + flakes.flip(2, 3)


def _plasma(like: torch.Tensor, side: int, decay: float, generator: torch.Generator) -> torch.Tensor:
    """Periodic random landscapes (image, side, side) between 0 and 1 by midpoint displacement."""
    from yuragi.attacks.corruptions._sampling import uniform

    land = torch.zeros(len(like), side, side, dtype=like.dtype, device=like.device)
    step, roughness = side, 100.0

    def midpoints(sum_of_four: torch.Tensor) -> torch.Tensor:
        return sum_of_four / 4 + roughness**2 * uniform(-1, 1, sum_of_four.shape, like, generator)

    while step >= 2:
        half = step // 2
        corners = land[:, ::step, ::step]
        pairs = corners + corners.roll(-1, 1)
        land[:, half::step, half::step] = midpoints(pairs + pairs.roll(-1, 2))
        centres = land[:, half::step, half::step]
        land[:, ::step, half::step] = midpoints(centres + centres.roll(1, 1) + corners + corners.roll(-1, 2))
        land[:, half::step, ::step] = midpoints(centres + centres.roll(1, 2) + corners + corners.roll(-1, 1))
        step, roughness = half, roughness / decay
    land = land - land.amin((1, 2), keepdim=True)
    return land / land.amax((1, 2), keepdim=True)
