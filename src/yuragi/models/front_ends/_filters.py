"""Fixed filters as modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GaussianBlur(nn.Module):
    """A separable Gaussian filter of width 2 radius + 1 on every channel.

    >>> GaussianBlur(1.0, 3)(torch.ones(2, 3, 8, 8)).shape
    torch.Size([2, 3, 8, 8])
    """

    kernel: Tensor

    def __init__(self, sigma: float, radius: int) -> None:
        super().__init__()
        offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
        weights = torch.exp(-(offsets**2) / (2 * sigma**2))
        self.radius = radius
        self.register_buffer("kernel", (weights / weights.sum()).float())

    def forward(self, images: Tensor) -> Tensor:
        channels, radius = images.shape[1], self.radius
        values = nn.functional.pad(images, (radius, radius, radius, radius), mode="reflect")
        kernel = self.kernel.to(values.dtype)
        values = nn.functional.conv2d(values, kernel.reshape(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
        return nn.functional.conv2d(values, kernel.reshape(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
