"""Bits with a gradient that is not theirs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class StraightThrough(torch.autograd.Function):
    """Exact values on the way forward, the gradient of smooth ones on the way back.

        y = b forward,    ∂y/∂s = 1 backward

    Bengio, Léonard and Courville 2013, arXiv 1308.3432; as what an attacker puts in the place of a step's own gradient, which is 0: backward pass
    differentiable approximation (BPDA), Athalye et al. 2018, arXiv 1802.00420.

    >>> smooth = torch.tensor([0.3, 0.8], requires_grad=True)
    >>> bits = StraightThrough.apply((smooth > 0.5).float(), smooth)
    >>> (3 * bits).sum().backward()
    >>> bits.tolist(), smooth.grad.tolist()
    ([0.0, 1.0], [3.0, 3.0])
    """

    @staticmethod
    def forward(ctx: Any, exact: Tensor, smooth: Tensor) -> Tensor:
        return exact.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, gradient


class Threshold(nn.Module):
    """1 where a value is above θ, else 0; the gradient of the identity on the way back.

    >>> Threshold(0.5)(torch.tensor([0.2, 0.5, 0.7])).tolist()
    [0.0, 0.0, 1.0]
    """

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, values: Tensor) -> Tensor:
        return StraightThrough.apply((values > self.threshold).to(values.dtype), values)
