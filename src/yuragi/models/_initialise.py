"""Layers whose first weights come from the generator that is passed, and from nothing else."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.utils import skip_init

GAINS = {"relu": math.sqrt(2), "tanh": 1.0, "sigmoid": 4.0, "none": 1.0}
"""√2 makes up for the half that a rectifier cuts off (He 2015, arXiv 1502.01852); 1 keeps the variance where the unit is linear (LeCun 1998), 4 where
its slope is 1/4."""


def linear(n_in: int, n_out: int, activation: str, generator: torch.Generator) -> nn.Linear:
    """A dense layer with weights N(0, gain² / n_in) and biases 0.

    >>> layer = linear(400, 100, "tanh", torch.Generator().manual_seed(0))
    >>> round(float(layer.weight.detach().std()), 2)
    0.05
    """
    layer = skip_init(nn.Linear, n_in, n_out)
    _fill(layer, n_in, activation, generator)
    return layer


def convolution(
    n_in: int,
    n_out: int,
    kernel: int,
    activation: str,
    generator: torch.Generator,
    *,
    stride: int = 1,
    padding: bool = True,
    bias: bool = True,
) -> nn.Conv2d:
    """A convolution with weights N(0, gain² / (n_in kernel²)) and biases 0.

    stride
        with padding the output is the image's height and width divided by it, rounded up
    padding
        False: only positions at which the kernel lies within the image
    bias
        False where batch normalisation follows, which would take a bias away again
    """
    layer = skip_init(nn.Conv2d, n_in, n_out, kernel, stride=stride, padding=kernel // 2 if padding else 0, bias=bias)
    _fill(layer, n_in * kernel**2, activation, generator)
    return layer


@torch.no_grad()
def _fill(layer: nn.Linear | nn.Conv2d, fan_in: int, activation: str, generator: torch.Generator) -> None:
    normal = torch.randn(layer.weight.shape, generator=generator, device=generator.device)
    layer.weight.copy_(normal * (GAINS[activation] / math.sqrt(fan_in)))
    if layer.bias is not None:
        layer.bias.zero_()
