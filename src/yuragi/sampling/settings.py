"""Settings of networks that learn by sampling: read by the configuration, so that nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from yuragi.errors import InputError
from yuragi.settings import Settings

if TYPE_CHECKING:
    from yuragi.sampling.images import BinaryImages
    from yuragi.sampling.model import SamplingSettings

Signs = Literal["free", "presynaptic", "random"]
Rule = Literal["outputs", "one_hot"]
# Far beyond any use, and far below where a drive overflows.
Positive = Annotated[float, Field(gt=0, le=1e6)]


class BinaryImagesSettings(Settings):
    """Which images, and when a pixel is a 1."""

    threshold: float = Field(0.5, ge=0, lt=1, description="θ: a pixel x in [0, 1] becomes the bit x > θ")
    train_images: PositiveInt = Field(1000, description="images that are learned, the first of the set's training images")
    validation_images: PositiveInt = Field(200, description="images that settings are chosen on, the training images after those")
    test_images: PositiveInt = Field(500, description="test images, the first ones in the set's order")


class Learning(Settings):
    """What a sweep draws. As it stands, the exact posterior; whatever else is chosen is another rule, and has to be called so.

    >>> Learning().exact, Learning(temper=5).exact
    (True, False)
    """

    plastic: Literal["all", "outputs"] = Field(
        "all", description="Synapses that are drawn: `all`, or those of layer L alone (`outputs`), while all others stay what the prior drew."
    )
    feedback: bool = Field(
        True,
        description="Whether units feel their targets (the retrograde term). false: hidden units are driven from below alone.",
    )
    temper: float = Field(1.0, gt=0, description="β, power of the likelihood of layer L: 1 is the exact posterior, another value a tempered one.")

    @property
    def exact(self) -> bool:
        """Whether samples are draws from the posterior of all synapses."""
        return self == EXACT


EXACT = Learning()

ARMS: dict[str, Learning] = {
    "sampled": EXACT,
    "fixed_hidden": Learning(plastic="outputs"),
    "random_features": Learning(plastic="outputs", feedback=False),
}
"""The exact posterior, and two controls whose hidden synapses stay what the prior drew: hidden units that feel the labels, and such that do not."""


class NetworkSettings(Settings):
    """The network between the pixels and the classes."""

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field((100,), description="units of the layers between pixels and classes; [] for none")
    synapses: int = Field(8, ge=1, le=255, description="K: binary synapses of a connection")
    prior: float = Field(0.5, gt=0, lt=1, description="p: prior probability that a synapse is on")
    signs: Signs = Field("free", description="`free`: weights of both signs; `presynaptic`: a unit excites or inhibits; `random`: a connection does")
    excitatory: float = Field(0.5, ge=0, le=1, description="probability that a fixed sign is +")
    drive: Positive | tuple[Positive, ...] = Field(
        8.0, description="root mean square of the drive under the prior where half of the sources are 1: for all layers, or for each above the pixels"
    )
    copies: int = Field(1, ge=1, description="output units of each class; above 1 outputs are copied, and the labels count so many times")

    def sized(self, data: BinaryImages) -> SamplingSettings:
        """The network for these images. Errors: `InputError` where the drives do not fit the layers."""
        from yuragi.sampling.model import SamplingSettings

        layers = (data.pixels, *self.hidden, self.copies * data.classes)
        if isinstance(self.drive, tuple) and len(self.drive) != len(layers) - 1:
            raise InputError(f"drive = {list(self.drive)}: {len(layers) - 1} layers lie above the pixels; give so many numbers, or one for all")
        return SamplingSettings(layers=layers, **self.model_dump(exclude={"hidden"}))


class Chain(Settings):
    """How long a network fluctuates, and which of its states are kept."""

    sweeps: PositiveInt = Field(1000, description="draws of all synapses, burn-in included")
    burn_in: int = Field(500, ge=0, description="sweeps at the start of which nothing is used")
    every: PositiveInt = Field(10, description="one state of the synapses is kept in so many sweeps")
    unit_sweeps: PositiveInt = Field(1, description="draws of all units for every draw of all synapses")
    draws: PositiveInt = Field(4, description="hidden states drawn for every kept state of the synapses where images are classified")
    rule: Rule = Field("one_hot", description="`one_hot`: the probability of a class's whole code; `outputs`: each output unit's own, normalised")

    @model_validator(mode="after")
    def _keeps_samples(self) -> Self:
        if self.burn_in + 4 * self.every > self.sweeps:
            raise ValueError(f"sweeps = {self.sweeps}, burn_in = {self.burn_in}, every = {self.every}: fewer than four states are kept; raise sweeps")
        return self
