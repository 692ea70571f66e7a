"""How the size of the noise follows the activity of each unit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

FLOOR = 1e-4
"""What is added to the rate, so that gradients stay finite where a unit is silent."""


class Gain(nn.Module, ABC):
    """G(x) = diag(√(r(x_u) + δ)): the variance of a unit's noise is linear in its rate r, as that of spike counts is.

    The buffer ``floor`` is δ.
    """

    floor: Tensor
    absolute: bool = False
    """True: the noise has the size that the formula gives, whatever the variance of the layer."""

    def forward(self, activity: Tensor) -> Tensor:
        return (self.rate(activity) + self.floor).sqrt()

    @abstractmethod
    def rate(self, activity: Tensor) -> Tensor:
        """r(x), at least 0, unit by unit."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """What `gain_of` needs beside the buffers."""

    def settle(self, mean_rate: Tensor) -> None:
        """Take what depends on the layer's mean rates (unit,) over images."""
        return None


class PoissonGain(Gain):
    """r(x) = |x|, and δ is 10⁻⁴ of the layer's mean rate."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("floor", torch.tensor(FLOOR))

    def rate(self, activity: Tensor) -> Tensor:
        return activity.abs()

    def settle(self, mean_rate: Tensor) -> None:
        mean = mean_rate.mean()
        # A silent layer has no scale of its own, and no noise either.
        self.floor.copy_(FLOOR * torch.where(mean > 0, mean, 1.0))

    def record(self) -> dict[str, Any]:
        return {"kind": "poisson"}


class NeuronalGain(Gain):
    """r(x) = max(s x + l, 0) / s² and δ = 10⁻⁴ / s²: activity is turned into spike counts by x ↦ s x + l and back."""

    def __init__(self, scale: float, level: float, absolute: bool) -> None:
        super().__init__()
        self.scale, self.level, self.absolute = scale, level, absolute
        self.register_buffer("floor", torch.tensor(FLOOR / scale**2))

    def rate(self, activity: Tensor) -> Tensor:
        return (self.scale * activity + self.level).relu() / self.scale**2

    def record(self) -> dict[str, Any]:
        return {"kind": "neuronal", "scale": self.scale, "level": self.level, "absolute": self.absolute}


def gain_of(record: Mapping[str, Any] | None) -> Gain | None:
    """The gain that a `Gain.record` describes; None is additive noise."""
    if record is None:
        return None
    values = {key: value for key, value in record.items() if key != "kind"}
    return {"poisson": PoissonGain, "neuronal": NeuronalGain}[record["kind"]](**values)
