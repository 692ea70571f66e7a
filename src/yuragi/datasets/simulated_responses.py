"""Responses with a planted power law."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset
from yuragi.datasets.simulation import NoiseShape, power_law_responses

np = lazy.load("numpy")
xr = lazy.load("xarray")


class SimulatedResponsesData(Dataset):
    """Gaussian responses with a planted exponent and planted noise, to test what an estimator recovers.

    See `yuragi.datasets.simulation.power_law_responses`.
    """

    kind: Literal["simulated_responses"] = "simulated_responses"
    stimuli: int = Field(1000, ge=2, description="number of stimuli")
    units: int = Field(200, ge=2, description="number of units")
    repeats: int = Field(2, ge=1, description="presentations of each stimulus")
    alpha: float = Field(1.0, ge=0, description="exponent of the signal's covariance spectrum")
    noise: NoiseShape = Field(
        "white", description="covariance of the noise: none, white, signal (the same as the signal's), or half (between: half of its exponent)"
    )
    noise_to_signal: float = Field(1.0, ge=0, description="variance of the noise over that of the signal, each summed over units")
    seed: int = Field(0, ge=0, description="seed of the simulation")

    contents: ClassVar = "responses"
    licence: ClassVar = "none needed (computed)"
    citation: ClassVar = "computed by yuragi"
    home: ClassVar = "yuragi.datasets.simulation"

    def sizes(self) -> dict[str, int]:
        return {"repeats": self.repeats, "stimuli": self.stimuli, "units": self.units}

    def sha256(self, paths: Mapping[str, Path] | None = None) -> str:
        return "none (computed)"

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        truth = power_law_responses(
            stimuli=self.stimuli,
            units=self.units,
            repeats=self.repeats,
            alpha=self.alpha,
            noise=self.noise,
            noise_to_signal=self.noise_to_signal,
            generator=np.random.default_rng(self.seed),
        )
        planted = {
            "truth_alpha": self.alpha,
            "truth_noise": self.noise,
            "truth_noise_to_signal": self.noise_to_signal if self.noise != "none" else 0.0,
        }
        return labelled.responses(truth.responses, units="standard deviations of the average unit's signal", attributes=self.provenance() | planted)
