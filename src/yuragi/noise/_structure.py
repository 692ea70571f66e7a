"""Directions of the noise that are measured on the layer itself, at every calibration."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from yuragi.models.precision import in_double
from yuragi.noise._modifications import Modification, modified


class Structure(nn.Module, ABC):
    """What is measured on a layer, and how it becomes the directions of the noise."""

    @abstractmethod
    def passed(self, images: Tensor, activity: Callable[[Tensor], Tensor], generator: torch.Generator) -> Tensor:
        """Samples (image, unit) whose leading directions are asked for.

        images
            pixels in [0, 1], (image, channel, height, width)
        activity
            images ↦ the layer's activity without noise, (image, unit)
        generator
            from `generator`, at the start of every pass over the images
        """

    @abstractmethod
    def directions(self, leading: Tensor) -> Tensor:
        """U (unit, component) from the leading directions (unit, component), orthonormal."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """What `structure_of` needs beside the buffers."""

    def shares(self, variances: Tensor) -> Tensor | None:
        """The shares of the components in the variance, from the measured variances; None: they are not measured but given."""
        return None

    def generator(self) -> torch.Generator:
        """What is drawn in a pass over the images, the same in every pass."""
        return torch.Generator().manual_seed(0)


class ResponseStructure(Structure):
    """Directions that share a known part with the layer's responses.

        U = P (√a V + √(1 - a) W),    WᵀW = I,    VᵀW = 0

    V are the leading eigenvectors of the covariance of the responses, and Vᵀ P⁻¹U = √a I: whatever the covariance of z, the part a of the noise
    variance lies in span V where P is the identity.

    alignment
        a in [0, 1]
    complement
        (unit, component), from which W is made by taking V out of it; None where a is 1
    order
        the permutation P of the units, (unit,), or None
    """

    complement: Tensor | None
    order: Tensor | None

    def __init__(self, alignment: float, complement: Tensor | None, order: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("alignment", torch.tensor(float(alignment)))
        self.register_buffer("complement", complement)
        self.register_buffer("order", order)

    def passed(self, images: Tensor, activity: Callable[[Tensor], Tensor], generator: torch.Generator) -> Tensor:
        return activity(images)

    def directions(self, leading: Tensor) -> Tensor:
        found = leading
        if self.complement is not None:
            v, rest = in_double(leading), in_double(self.complement)
            # Twice is enough to be orthogonal to rounding (Giraud & Langou 2003).
            for _ in range(2):
                rest = torch.linalg.qr(rest - v @ (v.T @ rest))[0]
            a = float(self.alignment)
            found = (math.sqrt(a) * v + math.sqrt(1 - a) * rest).to(leading)
        return found if self.order is None else found[self.order]

    def record(self) -> dict[str, Any]:
        return {"kind": "responses"}


class ModificationStructure(Structure):
    """The leading directions, and the variances along them, of h(m(x)) - h(x): what a natural modification m of the images does to the layer."""

    seed: Tensor

    def __init__(self, modification: Modification, strength: float, seed: int) -> None:
        super().__init__()
        self.modification, self.strength = modification, strength
        self.register_buffer("seed", torch.tensor(seed, dtype=torch.int64))

    def passed(self, images: Tensor, activity: Callable[[Tensor], Tensor], generator: torch.Generator) -> Tensor:
        return activity(modified(images, self.modification, self.strength, generator)) - activity(images)

    def directions(self, leading: Tensor) -> Tensor:
        return leading

    def shares(self, variances: Tensor) -> Tensor:
        total = variances.sum()
        # Where a modification changes nothing, as in a silent layer, no direction is better than another.
        return torch.where(total > 0, variances / total, 1 / len(variances))

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(int(self.seed))

    def record(self) -> dict[str, Any]:
        return {"kind": "modification", "modification": self.modification, "strength": self.strength}


def structure_of(record: Mapping[str, Any] | None, buffers: Mapping[str, Tensor]) -> Structure | None:
    """The structure that a `Structure.record` and the buffers named ``structure.…`` describe."""
    if record is None:
        return None
    own = {name.removeprefix("structure."): value for name, value in buffers.items() if name.startswith("structure.")}
    if record["kind"] == "responses":
        return ResponseStructure(float(own["alignment"]), own.get("complement"), own.get("order"))
    return ModificationStructure(record["modification"], record["strength"], int(own["seed"]))
