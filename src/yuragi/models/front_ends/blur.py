"""A Gaussian blur: the control that takes away high spatial frequencies and nothing else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from yuragi.errors import InputError
from yuragi.models.front_ends.base import FrontEnd

if TYPE_CHECKING:
    import torch


class Blur(FrontEnd):
    """A Gaussian blur of every channel: low-pass filtering alone, which is itself a defence.

        y(p) = Σ_q k(q) x(p − q),    k(q) ∝ exp(−|q|² / 2σ²),    Σ_q k(q) = 1

    Images are continued by reflection at their edges.
    """

    kind: Literal["blur"] = "blur"
    sigma: float = Field(1.0, gt=0, description="σ, the standard deviation of the Gaussian, in pixels")

    def output_shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        radius = math.ceil(3 * self.sigma)
        if min(image_shape[1:]) <= radius:
            raise InputError(f"front_end.sigma = {self.sigma}: images of {image_shape[1]} x {image_shape[2]} pixels are too small for it; lower it")
        return image_shape

    def build(self, image_shape: tuple[int, int, int], generator: torch.Generator) -> torch.nn.Module:
        from yuragi.models.front_ends._filters import GaussianBlur

        self.output_shape(image_shape)
        return GaussianBlur(self.sigma, math.ceil(3 * self.sigma))
