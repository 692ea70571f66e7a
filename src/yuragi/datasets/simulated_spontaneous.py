"""A recording of spontaneous activity with planted dynamics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset
from yuragi.datasets.simulation import vector_autoregression

np = lazy.load("numpy")
xr = lazy.load("xarray")


class SimulatedSpontaneous(Dataset):
    """A stationary vector autoregression with a planted spatial spectrum, spectral radius and coefficients.

    See `yuragi.datasets.simulation.vector_autoregression`. Beside ``recording`` the dataset holds the truth: ``coefficients`` (lag, unit, source) and
    ``innovation_covariance`` (unit, source).
    """

    kind: Literal["simulated_spontaneous"] = "simulated_spontaneous"
    units: int = Field(30, ge=1, description="number of units")
    frames: int = Field(2000, ge=10, description="number of frames")
    order: int = Field(1, ge=1, le=10, description="lags of the autoregression, in frames")
    spectral_radius: float = Field(0.9, gt=0, lt=1, description="largest modulus of the companion matrix's eigenvalues; nearer 1 is slower")
    alpha: float = Field(1.0, ge=0, description="exponent of the stationary covariance spectrum")
    sampling_interval: float = Field(1.0, gt=0, description="seconds between frames")
    seed: int = Field(0, ge=0, description="seed of the simulation")

    contents: ClassVar = "recording"
    licence: ClassVar = "none needed (computed)"
    citation: ClassVar = "computed by yuragi"
    home: ClassVar = "yuragi.datasets.simulation"

    def sizes(self) -> dict[str, int]:
        return {"frames": self.frames, "units": self.units}

    def sha256(self, paths: Mapping[str, Path] | None = None) -> str:
        return "none (computed)"

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        truth = vector_autoregression(
            units=self.units,
            frames=self.frames,
            order=self.order,
            spectral_radius=self.spectral_radius,
            alpha=self.alpha,
            generator=np.random.default_rng(self.seed),
        )
        planted = {"truth_alpha": self.alpha, "truth_spectral_radius": self.spectral_radius, "truth_order": self.order}
        dataset = labelled.recording(
            truth.recording,
            sampling_interval=self.sampling_interval,
            units="standard deviations of the average unit",
            attributes=self.provenance() | planted,
        )
        return dataset.assign(
            coefficients=(("lag", "unit", "source"), truth.coefficients),
            innovation_covariance=(("unit", "source"), truth.innovation_covariance),
        ).assign_coords(lag=np.arange(1, self.order + 1))
