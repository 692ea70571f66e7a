"""Networks that learn by sampling in the configuration: what a study is, its files, and the specifications of its jobs."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from yuragi.config.image_sets import ImageSet
from yuragi.jobs import (
    sampling_activity,
    sampling_attack,
    sampling_choose,
    sampling_fluctuation,
    sampling_memory,
    sampling_twin,
)
from yuragi.sampling.settings import ARMS, BinaryImagesSettings, Chain, Learning, NetworkSettings
from yuragi.settings import EachOnce, Name

TWIN = "twin"
RESERVED = (*ARMS, TWIN, "logistic_regression")


class Variant(Learning):
    """A network that does not sample the exact posterior of the labels as they are."""

    copies: int = Field(1, ge=1, description="output units of each class; above 1 the labels count so many times")

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if self.exact_labels:
            raise ValueError("nothing in it differs from the exact posterior, which every study has as 'sampled'; change a key or remove it")
        return self

    @property
    def exact_labels(self) -> bool:
        """Whether it is the exact posterior with one output unit a class."""
        return self.copies == 1 and self.learning.exact

    @property
    def learning(self) -> Learning:
        """What a sweep draws."""
        return Learning(**self.model_dump(include=set(Learning.model_fields)))


class SamplingStudy(BinaryImagesSettings):
    """A network that learns an image set by sampling, beside its controls: every arm with every seed."""

    images: ImageSet = Field(description="the image set and its options")
    network: NetworkSettings = Field(NetworkSettings(), description="the network")
    chain: Chain = Field(Chain(), description="how long it fluctuates, and which of its states are kept")
    controls: Chain | None = Field(
        None, description="how long the arms with fixed hidden synapses fluctuate, which settle sooner, as only output synapses move; null: as chain"
    )
    choice: sampling_choose.Description | None = Field(None, description="drives that are compared on validation images; null: the network's own")
    variants: dict[Name, Variant] = Field(
        {}, description="tempered or copied outputs, under names of your own that say so; beside the exact posterior"
    )
    seeds: EachOnce[Annotated[int, Field(ge=0)]] = Field((0, 1, 2), min_length=1, description="a network of every arm for each seed")
    twin: sampling_twin.Description | None = Field(
        sampling_twin.Description(), description="a network of the same size that is trained by gradients; null leaves it out"
    )
    fluctuation: sampling_fluctuation.Description | None = Field(
        None, description="does what was learned outlast further fluctuation? null leaves it out"
    )
    activity: sampling_activity.Description | None = Field(
        None, description="variability, tuning, spectrum and spontaneous activity of the hidden units; null leaves it out"
    )
    memory: sampling_memory.Description | None = Field(None, description="pictures of labels, recall from parts, uncertainty; null leaves it out")
    robustness: sampling_attack.Description | None = Field(
        None, description="attacks on the network that samples and on its twin; null leaves it out"
    )

    @field_validator("variants")
    @classmethod
    def _have_own_names(cls, variants: dict[str, Variant]) -> dict[str, Variant]:
        for name in variants:
            if name in RESERVED:
                raise ValueError(f"{name}: every study has networks of this name; give this one another")
        return variants

    @model_validator(mode="after")
    def _fits(self) -> Self:
        layers = len(self.network.hidden) + 1
        drives = {"network.drive": self.network.drive}
        drives |= {f"choice.drives.{number}": drive for number, drive in enumerate(self.choice.drives if self.choice else ())}
        for key, drive in drives.items():
            if isinstance(drive, tuple) and len(drive) != layers:
                raise ValueError(f"{key} = {list(drive)}: {layers} layers lie above the pixels; give so many numbers, or one for all")
        if self.network.copies > 1:
            raise ValueError(f"network.copies = {self.network.copies}: copied outputs are named; give them under variants")
        sizes = self.images.sizes()
        for part, key, wanted in (
            ("train", "train_images + validation_images", self.train_images + self.validation_images),
            ("test", "test_images", self.test_images),
        ):
            if wanted > sizes.get(part, wanted):
                raise ValueError(f"{key} = {wanted}: '{self.images.kind}' has {sizes[part]} images in its part '{part}'; lower it to at most that")
        if self.twin is not None and not self.network.hidden:
            raise ValueError("twin: a network without hidden units has none; set twin: null")
        for key in ("fluctuation", "robustness"):
            section = getattr(self, key)
            for name in section.arms if section else ():
                if name not in self.arms:
                    raise ValueError(f"{key}.arms: '{name}' does not exist; known: {', '.join(self.arms)}")
        if self.memory is not None and self.memory.storage.stored > self.train_images:
            stored = self.memory.storage.stored
            raise ValueError(f"memory.storage.stored = {stored}: more than train_images; lower it to at most {self.train_images}")
        if self.robustness is not None and self.twin is None:
            raise ValueError("robustness: attacks are compared with those on the twin; give twin, or leave robustness out")
        return self

    @model_validator(mode="after")
    def _activity_fits(self) -> Self:
        if self.activity is None:
            return self
        if not self.network.hidden:
            raise ValueError("activity: it is that of hidden units; give network.hidden, or leave it out")
        kept, hidden, latent = (self.chain.sweeps - self.chain.burn_in) // self.chain.every, self.network.hidden[0], self.activity.spontaneous.latent
        bounds = []
        for name in ("variability", "spectrum", "spontaneous"):
            section = getattr(self.activity, name)
            bounds.append((f"{name}.stimuli", section.stimuli, self.test_images, "test_images"))
            bounds.append((f"{name}.trials", section.trials, kept, "the states that the chain keeps"))
        spectrum, spontaneous = self.activity.spectrum, self.activity.spontaneous
        bounds.append(("spectrum.ranks", spectrum.ranks[1], min(hidden, spectrum.stimuli - 1), "the hidden units and the stimuli less one"))
        bounds.append(("spontaneous.group_size", spontaneous.group_size, hidden, "the hidden units"))
        if latent is not None:
            bounds.append(("spontaneous.latent.images", latent.images, self.train_images, "train_images"))
        for key, value, most, of in bounds:
            if value > most:
                raise ValueError(f"activity.{key} = {value}: more than {of}; lower it to at most {most}")
        return self

    @property
    def data(self) -> BinaryImagesSettings:
        """Which images, and when a pixel is a 1."""
        return BinaryImagesSettings(**self.model_dump(include=set(BinaryImagesSettings.model_fields)))

    @property
    def arms(self) -> tuple[str, ...]:
        """The names of the networks that sample, the exact posterior first."""
        # Without hidden units there is nothing to fix.
        return (*(ARMS if self.network.hidden else ("sampled",)), *self.variants)
