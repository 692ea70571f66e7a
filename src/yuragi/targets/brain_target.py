"""What a network is asked to share with the brain."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import lazy_loader as lazy
import numpy as np

from yuragi.errors import InputError, unknown
from yuragi.files import read_netcdf, write_netcdf
from yuragi.targets.file import PARTS, Contents, contents_of, dataset_of
from yuragi.targets.similarity import StimulusSimilarity
from yuragi.targets.spontaneous_model import Intervals, SpontaneousModel
from yuragi.targets.stage import Stage, named_stage

xr = lazy.load("xarray")


@runtime_checkable
class SpectrumFit(Protocol):
    """What a fitted power law must tell: α, its interval or None, the ranks of the fit (1-based, inclusive) and R²."""

    alpha: float
    alpha_interval: tuple[float, float] | None
    ranks: tuple[int, int]
    r_squared: float


@runtime_checkable
class Autoregression(Protocol):
    """What a fitted autoregression must tell: A (lag, variable, other), Q (variable, other) and the seconds between frames."""

    coefficients: Any
    noise_covariance: Any
    sampling_interval: float


@dataclass(frozen=True, eq=False)
class BrainTarget:
    """What a network is asked to share with the brain: spectral exponents of stages, a model of spontaneous activity, similarities of stimuli.

    stages
        name of a stage → `Stage`, in the order of the hierarchy
    spontaneous
        the `SpontaneousModel`, or None
    variance_ratio
        variance of ongoing activity over stimulus-driven variance, both summed over units, or None where it is unknown. Where it comes from
        repeats of stimuli, ongoing activity is measured as trial-to-trial variability
    provenance
        name of a stage, "spontaneous", "variance_ratio" or "similarity" → where its numbers come from
    variance_ratio_interval
        (low, high) of the variance ratio, or None where it is unknown
    similarity
        stimuli and the `StimulusSimilarity` of the responses to them, or None
    alignment
        fraction of spontaneous variance along the leading directions of responses, beside that along its own, from 0 to 1, or None where unknown

    >>> target = BrainTarget({"V1": Stage(1.04, (0.98, 1.10)), "V4": Stage(0.9)})
    >>> target.alpha("V1")
    1.04
    >>> target.alpha("V2")
    Traceback (most recent call last):
    yuragi.errors.InputError: stage 'V2' does not exist; Known: V1, V4
    """

    stages: Mapping[str, Stage] = field(default_factory=dict)
    spontaneous: SpontaneousModel | None = None
    variance_ratio: float | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    variance_ratio_interval: tuple[float, float] | None = None
    similarity: StimulusSimilarity | None = None
    alignment: float | None = None

    def __post_init__(self) -> None:
        if not self.stages and self.spontaneous is None and self.similarity is None:
            raise InputError("a target needs at least one stage with its alpha, or a spontaneous model, or similarities of stimuli")
        for part in PARTS:
            if part in self.stages:
                raise InputError(f"stage '{part}' has the name of another part of the target; rename the stage")
        if self.variance_ratio is not None and not (math.isfinite(self.variance_ratio) and self.variance_ratio > 0):
            raise InputError(f"variance_ratio is {self.variance_ratio:g}; give a finite number above 0, or leave it out")
        if self.variance_ratio_interval is not None and not 0 <= self.variance_ratio_interval[0] <= self.variance_ratio_interval[1]:
            raise InputError(f"variance_ratio_interval is {self.variance_ratio_interval}; give (low, high) from 0 up, or leave it out")
        if self.alignment is not None and not 0 <= self.alignment <= 1:
            raise InputError(f"alignment is {self.alignment:g}; give a number from 0 to 1, or leave it out")
        for name in self.provenance:
            if name not in (*self.stages, *PARTS):
                raise unknown("provenance of", name, (*self.stages, *PARTS))

    @classmethod
    def from_fits(
        cls,
        spectra: Mapping[str, SpectrumFit],
        spontaneous: Autoregression | None = None,
        variance_ratio: float | None = None,
        provenance: Mapping[str, str] | None = None,
        *,
        spontaneous_intervals: Intervals | None = None,
        variance_ratio_interval: tuple[float, float] | None = None,
        similarity: StimulusSimilarity | None = None,
        alignment: float | None = None,
    ) -> BrainTarget:
        """A target from fitted power laws and a fitted autoregression.

        Exponents are taken over as they are. The autoregression y_t = c + Σ_l A_l y_{t-l} + e_t, cov(e) = Q, loses its mean and its scale and is
        rotated into the principal components of its stationary covariance S = U diag(λ) U':

            z_t = U' (y_t - μ) / √tr S,    A'_l = U' A_l U,    Q' = U' Q U / tr S,    λ' = λ / tr S

        so that the total variance of z is 1; only ``variance_ratio`` says how strong it is.

        spectra
            name of a stage → its fit, in the order of the hierarchy: `yuragi.spectra.PowerLawFit`, `yuragi.spectra.EigenmomentFit`, or anything with
            α (`alpha`), its interval (low, high) or None (`alpha_interval`), the first and last rank (`ranks`, 1-based, inclusive) and R²
            (`r_squared`, NaN where there is none); none has a unit
        spontaneous
            `yuragi.spontaneous.VARFit`, or anything with A (`coefficients`: lag, variable, other variable), Q (`noise_covariance`: variable, other
            variable, in activity squared) and the seconds between frames or NaN (`sampling_interval`). None: a target of spectra alone
        variance_ratio
            ρ, variance of ongoing activity over stimulus-driven variance, each summed over units; above 0 and without unit.
            `yuragi.spectra.variance_ratio` measures it as trial-to-trial variability. None: unknown
        provenance
            name of a stage, "spontaneous", "variance_ratio" or "similarity" → where its numbers come from, in words
        spontaneous_intervals
            of λ' and of the spectral radius: `yuragi.spontaneous.model_intervals` of the fit. None: unknown
        variance_ratio_interval
            (low, high) of ρ: `yuragi.spectra.variance_ratio_interval`. None: unknown
        similarity
            stimuli and the similarities of the responses to them, taken over as they are. None: unknown
        alignment
            a, spontaneous variance along the leading directions of responses over that along its own: `yuragi.spontaneous.response_alignment`. None:
            unknown

        Raises `InputError` for a target without any content, an exponent or a variance ratio that is not above 0, an autoregression that is not
        stationary (spectral radius of 1 or more), and provenance of something that the target does not have.

        Source: the stationary covariance of an autoregression as in Lütkepohl 2005, New Introduction to Multiple Time Series Analysis, §2.1; its
        scale and basis are this package's convention.

        >>> from yuragi.spectra import fit_power_law
        >>> from yuragi.spontaneous import fit_var
        >>> recording = xr.DataArray(np.random.default_rng(0).standard_normal((500, 3)), dims=("time", "unit"))
        >>> fit = fit_power_law(np.arange(1, 101) ** -1.2, ranks=(11, 100))
        >>> target = BrainTarget.from_fits({"V1": fit}, fit_var(recording, order=1), variance_ratio=0.4, provenance={"variance_ratio": "a guess"})
        >>> round(target.alpha("V1"), 6), target.spontaneous.n_components, round(float(target.spontaneous.eigenvalues.sum()), 6)
        (1.2, 3, 1.0)
        """
        stages = {}
        for name, fit in spectra.items():
            interval = None if fit.alpha_interval is None else (float(fit.alpha_interval[0]), float(fit.alpha_interval[1]))
            r_squared = float(fit.r_squared)
            ranks = (int(fit.ranks[0]), int(fit.ranks[1]))
            stages[name] = named_stage(name, float(fit.alpha), interval, ranks, None if math.isnan(r_squared) else r_squared)
        model = None
        if spontaneous is not None:
            model = SpontaneousModel.from_autoregression(
                np.asarray(spontaneous.coefficients),
                np.asarray(spontaneous.noise_covariance),
                float(spontaneous.sampling_interval),
                spontaneous_intervals,
            )
        return cls(stages, model, variance_ratio, dict(provenance or {}), variance_ratio_interval, similarity, alignment)

    def alpha(self, stage: str) -> float:
        """α of a stage; an `InputError` lists the stages that exist."""
        return self._stage(stage).alpha

    def alpha_interval(self, stage: str) -> tuple[float, float] | None:
        """The interval (low, high) of α of a stage, or None where it is unknown."""
        return self._stage(stage).alpha_interval

    def _stage(self, stage: str) -> Stage:
        if stage not in self.stages:
            raise unknown("stage", stage, self.stages)
        return self.stages[stage]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the target as NetCDF: whole or not at all, the same bytes for the same target."""
        write_netcdf(self.to_dataset(), path)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> BrainTarget:
        """Read a target, computed or written by hand; an `InputError` names the file, what is wrong with it and the remedy."""
        data = read_netcdf(path)
        try:
            return cls.from_dataset(data)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def to_dataset(self) -> xr.Dataset:
        """The target as a dataset whose variables explain themselves."""
        return dataset_of(Contents(**{name: getattr(self, name) for name in Contents._fields}))

    @classmethod
    def from_dataset(cls, data: xr.Dataset) -> BrainTarget:
        """The target that a dataset holds; ``alpha``, or the arrays of the spontaneous model or of the similarity, are enough."""
        return cls(**contents_of(data)._asdict())

    def __repr__(self) -> str:
        stages = ", ".join(f"{name} {stage.alpha:.2f}" for name, stage in self.stages.items())
        parts = [f"alpha: {stages}" if stages else "", repr(self.spontaneous) if self.spontaneous else ""]
        parts.append("" if self.variance_ratio is None else f"variance ratio {self.variance_ratio:.3g}")
        parts.append("" if self.similarity is None else f"similarity of {self.similarity.n_stimuli} stimuli")
        return f"BrainTarget({'; '.join(part for part in parts if part)})"

    def show(self) -> str:
        """The target for a person to read, as ``yuragi show target.nc`` prints it."""
        lines = ["Brain target"]
        if self.stages:
            width = max(map(len, self.stages))
            lines += ["", "Covariance spectra, variance at rank n ∝ n^-alpha:"]
            for name, stage in self.stages.items():
                text = f"  {name:<{width}}  alpha {stage.alpha:.3f}"
                text += " (no interval)" if stage.alpha_interval is None else " ({:.3f} to {:.3f})".format(*stage.alpha_interval)
                text += "" if stage.ranks is None else ", ranks {} to {}".format(*stage.ranks)
                text += "" if stage.r_squared is None else f", R² {stage.r_squared:.3f}"
                lines += [text] + ([f"  {'':<{width}}  from {self.provenance[name]}"] if self.provenance.get(name) else [])
        if self.spontaneous is not None:
            lines += ["", "Spontaneous activity:", *(f"  {line}" for line in self.spontaneous.show())]
            if self.provenance.get("spontaneous"):
                lines.append(f"  from {self.provenance['spontaneous']}")
        ratio = "unknown" if self.variance_ratio is None else f"{self.variance_ratio:.3g}"
        if self.variance_ratio_interval is not None:
            ratio += " ({:.3g} to {:.3g})".format(*self.variance_ratio_interval)
        lines += ["", f"Variance ratio, ongoing (from repeats: trial-to-trial) / stimulus-driven: {ratio}"]
        if self.provenance.get("variance_ratio"):
            lines.append(f"  from {self.provenance['variance_ratio']}")
        if self.alignment is not None:
            lines += ["", f"Alignment of spontaneous activity with responses: {self.alignment:.3g}"]
        if self.similarity is not None:
            lines += ["", "Similarity of responses:", *(f"  {line}" for line in self.similarity.show())]
            if self.provenance.get("similarity"):
                lines.append(f"  from {self.provenance['similarity']}")
        return "\n".join(lines)
