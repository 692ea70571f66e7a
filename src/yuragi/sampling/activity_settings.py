"""How the networks' own activity is measured: settings alone, so that a configuration is read without numerical libraries."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from yuragi.settings import RankRange, Settings


class VariabilitySettings(Settings):
    """How trial-to-trial variability is measured."""

    stimuli: PositiveInt = Field(50, description="test images that are shown, the first ones")
    trials: int = Field(20, ge=2, description="presentations of every image; at most as many as the posterior has samples")
    before: PositiveInt = Field(40, description="sweeps before the onset")
    after: PositiveInt = Field(40, description="sweeps with the image")
    window: PositiveInt = Field(10, description="sweeps over which ones are counted")
    start: Literal["sampled", "blank"] = Field(
        "sampled", description="before the onset: `sampled`, the input is drawn by the network itself; `blank`, an empty image"
    )


class SpectrumSettings(Settings):
    """How the spectrum of hidden activity is measured."""

    stimuli: PositiveInt = Field(500, description="test images that are shown, the first ones")
    trials: int = Field(10, ge=2, description="presentations of every image; at most as many as the posterior has samples")
    sweeps: PositiveInt = Field(20, description="sweeps over which ones are counted")
    ranks: RankRange = Field((5, 50), description="first and last rank of the fit, the same for all networks")
    shuffles: PositiveInt = Field(5, description="random divisions of the trials that are averaged")
    bootstraps: PositiveInt = Field(50, description="resamplings of the images behind a single network's interval")


class LatentSettings(Settings):
    """A small network that learns the images themselves from latent causes: latent units, hidden units, pixels."""

    latent: PositiveInt = Field(20, description="units of layer 0, the causes")
    hidden: PositiveInt = Field(50, description="units of layer 1")
    synapses: int = Field(8, ge=1, le=255, description="K: binary synapses of a connection")
    drive: PositiveFloat = Field(4.0, description="root mean square of u under the prior; it sets the gains")
    rate: float = Field(0.5, gt=0, lt=1, description="prior probability that a latent unit is 1")
    images: PositiveInt = Field(500, description="training images that are learned, the first ones")
    sweeps: PositiveInt = Field(300, description="draws of all synapses, burn-in included")
    burn_in: int = Field(150, ge=0, description="sweeps at the start of which nothing is used")
    every: PositiveInt = Field(5, description="one state of the synapses is kept in so many sweeps")


class ResemblanceSettings(Settings):
    """How spontaneous and evoked activity are compared."""

    stimuli: PositiveInt = Field(400, description="test images that are shown, the first ones; many of them: half as many draws are compared")
    trials: int = Field(5, ge=2, description="presentations of every image; at most as many as the posterior has samples")
    burn_in: PositiveInt = Field(20, description="sweeps of every presentation before the state is taken that is compared")
    group_size: int = Field(6, ge=1, le=16, description="g, units whose joint patterns are compared; 2^g should be well below half the images")
    groups: PositiveInt = Field(30, description="random groups of units")
    components: PositiveInt = Field(5, description="leading response directions in which spontaneous variance is looked for")
    latent: LatentSettings | None = Field(LatentSettings(), description="a network that learns the images themselves; null leaves it out")
