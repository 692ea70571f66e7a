"""The parts of convolutional networks: normalised convolutions, residual units, the mean over positions. None of them works in place."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from yuragi.models._initialise import convolution

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def convolved(
    n_in: int,
    n_out: int,
    kernel: int,
    generator: torch.Generator,
    *,
    batch_norm: bool,
    activation: Literal["relu", "tanh"] = "relu",
    stride: int = 1,
    padding: bool = True,
) -> list[nn.Module]:
    """A convolution, its batch normalisation where wanted, and its nonlinearity; with batch normalisation it has no bias.

    >>> [type(module).__name__ for module in convolved(3, 8, 3, torch.Generator(), batch_norm=True)]
    ['Conv2d', 'BatchNorm2d', 'ReLU']
    """
    layer = convolution(n_in, n_out, kernel, activation, generator, stride=stride, padding=padding, bias=not batch_norm)
    return [layer, *normalised(n_out, batch_norm), ACTIVATIONS[activation]()]


def normalised(n_channels: int, batch_norm: bool) -> list[nn.Module]:
    """Batch normalisation of feature maps, or nothing."""
    return [nn.BatchNorm2d(n_channels)] if batch_norm else []


class Scale(nn.Module):
    """Multiplication by one number that is learned, s x: SkipInit (De & Smith 2020, arXiv 2002.10444).

    A sum of d residual branches, each of the size of its input, grows by 2^d; with s = 1/√d at first it grows by (1 + 1/d)^d < e. Zero, their
    other choice, would leave the weights of the branches without a gradient at the first step.
    """

    def __init__(self, n_units: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1 / math.sqrt(n_units)))

    def forward(self, values: Tensor) -> Tensor:
        return self.scale * values


class MeanOverPositions(nn.Module):
    """The mean of each feature map: (image, channel, height, width) → (image, channel)."""

    def forward(self, values: Tensor) -> Tensor:
        return values.mean(dim=(2, 3))


class PreActivationUnit(nn.Module):
    """A residual unit whose nonlinearities come before its convolutions (He et al. 2016, arXiv 1603.05027).

        a = relu(BN(x)),    y = P(x) + W₂ ∗ relu(BN(W₁ ∗ a)),    P(x) = x, or W₀ ∗ a where channels or positions change

    Without batch normalisation BN is left out, convolutions have biases and `Scale` stands before the sum.

    n_in, n_out
        channels of x and y
    stride
        of W₁ and W₀
    n_units
        d, the number of residual units in the network
    activated
        x is activated already, and a = x: the first unit, which follows the stem
    """

    def __init__(
        self, n_in: int, n_out: int, stride: int, generator: torch.Generator, *, batch_norm: bool, n_units: int, activated: bool = False
    ) -> None:
        super().__init__()
        self.before = nn.Identity() if activated else nn.Sequential(*normalised(n_in, batch_norm), nn.ReLU())
        self.branch = nn.Sequential(
            *convolved(n_in, n_out, 3, generator, batch_norm=batch_norm, stride=stride),
            convolution(n_out, n_out, 3, "relu", generator, bias=not batch_norm),
            *([] if batch_norm else [Scale(n_units)]),
        )
        same = n_in == n_out and stride == 1
        self.projection = None if same else convolution(n_in, n_out, 1, "relu", generator, stride=stride, bias=not batch_norm)

    def forward(self, values: Tensor) -> Tensor:
        activated = self.before(values)
        shortcut = values if self.projection is None else self.projection(activated)
        return shortcut + self.branch(activated)


class Bottleneck(nn.Module):
    """A residual unit of three convolutions, the middle one on fewer channels (He et al. 2015, arXiv 1512.03385).

        y = relu(P(x) + BN(W₃ ∗ relu(BN(W₂ ∗ relu(BN(W₁ ∗ x))))),    P(x) = x, or BN(W₀ ∗ x) where channels or positions change

    W₁ and W₃ are 1 by 1 and W₂ is 3 by 3. The stride is that of W₂ and W₀, as is usual since (the paper has it at W₁). Without batch
    normalisation BN is left out, convolutions have biases and `Scale` stands before the sum.

    n_in, n_middle
        channels of x, and of the middle convolution; y has 4 n_middle
    n_units
        d, the number of residual units in the network
    """

    def __init__(self, n_in: int, n_middle: int, stride: int, generator: torch.Generator, *, batch_norm: bool, n_units: int) -> None:
        super().__init__()
        n_out, bias = 4 * n_middle, not batch_norm
        self.branch = nn.Sequential(
            *convolved(n_in, n_middle, 1, generator, batch_norm=batch_norm),
            *convolved(n_middle, n_middle, 3, generator, batch_norm=batch_norm, stride=stride),
            convolution(n_middle, n_out, 1, "none", generator, bias=bias),
            *(normalised(n_out, batch_norm) or [Scale(n_units)]),
        )
        self.projection = None
        if n_in != n_out or stride != 1:
            # The rectifier comes after the sum, of which the projection is the larger part.
            self.projection = nn.Sequential(convolution(n_in, n_out, 1, "relu", generator, stride=stride, bias=bias), *normalised(n_out, batch_norm))

    def forward(self, values: Tensor) -> Tensor:
        shortcut = values if self.projection is None else self.projection(values)
        return nn.functional.relu(shortcut + self.branch(values))
