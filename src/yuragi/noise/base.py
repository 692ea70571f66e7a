"""What every noise has in common: where it enters, how large it is and how many time steps a draw has."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from yuragi.errors import InputError
from yuragi.plugins import Plugin

if TYPE_CHECKING:
    import torch

    from yuragi.noise.layer import SpontaneousNoise
    from yuragi.targets import BrainTarget


Scaling = Annotated[
    Literal["additive", "poisson"],
    Field(
        description="`additive`: the same noise whatever the activity. `poisson`: a unit's noise variance is proportional to its activity |x|; "
        "the mean over images and the sum over units are those of additive noise."
    ),
]


class Noise(Plugin):
    """Noise that is added to the activity of one layer of a network, after its nonlinearity, in training and in evaluation alike."""

    layer: str = Field("hidden1", min_length=1, description="The layer after which the noise is added; `input` adds it to the pixels, unclipped.")
    relative_variance: Literal["target"] | Annotated[float, Field(gt=0)] = Field(
        "target",
        description="ρ: noise variance over stimulus-driven variance of the layer, both summed over units. `target` takes the brain's own ratio.",
    )
    steps: int = Field(1, ge=1, description="T: time steps of a draw, over which logits are averaged. One is the target's sampling interval.")
    rectified: bool = Field(False, description="Whether activity below 0 is set to 0 once the noise is added: rates are not negative.")

    @property
    def needs_target(self) -> bool:
        """Whether `build` reads the brain target."""
        return self.relative_variance == "target"

    @property
    def needs_spontaneous(self) -> bool:
        """Whether it reads the target's model of spontaneous activity."""
        return False

    @property
    def needs_alignment(self) -> bool:
        """Whether it reads how far the target's spontaneous activity lies in the directions of its responses."""
        return False

    @abstractmethod
    def build(self, width: int, target: BrainTarget | None, generator: torch.Generator) -> SpontaneousNoise:
        """The stochastic layer for ``width`` units, not yet calibrated.

        width
            units of the layer, flattened per image
        target
            the brain target, or None where `needs_target` is false
        generator
            source of what is random in the layer itself, such as its directions; not of the noise, which is drawn in the forward pass

        Errors: `InputError` when the target lacks what the noise takes from it.
        """

    def _relative_variance(self, target: BrainTarget | None) -> float:
        if self.relative_variance != "target":
            return self.relative_variance
        ratio = self._required(target).variance_ratio
        if ratio is None or not math.isfinite(ratio):
            raise InputError(
                f"noise.relative_variance = 'target': the brain target has variance_ratio {ratio}; "
                "give relative_variance a number, or make the target from recordings of both spontaneous activity and responses"
            )
        return float(ratio)

    def _required(self, target: BrainTarget | None) -> BrainTarget:
        if target is None:
            raise InputError(
                f"noise '{self.kind}' at layer '{self.layer}' needs a brain target and none was given; pass target=BrainTarget.read(path)"
            )
        return target
