"""Settings of networks that draw pictures and recall them, and how such a network learns; nothing heavy is imported at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import lazy_loader as lazy
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from yuragi.errors import InputError
from yuragi.settings import Settings

if TYPE_CHECKING:
    from yuragi.sampling.images import Part
    from yuragi.sampling.learning import Posterior

np = lazy.load("numpy")

Cue = Annotated[float, Field(gt=0, lt=1)]


class _Drawing(Settings):
    """How a network that draws is built, and for how long it learns."""

    hidden: tuple[PositiveInt, ...] = Field((64,), description="units of the hidden layers")
    synapses: int = Field(8, ge=1, le=255, description="K: binary synapses of a connection")
    drive: PositiveFloat = Field(4.0, description="root mean square of a unit's drive under the prior where half of the sources are 1")
    sweeps: PositiveInt = Field(300, description="sweeps of learning, burn-in included")
    burn_in: int = Field(200, ge=0, description="sweeps of which nothing is kept")
    every: PositiveInt = Field(5, description="one sample is kept in so many sweeps")

    @model_validator(mode="after")
    def _something_is_kept(self) -> _Drawing:
        if self.burn_in + self.every > self.sweeps:
            raise ValueError(f"sweeps = {self.sweeps} keeps no sample after burn_in = {self.burn_in} with every = {self.every}")
        return self

    def _learn(self, causes: int, inputs: np.ndarray | None, bits: np.ndarray, rate: float, generator: np.random.Generator, quiet: bool) -> Posterior:
        from yuragi.sampling.learning import Sampler
        from yuragi.sampling.model import SamplingSettings

        layers = (causes, *self.hidden, bits.shape[1])
        sampler = Sampler(SamplingSettings(layers=layers, synapses=self.synapses, drive=self.drive, rate=rate), generator)
        return sampler.learn(inputs, bits, sweeps=self.sweeps, burn_in=self.burn_in, every=self.every, quiet=quiet)


class GenerativeSettings(_Drawing):
    """A network that learns to draw: the label in layer 0, hidden units, the picture in layer L."""

    def learn(self, part: Part, classes: int, generator: np.random.Generator, *, quiet: bool = False) -> Posterior:
        """The posterior given pictures and their labels."""
        from yuragi.sampling.checks import one_hot

        return self._learn(classes, one_hot(part.labels, classes), part.bits, 1 / classes, generator, quiet)


class StorageSettings(_Drawing):
    """A network that learns a few pictures by heart: causes that nothing tells it in layer 0, hidden units, the picture in layer L."""

    causes: PositiveInt = Field(20, description="units of layer 0, each 1 in half of the cases before data")
    stored: PositiveInt = Field(20, description="pictures to store, the first that are learned")
    repeats: PositiveInt = Field(20, description="how often each of them is observed: one observation says little against the prior")

    def learn(self, part: Part, generator: np.random.Generator, *, quiet: bool = False) -> tuple[Posterior, Part]:
        """The posterior given the first pictures of a part, each observed ``repeats`` times, and those pictures."""
        from yuragi.sampling.images import Part

        if self.stored > len(part.bits):
            raise InputError(f"stored = {self.stored}: there are {len(part.bits)} pictures; lower it to at most that")
        stored = Part(part.bits[: self.stored], part.labels[: self.stored])
        return self._learn(self.causes, None, np.repeat(stored.bits, self.repeats, axis=0), 0.5, generator, quiet), stored
