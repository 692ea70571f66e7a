"""A Gaussian blur: the control that takes away high spatial frequencies and nothing else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from yuragi.errors import InputError
from yuragi.models.front_ends.base import FRONT_END, FrontEnd

if TYPE_CHECKING:
    import torch


class Blur(FrontEnd):
    """A Gaussian blur of every channel: low-pass filtering alone, which is itself a defence.

        y(p) = Σ_q k(q) x(p − q),    k(q) ∝ exp(−|q|² / 2σ²) for |q_x|, |q_y| ≤ ⌈3σ⌉,    Σ_q k(q) = 1

    A grating of f cycles per pixel keeps exp(−2π²σ²f²) of its amplitude, up to the truncation and, for σ below 1, the sampling of the Gaussian.
    Images are continued by reflection at their edges. Nothing in it is random or trained. Blurred input as a defence, and so as the control
    that every claim on robustness needs: Li et al. 2023, PLoS Computational Biology 19(3):e1010932.

    >>> import torch
    >>> from yuragi.models import Perceptron
    >>> network = Perceptron(hidden=(20,), front_end=Blur(sigma=1.5)).build((1, 8, 8), 10, torch.Generator().manual_seed(0))
    >>> network.layer_names
    ('front_end', 'hidden1', 'output')
    """

    kind: Literal["blur"] = "blur"
    sigma: float = Field(1.0, gt=0, description="σ, the standard deviation of the Gaussian, in pixels.")

    def output_shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The shape of the images; they must be larger than ⌈3σ⌉ pixels."""
        if min(image_shape[1:]) <= self._radius:
            raise InputError(f"front_end.sigma = {self.sigma}: images of {image_shape[1]} x {image_shape[2]} pixels are too small for it; lower it")
        return image_shape

    def build(self, image_shape: tuple[int, int, int], generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """The blur; nothing in it is random, so that ``generator`` is left as it is."""
        from yuragi.models.front_ends._filters import GaussianBlur

        self.output_shape(image_shape)
        return {FRONT_END: GaussianBlur(self.sigma, self._radius)}

    @property
    def _radius(self) -> int:
        return math.ceil(3 * self.sigma)
