"""A fixed bank of Gabor filters: the front end of networks that begin like the primary visual cortex."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from yuragi.errors import InputError
from yuragi.models.front_ends.base import FRONT_END, FrontEnd

if TYPE_CHECKING:
    import torch

BOTTLENECK = "bottleneck"
"""The name of the layer that mixes the cells down, where there is one."""

Frequency = Annotated[float, Field(gt=0, lt=0.5)]


class Gabor(FrontEnd):
    """Simple and complex cells with fixed Gabor filters, VOneNet-like, then a trainable bottleneck if one is asked for.

        w_ψ(p) ∝ exp(−|p|² / 2σ²) [cos(2π f u·p + ψ) − c],    u = (cos θ, sin θ),    σ = b / f,    Σ_p w_ψ(p) = 0
        simple:  y = k max(0, w_ψ ∗ x)
        complex: y = k √((w_0 ∗ x)² + (w_π/2 ∗ x)²)

    After Dapello et al. 2020 (NeurIPS, VOneNet), with simpler distributions than their empirical ones, so it is like theirs and not theirs: θ
    uniform on [0, π), f log-uniform between the two ``frequencies``, ψ uniform on [0, 2π), all independent, and a round envelope whose width
    is proportional to the wavelength 1/f. Each cell sees one channel of the image, drawn uniformly. c takes away the response to uniform images. A
    filter is scaled so that the grating of its own f and θ with amplitude 1 drives it at 1 at most; so neither cells nor frequencies differ in
    their gain. Images are continued by reflection at their edges.

    The cells are the layer ``front_end`` and never learn: their kernels are saved with the network and have no gradient. Their stochasticity is not
    in them; a noise plug-in acts after the layer ``front_end``, before the bottleneck. The level of `yuragi.noise.NeuronalNoise` is that for the gain
    of the source, k = 25. The bottleneck is the layer ``bottleneck``, a 1 x 1 convolution whose first weights come from the generator and which is
    trained.

    Where an image is uniform every cell is at 0, where its response has a kink and its gradient is 0: attack such networks from random starts.

    >>> import torch
    >>> from yuragi.models import CNN
    >>> front_end = Gabor(n_simple=24, n_complex=8, bottleneck=16)
    >>> network = CNN(front_end=front_end).build((1, 28, 28), 10, torch.Generator().manual_seed(0))
    >>> network.layer_names[:3], network.width("front_end"), network.width("bottleneck")
    (('front_end', 'bottleneck', 'conv1'), 6272, 3136)
    """

    kind: Literal["gabor"] = "gabor"
    n_simple: int = Field(64, ge=0, description="Channels of simple cells, half-rectified.")
    n_complex: int = Field(64, ge=0, description="Channels of complex cells, the root of the energy of two filters in quadrature.")
    size: int = Field(17, ge=3, description="Height and width of the kernels in pixels, odd; room for 2 σ of the widest filter on either side.")
    stride: int = Field(2, ge=1, description="Distance between the positions at which the filters act, in pixels.")
    frequencies: tuple[Frequency, Frequency] = Field(
        (0.1, 0.3), description="Lowest and highest spatial frequency f, in cycles per pixel; above about 0.3 the pixel grid distorts filters."
    )
    envelope: float = Field(0.4, gt=0, description="b = σ f: the width of the envelope in wavelengths; 0.4 is a bandwidth of about 1.5 octaves.")
    gain: float = Field(1.0, gt=0, description="k, what every response is multiplied by.")
    bottleneck: int | None = Field(
        None, ge=1, description="Channels of the trainable 1 x 1 convolution `bottleneck` after the cells; null leaves it out."
    )

    @field_validator("size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError(f"{size} is even, and only an odd kernel has a centre; give {size - 1} or {size + 1}")
        return size

    @model_validator(mode="after")
    def _fits(self) -> Gabor:
        low, high = self.frequencies
        if low > high:
            raise ValueError(f"frequencies = {list(self.frequencies)}: the lowest comes first; give [{high}, {low}]")
        if self.n_simple + self.n_complex == 0:
            raise ValueError("n_simple = 0, n_complex = 0: no cell is left; give one of them 1 or more")
        # Less than a hair above a whole number is rounding of the division.
        needed = 2 * math.ceil(2 * self.envelope / low - 1e-9) + 1
        if self.size < needed:
            raise ValueError(
                f"size = {self.size}: the filter of {low} cycles per pixel has σ = {self.envelope / low:.3g} pixels and needs size {needed}; "
                "raise size or the lowest of frequencies"
            )
        return self

    def names(self) -> tuple[str, ...]:
        return (FRONT_END,) if self.bottleneck is None else (FRONT_END, BOTTLENECK)

    def output_shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """A channel a cell, or those of the bottleneck, at every ``stride``-th position; the images must be larger than half the kernel."""
        _, height, width = image_shape
        if min(height, width) <= self.size // 2:
            raise InputError(
                f"front_end.size = {self.size}: images of {height} x {width} pixels are too small for it; lower it and raise front_end.frequencies"
            )
        return self.bottleneck or self.n_simple + self.n_complex, (height - 1) // self.stride + 1, (width - 1) // self.stride + 1

    def build(self, image_shape: tuple[int, int, int], generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """The bank, its parameters drawn, and the bottleneck if there is one."""
        import torch

        from yuragi.models._initialise import convolution
        from yuragi.models.front_ends._filters import GaborBank

        self.output_shape(image_shape)
        cells = self.n_simple + self.n_complex
        drawn = torch.rand(4, cells, generator=generator, device=generator.device, dtype=torch.float64).cpu()
        low, high = self.frequencies
        phase = 2 * math.pi * drawn[2]
        phase[self.n_simple :] = 0
        bank = GaborBank(
            low * (high / low) ** drawn[0],
            math.pi * drawn[1],
            phase,
            (image_shape[0] * drawn[3]).long(),
            n_simple=self.n_simple,
            channels=image_shape[0],
            size=self.size,
            stride=self.stride,
            envelope=self.envelope,
            gain=self.gain,
        )
        if self.bottleneck is None:
            return {FRONT_END: bank}
        return {FRONT_END: bank, BOTTLENECK: convolution(cells, self.bottleneck, 1, "none", generator)}
