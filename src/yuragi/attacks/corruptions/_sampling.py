"""Blurs, zooms and displacements of a batch of images, that several corruptions are made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Images (image, channel, height, width) blurred by a Gaussian of σ pixels, cut at 4 σ, the last pixel repeated beyond the edges."""
    radius = int(4 * sigma + 0.5)
    if radius == 0:
        return images
    places = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-(places**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    flat = torch.nn.functional.pad(images.flatten(0, 1)[:, None], (radius,) * 4, mode="replicate")
    flat = torch.nn.functional.conv2d(flat, kernel[None, None, None, :])
    return torch.nn.functional.conv2d(flat, kernel[None, None, :, None]).reshape(images.shape)


def filtered(images: Tensor, kernel: Tensor) -> Tensor:
    """Every channel filtered by one symmetric kernel of odd size, images reflected at the centres of their outermost pixels."""
    radius = len(kernel) // 2
    flat = torch.nn.functional.pad(images.flatten(0, 1)[:, None], (radius,) * 4, mode="reflect")
    return torch.nn.functional.conv2d(flat, kernel[None, None]).reshape(images.shape)


def motion_blur(images: Tensor, radius: int, sigma: float, angles: Tensor) -> Tensor:
    """Images smeared in one direction: Σ_i k(i) x(p + [i (cos θ, sin θ)]), k(i) ∝ exp(-i² / 2σ²), i = 0 … 2 radius.

    The definition of ImageMagick's motion blur: one-sided, offsets rounded to whole pixels ([ ]), the last pixel repeated beyond the edges.

    angles
        θ in degrees, from the axis along a row towards that down a column, (image)
    """
    count, _, height, width = images.shape
    steps = torch.arange(2 * radius + 1, dtype=images.dtype, device=images.device)
    weights = torch.exp(-(steps**2) / (2 * sigma**2))
    weights = weights / weights.sum()
    directions = torch.deg2rad(angles)
    across, down = ((turn(directions)[:, None] * steps - 0.5).ceil().long() for turn in (torch.cos, torch.sin))
    rows, columns = (torch.arange(side, device=images.device) for side in (height, width))
    every = torch.arange(count, device=images.device)[:, None, None]
    last = images.movedim(1, -1)
    blurred = torch.zeros_like(last)
    for step, weight in enumerate(weights):
        y = (rows + down[:, step, None]).clamp(0, height - 1)
        x = (columns + across[:, step, None]).clamp(0, width - 1)
        blurred += weight * last[every, y[:, :, None], x[:, None, :]]
    return blurred.movedim(-1, 1)


def clipped_zoom(images: Tensor, factor: float) -> Tensor:
    """The middle of the images enlarged to the whole frame, linearly between pixels; factor 1 or larger."""
    _, _, *sides = images.shape
    cut = [math.ceil(side / factor) for side in sides]
    top, left = ((side - inner) // 2 for side, inner in zip(sides, cut, strict=True))
    middle = images[:, :, top : top + cut[0], left : left + cut[1]]
    enlarged = [round(inner * factor) for inner in cut]
    zoomed = torch.nn.functional.interpolate(middle, enlarged, mode="bilinear", align_corners=True)
    top, left = ((large - side) // 2 for side, large in zip(sides, enlarged, strict=True))
    return zoomed[:, :, top : top + sides[0], left : left + sides[1]]


def sampled(images: Tensor, rows: Tensor, columns: Tensor, *, repeat_edge: bool) -> Tensor:
    """Images read at the places (rows, columns), each (image, height, width) in pixels, linearly between pixels and reflected at the edges.

    repeat_edge
        whether the reflection repeats the outermost pixel
    """
    height, width = images.shape[2:]
    if repeat_edge:
        x, y = (2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1
    else:
        x, y = 2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1
    places = torch.stack([x, y], -1).to(images.dtype)
    return torch.nn.functional.grid_sample(images, places, mode="bilinear", padding_mode="reflection", align_corners=not repeat_edge)


def uniform(low: float | int, high: float | int, shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Random numbers between low and high, of the type and on the device of another tensor."""
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)


def normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers, of the type and on the device of another tensor."""
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)
