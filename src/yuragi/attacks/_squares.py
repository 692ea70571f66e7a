"""The changes that the attack `square` tries."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from yuragi.attacks.balls import Ball, Norm, length

HALVED = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Parts of all queries after which the area of the squares halves: the authors' program; their paper leaves out the fourth."""


def square_side(norm: Norm, progress: float, p_init: float, shape: Sequence[int]) -> int:
    """The side of the squares, in pixels, after a part of all queries; odd for L2, where the pattern has a middle.

    >>> [square_side("linf", progress, 0.8, (28, 28)) for progress in (0.0, 0.003, 0.9)]
    [25, 18, 1]
    """
    area = p_init / 2 ** sum(progress > end for end in HALVED)
    side = round(math.sqrt(area * shape[0] * shape[1]))
    if norm == "l2":
        side = max(side, 3) | 1
    return max(1, min(side, *shape))


def start(norm: Norm, around: Ball, generator: torch.Generator) -> Tensor:
    """Vertical stripes of one pixel at the ends of the ball (L∞), or a grid of peaked patterns with random signs (L2)."""
    n, channels, height, width = around.images.shape
    if norm == "linf":
        return _ends(around, _heads((n, channels, 1, width), generator, around.images.device))
    side = max(1, height // 5)
    rows, columns = -(-height // side), -(-width // side)
    signs = _signs((n, channels, rows, columns), generator, around.images)
    tile = pattern(side, around.images.dtype).to(around.images.device)
    change = (signs[:, :, :, None, :, None] * tile[None, None, None, :, None, :]).reshape(n, channels, rows * side, columns * side)
    return around.project(around.images + around.eps * around.direction(change[:, :, :height, :width]))


def trial(norm: Norm, around: Ball, best: Tensor, side: int, generator: torch.Generator, left: Tensor, n_images: int) -> Tensor:
    """The best images so far with one more change each.

    left
        which of the ``n_images`` images these are: every image has random numbers of its own, whichever others are still there
    """
    channels, height, width = best.shape[1:]
    windows = 1 if norm == "linf" else 2
    uniform = torch.rand(n_images, windows, 2, generator=generator, device=generator.device, dtype=torch.float64).to(best.device)[left]
    room = torch.tensor([height - side + 1, width - side + 1], device=best.device)
    corners = (uniform * room).long()
    heads = _heads((n_images, channels, 1, 1), generator, best.device)[left]
    if norm == "linf":
        return torch.where(_window(corners[:, 0], side, best), _ends(around, heads), best)
    upright = _heads((n_images, 1, 1, 1), generator, best.device)[left]
    return _moved(around, best, corners, side, 2 * heads.to(best.dtype) - 1, upright)


def _moved(around: Ball, best: Tensor, corners: Tensor, side: int, signs: Tensor, upright: Tensor) -> Tensor:
    """The Euclidean size of the change in two squares, and what ε leaves, moved into the first of them."""
    change = best - around.images
    into, of = (_window(corners[:, window], side, best) for window in (0, 1))
    drawn = pattern(side, best.dtype).to(best.device)
    placed = torch.where(upright, _placed(drawn, corners[:, 0], best), _placed(drawn.T, corners[:, 0], best))
    tiny = torch.finfo(best.dtype).tiny

    def size(values: Tensor) -> Tensor:
        return values.square().sum((2, 3), keepdim=True).sqrt()

    there = torch.where(into, change, 0)
    mixed = signs * placed + there / size(there).clamp_min(tiny)
    unused = (around.eps**2 - length(change) ** 2).clamp_min(0) / best.shape[1]
    available = (size(torch.where(into | of, change, 0)) ** 2 + unused).sqrt()
    moved = torch.where(of, 0, change)
    moved = torch.where(into, mixed / size(mixed).clamp_min(tiny) * available, moved)
    return around.project(around.images + moved)


def pattern(side: int, dtype: torch.dtype) -> Tensor:
    """Two peaks of opposite sign side by side, of Euclidean size 1, (side, side)."""
    half = side // 2
    whole = torch.zeros(side, side, dtype=dtype)
    whole[:, :half] = _peak(side, half, dtype)
    whole[:, half:] = -_peak(side, side - half, dtype)
    return whole / torch.linalg.vector_norm(whole)


def _peak(rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    # The sum over k = 0 … M(r, s) of 1 / (n + 1 - k)², n = ⌊rows / 2⌋, M = n - max(|r - ⌊rows / 2⌋|, |s - ⌊columns / 2⌋|): equation 2 of the paper.
    n = rows // 2
    from_middle = torch.maximum((torch.arange(rows) - rows // 2).abs()[:, None], (torch.arange(columns) - columns // 2).abs()[None])
    sums = (1 / (n + 1 - torch.arange(n + 1, dtype=dtype)) ** 2).cumsum(0)
    return sums[(n - from_middle).clamp(0, n)]


def _placed(drawn: Tensor, corners: Tensor, like: Tensor) -> Tensor:
    """A pattern with its corner at each image's place, 0 elsewhere, (image, 1, height, width)."""
    side = len(drawn)
    rows, columns = (torch.arange(like.shape[2 + axis], device=like.device) - corners[:, axis, None] for axis in (0, 1))
    values = drawn[rows.clamp(0, side - 1)[:, :, None], columns.clamp(0, side - 1)[:, None, :]]
    return torch.where(_window(corners, side, like), values[:, None], 0)


def _window(corners: Tensor, side: int, like: Tensor) -> Tensor:
    rows, columns = (torch.arange(like.shape[2 + axis], device=like.device) - corners[:, axis, None] for axis in (0, 1))
    inside = [(place >= 0) & (place < side) for place in (rows, columns)]
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def _ends(around: Ball, heads: Tensor) -> Tensor:
    return torch.where(heads, around.high, around.low)


def _heads(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> Tensor:
    return torch.randint(2, shape, generator=generator, device=generator.device).bool().to(device)


def _signs(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    return 2 * _heads(shape, generator, like.device).to(like.dtype) - 1
