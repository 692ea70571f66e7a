"""Changes of digital images: contrast, colour, resolution, compression and elastic distortion."""

from __future__ import annotations

from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.attacks.corruptions.base import Corruption

np = lazy.load("numpy")
torch = lazy.load("torch")


class Contrast(Corruption):
    """Less contrast.

        x' = m + c (x - m),    m the mean of the image's channel

    c = 0.75, 0.5, 0.4, 0.3, 0.15 at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019, arXiv:1903.12261,
    ``make_cifar_c.py``). Nothing in it is random.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> halves = torch.tensor([0.0, 1.0]).repeat_interleave(4).expand(1, 1, 8, 8)
    >>> Contrast(severity=2)(halves, torch.Generator()).unique().tolist()
    [0.25, 0.75]
    """

    kind: Literal["contrast"] = "contrast"
    levels: ClassVar = (0.75, 0.5, 0.4, 0.3, 0.15)

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        mean = images.mean((2, 3), keepdim=True)
        return mean + self._level * (images - mean)


class Saturate(Corruption):
    """Paler or stronger colours.

        S' = clip(a S + b) in hue, saturation and value (HSV)

    (a, b) = (0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2) at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019,
    arXiv:1903.12261, ``make_cifar_c.py``): the first two make images paler, so that the change does not grow with the severity. Grey pixels have the
    hue of red, so that b > 0 colours them. Grey images are refused. Nothing in it is random.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> red = torch.tensor([1.0, 0.5, 0.5])[:, None, None].expand(1, 3, 8, 8)
    >>> Saturate(severity=3)(red, torch.Generator())[0, :, 0, 0].tolist()
    [1.0, 0.25, 0.25]
    """

    kind: Literal["saturate"] = "saturate"
    levels: ClassVar = ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2))
    grows: ClassVar = False
    colour_only: ClassVar = True

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        factor, offset = self._level
        value = images.amax(1, keepdim=True)
        chroma = value - images.amin(1, keepdim=True)
        saturation = torch.where(value > 0, chroma / value.clamp(min=1e-12), 0.0)
        # A colour at the hue: 0 where the channel is the largest, 1 where it is the smallest.
        red = images.new_tensor([0.0, 1.0, 1.0])[:, None, None]
        depth = torch.where(chroma > 0, (value - images) / chroma.clamp(min=1e-12), red)
        return value * (1 - depth * (factor * saturation + offset).clamp(0, 1))


class Pixelate(Corruption):
    """Fewer pixels: made smaller and enlarged again, both by boxes.

    The sides shrink to ⌊c · side⌋: c = 0.95, 0.9, 0.85, 0.75, 0.65 at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019,
    arXiv:1903.12261, ``make_cifar_c.py``), by Pillow's box filter. Nothing in it is random.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> ramp = torch.arange(32.0).expand(1, 1, 32, 32) / 32
    >>> len(Pixelate(severity=5)(ramp, torch.Generator()).unique())
    20
    """

    kind: Literal["pixelate"] = "pixelate"
    levels: ClassVar = (0.95, 0.9, 0.85, 0.75, 0.65)

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        down, across = (self._resampling(side).to(images) for side in images.shape[2:])
        return down @ images @ across.T

    def _resampling(self, side: int) -> torch.Tensor:
        """The matrix (pixel out, pixel in) of both resizings along one side: what they make of one white column at a time."""
        from PIL.Image import Resampling, fromarray

        columns = fromarray(np.eye(side, dtype=np.float32))
        smaller = columns.resize((int(side * self._level), side), Resampling.BOX)
        return torch.from_numpy(np.array(smaller.resize((side, side), Resampling.BOX)).T)


class Jpeg(Corruption):
    """The losses of JPEG.

    Quality 80, 65, 58, 50, 40 at the severities 1 to 5, as CIFAR-10-C has them (Hendrycks & Dietterich 2019, arXiv:1903.12261, ``make_cifar_c.py``),
    by Pillow. Pixels are rounded to 256 levels. Nothing in it is random.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> bool((Jpeg(severity=5)(images, torch.Generator()) - images).abs().mean() > 0.1)
    True
    """

    kind: Literal["jpeg"] = "jpeg"
    levels: ClassVar = (80, 65, 58, 50, 40)

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        from io import BytesIO

        from PIL.Image import fromarray
        from PIL.Image import open as open_image

        pixels = (images * 255).round().to(torch.uint8).movedim(1, -1).cpu().numpy()
        compressed = np.empty_like(pixels)
        for place, picture in enumerate(pixels):
            file = BytesIO()
            fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(file, "JPEG", quality=self._level)
            compressed[place] = np.asarray(open_image(file)).reshape(picture.shape)
        return torch.from_numpy(compressed).to(images).movedim(-1, 1) / 255


class Elastic(Corruption):
    """An elastic distortion: a random affine map, and a smooth random displacement of every pixel.

        x'(p) = (A x)(p + α G_σ u(p)),    u uniform in [-1, 1] per pixel and direction,    A takes three points to places up to δ away

    (α, σ, δ) / side = (0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03) at the severities 1 to 5, as
    CIFAR-10-C has them (Hendrycks & Dietterich 2019, arXiv:1903.12261, ``make_cifar_c.py``). The affine part shrinks with the severity while the
    displacement grows rougher, so that the mean change does not grow. The three points lie a third of the side from the middle, on three corners of a
    square; each moves uniformly within ±δ in both directions. G_σ is a Gaussian, cut at 3 σ. Images are read linearly between pixels and reflected at
    the edges.

    severity
        1 to 5, and 0 for the images as they are

    It is called with images (image, channel, height, width) in [0, 1] and a `torch.Generator`; see `yuragi.attacks.corruptions.base.Corruption`, also
    for the errors.

    >>> import torch
    >>> ramp = torch.arange(32.0).expand(1, 1, 32, 32) / 32
    >>> moved = 32 * (Elastic(severity=5)(ramp, torch.Generator().manual_seed(0)) - ramp)[..., 4:28, 4:28]
    >>> bool(0.1 < moved.abs().mean() < 3)
    True
    """

    kind: Literal["elastic"] = "elastic"
    levels: ClassVar = ((0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
    grows: ClassVar = False

    def _corrupted(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        from scipy.ndimage import gaussian_filter

        from yuragi.attacks.corruptions._sampling import sampled, uniform

        count, _, height, width = images.shape
        side = min(height, width)
        strength, smoothness, jitter = (side * part for part in self._level)
        middle, reach = images.new_tensor([width // 2, height // 2], dtype=torch.float64), side // 3
        points = middle + reach * middle.new_tensor([[1, 1], [1, -1], [-1, -1]])
        moved = points + uniform(-jitter, jitter, (count, 3, 2), points, generator)
        # An image is read where the inverse map leads, so that the map from the moved points to the fixed ones is what is solved for.
        back = torch.linalg.solve(torch.cat([moved, torch.ones_like(moved[..., :1])], -1), points.expand_as(moved))
        rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float64, device=images.device) for n in (height, width)), indexing="ij")
        sources = torch.stack([columns, rows, torch.ones_like(rows)], -1) @ back[:, None]
        turned = sampled(images, sources[..., 1], sources[..., 0], repeat_edge=False)
        if strength == 0:
            return turned
        rough = uniform(-1, 1, (count, 2, height, width), points, generator).cpu().numpy()
        smooth = torch.from_numpy(gaussian_filter(rough, (0, 0, smoothness, smoothness), mode="reflect", truncate=3)).to(rows)
        return sampled(turned, rows + strength * smooth[:, 0], columns + strength * smooth[:, 1], repeat_edge=True)
