"""Fixed filters as modules."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class GaussianBlur(nn.Module):
    """A separable Gaussian filter of width 2 radius + 1 on every channel, images continued by reflection.

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
        channels = images.shape[1]
        kernel = self.kernel.to(images.dtype)
        values = nn.functional.conv2d(reflected(images, self.radius), kernel.reshape(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
        return nn.functional.conv2d(values, kernel.reshape(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


class GaborBank(nn.Module):
    """Fixed Gabor filters: rectified simple cells, then complex cells, (image, n_simple + n_complex, height, width).

    frequency, orientation, phase
        of each cell, simple ones first: cycles per pixel, radians, radians; of a complex cell the phase of one filter of its pair
    channel
        the channel of the image that each cell sees
    n_simple
        how many of the cells are simple
    channels, size, stride
        channels of the images, height and width of the kernels, distance between positions
    envelope, gain
        σ / λ and k
    """

    kernels: Tensor

    def __init__(
        self,
        frequency: Tensor,
        orientation: Tensor,
        phase: Tensor,
        channel: Tensor,
        *,
        n_simple: int,
        channels: int,
        size: int,
        stride: int,
        envelope: float,
        gain: float,
    ) -> None:
        super().__init__()
        own, quadrature = (gabor_kernels(frequency, orientation, phase + shift, size, envelope) for shift in (0.0, math.pi / 2))
        # The quadrature partners of the complex cells stand last, so that one convolution serves all.
        filters = torch.cat([own, quadrature[n_simple:]])
        seen = torch.cat([channel, channel[n_simple:]])
        kernels = filters.new_zeros(len(filters), channels, size, size)
        kernels[torch.arange(len(filters)), seen] = gain * filters
        self.n_simple, self.n_complex, self.stride, self.radius = n_simple, len(frequency) - n_simple, stride, size // 2
        self.register_buffer("kernels", kernels.float())

    def forward(self, images: Tensor) -> Tensor:
        values = nn.functional.conv2d(reflected(images, self.radius), self.kernels.to(images.dtype), stride=self.stride)
        simple, even, odd = values.split([self.n_simple, self.n_complex, self.n_complex], dim=1)
        # The root has no derivative at 0, which is where the cells are in every uniform region: δ makes it 0 there. δ² needs single precision.
        even, odd = (part.to(torch.promote_types(part.dtype, torch.float32)) for part in (even, odd))
        energy = (even.square() + odd.square() + ROUNDING**2).sqrt() - ROUNDING
        return torch.cat([simple.relu(), energy.to(values.dtype)], dim=1)

    def extra_repr(self) -> str:
        return f"simple={self.n_simple}, complex={self.n_complex}, size={self.kernels.shape[-1]}, stride={self.stride}"


ROUNDING = 1e-6
"""δ: responses of complex cells below it are rounded off."""


def gabor_kernels(frequency: Tensor, orientation: Tensor, phase: Tensor, size: int, envelope: float) -> Tensor:
    """Gabor filters without response to uniform images, scaled to a largest response of 1 to their own gratings of amplitude 1.

        w(p) ∝ exp(−|p|² / 2σ²) [cos(2π f u·p + ψ) − c],    u = (cos θ, sin θ) along (x, y),    σ = envelope / f,    Σ_p w(p) = 0

    frequency, orientation, phase
        f in cycles per pixel, θ and ψ in radians, (filter)
    size
        height and width of the kernels, odd

    Returns (filter, height, width) in double precision.
    """
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    y, x = offsets[:, None], offsets[None, :]
    frequency, orientation, phase = (values.double()[:, None, None] for values in (frequency, orientation, phase))
    gaussian = torch.exp(-(x**2 + y**2) * (frequency / envelope) ** 2 / 2)
    angle = 2 * math.pi * frequency * (x * orientation.cos() + y * orientation.sin())
    wave = torch.cos(angle + phase)
    uniform = (gaussian * wave).sum((1, 2), keepdim=True) / gaussian.sum((1, 2), keepdim=True)
    filters = gaussian * (wave - uniform)
    response = torch.hypot((filters * angle.cos()).sum((1, 2), keepdim=True), (filters * angle.sin()).sum((1, 2), keepdim=True))
    return filters / response


def reflected(images: Tensor, radius: int) -> Tensor:
    """Images continued by ``radius`` pixels on every side, without repeating the edge: d c b | a b c d | c b a.

    The gradient of PyTorch's own reflection is refused on a GPU where the same numbers are asked for every time.

    >>> reflected(torch.arange(3.0).reshape(1, 1, 1, 3).expand(1, 1, 3, 3), 2)[0, 0, 0]
    tensor([2., 1., 0., 1., 2., 1., 0.])
    """
    for dim in (2, 3):
        size = images.shape[dim]
        before, after = images.narrow(dim, 1, radius).flip(dim), images.narrow(dim, size - 1 - radius, radius).flip(dim)
        images = torch.cat([before, images, after], dim)
    return images
