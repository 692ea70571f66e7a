"""The generator and the discriminator of the published feature-space attack."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

DEPTH = 5
MULTIPLE = 2**DEPTH
"""Pictures whose height and width are a multiple of this come out of the generator as large as they went in."""


class Generator(nn.Module):
    """Pictures to pictures, values in [-1, 1]: five convolutions of stride 2, one of 1 by 1, five transposed ones and a last one of 3 by 3.

    channels
        of the pictures
    width
        W: the encoder has W, 2W, 4W, 8W, 8W channels, the decoder 8W, 8W, 4W, 2W, W, W. Published: 64

    Height and width are multiples of `MULTIPLE`. Every convolution has spectral normalisation.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        encoder, decoder = [], []
        down = (channels, width, 2 * width, 4 * width, 8 * width, 8 * width)
        for place, (before, after) in enumerate(pairwise(down)):
            normalised = 0 < place < DEPTH - 1
            encoder += [spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1)), *([nn.BatchNorm2d(after)] if normalised else [])]
            encoder += [nn.LeakyReLU(0.2)]
        up = (8 * width, 8 * width, 4 * width, 2 * width, width, width)
        for before, after in pairwise(up):
            decoder += [spectral_norm(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(
            *encoder,
            spectral_norm(nn.Conv2d(8 * width, 8 * width, 1)),
            *decoder,
            spectral_norm(nn.Conv2d(width, channels, 3, padding=1)),
            nn.Tanh(),
        )
        self.apply(_initialised)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.layers(pictures)


class Discriminator(nn.Module):
    """Pictures, values in [-1, 1], to one number each: four convolutions of stride 2 and a linear layer, spectral normalisation everywhere.

    channels, height, width_of_pictures
        of the pictures; both sides are multiples of 16
    width
        W: W, 2W, 4W, 8W channels. Published: 64
    """

    def __init__(self, channels: int, height: int, width_of_pictures: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        across = (channels, width, 2 * width, 4 * width, 8 * width)
        for before, after in pairwise(across):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1)), nn.LeakyReLU(0.1)]
        units = 8 * width * (height // 16) * (width_of_pictures // 16)
        self.layers = nn.Sequential(*layers, nn.Flatten(), spectral_norm(nn.Linear(units, 1)))
        self.apply(_initialised)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.layers(pictures)[:, 0]


def _initialised(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.parametrizations.weight.original, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
