"""Natural modifications of images, which leave what they show."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Modification = Literal["translation", "brightness", "blur", "pixel_noise"]


def modified(images: Tensor, modification: Modification, strength: float, generator: torch.Generator) -> Tensor:
    """m(x), pixels in [0, 1].

    images
        (image, channel, height, width), pixels in [0, 1]
    modification
        ``translation``: by whole pixels, uniform in ± ``strength`` along either axis, with edges repeated. ``brightness``: by a number uniform in ±
        ``strength``. ``blur``: by a Gaussian of a standard deviation uniform in (0, ``strength``) pixels. ``pixel_noise``: by independent Gaussian
        numbers of standard deviation ``strength``. All but the last are one number (two for a translation) an image
    generator
        on any device

    >>> images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> modified(images, "brightness", 0.1, torch.Generator().manual_seed(0)).shape
    torch.Size([4, 1, 8, 8])
    """

    def uniform(columns: int) -> Tensor:
        return torch.rand((len(images), columns), generator=generator, device=generator.device).to(images)

    if modification == "translation":
        most = math.floor(strength)
        return _translated(images, (uniform(2) * (2 * most + 1)).long().clamp(max=2 * most) - most)
    if modification == "brightness":
        changed = images + strength * (2 * uniform(1) - 1)[:, :, None, None]
    elif modification == "blur":
        changed = _blurred(images, strength * uniform(1)[:, 0], math.ceil(3 * strength))
    else:
        changed = images + strength * torch.randn(images.shape, generator=generator, device=generator.device).to(images)
    return changed.clamp(0, 1)


def _translated(images: Tensor, shifts: Tensor) -> Tensor:
    height, width = images.shape[2:]
    rows = (torch.arange(height, device=images.device) + shifts[:, :1]).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device) + shifts[:, 1:]).clamp(0, width - 1)
    which = torch.arange(len(images), device=images.device)
    return images.permute(0, 2, 3, 1)[which[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _blurred(images: Tensor, sigmas: Tensor, radius: int) -> Tensor:
    n, channels, height, width = images.shape
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernels = torch.exp(-offsets.square() / (2 * sigmas.clamp(min=1e-3)[:, None].square()))
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None]
    # Every image has its own kernel: images and channels stand side by side as groups.
    values = nn.functional.pad(images, (radius,) * 4, mode="replicate").reshape(1, n * channels, height + 2 * radius, width + 2 * radius)
    values = nn.functional.conv2d(values, kernels[:, :, None, :], groups=n * channels)
    return nn.functional.conv2d(values, kernels[:, :, :, None], groups=n * channels).reshape(images.shape)
