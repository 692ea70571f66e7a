"""Estimate the covariance spectrum of one set of responses and fit its power law, with an interval over stimuli."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import RankRange, Settings

if TYPE_CHECKING:
    import xarray as xr

    from yuragi.spectra.estimators import Estimate

EstimatorName = Literal["cvpca", "pca", "meme", "meme_broken", "cross_decomposition"]


class Estimation(Settings):
    """How spectra and their exponents are estimated."""

    estimators: tuple[EstimatorName, ...] = Field(
        ("cvpca", "pca"),
        description="estimators of the spectrum: cvpca (whose exponent a brain target takes, so that it is always there), pca (noise left in), "
        "meme (eigenmoments, one power law), meme_broken (two), cross_decomposition (components of other stimuli)",
    )
    ranks: RankRange = Field((11, 500), description="first and last rank of the fit, 1-based and inclusive")
    weights: Literal["inverse_rank", "uniform"] = Field("inverse_rank", description="weights of the fit: 1/rank as published, or all equal")
    negative: Literal["absolute", "drop"] = Field(
        "absolute", description="what a negative cross-validated variance counts as in the fit: its absolute value as published, or nothing"
    )
    shuffles: PositiveInt = Field(10, description="random exchanges of the two repeats that the spectrum is averaged over")
    bootstraps: int = Field(100, ge=10, description="resamplings for the intervals of the exponents")

    @model_validator(mode="after")
    def _cvpca_is_there(self) -> Estimation:
        if "cvpca" not in self.estimators:
            raise ValueError(f"estimators = {list(self.estimators)}: targets and figures take the exponent of cvpca; add it")
        if len(set(self.estimators)) < len(self.estimators):
            raise ValueError(f"estimators = {list(self.estimators)}: one is named twice; remove it")
        return self


class Spec(Estimation):
    seed: int = Field(0, ge=0, description="seed of the exchanges and resamplings")


def run(responses: InputPath, spectra: OutputPath, *, spec: Spec) -> None:
    """The spectrum of each estimator, its exponent and participation ratio, and the ratio of trial-to-trial to stimulus-driven variance."""
    import numpy as np

    from yuragi.files import read_netcdf, write_netcdf
    from yuragi.randomness import derive_seed
    from yuragi.spectra.estimators import estimate
    from yuragi.spectra.variance import variance_ratio

    data = read_netcdf(responses, "responses")["responses"]
    estimates = [
        estimate(
            data,
            name,
            spec.ranks,
            weights=spec.weights,
            negative=spec.negative,
            shuffles=spec.shuffles,
            bootstraps=spec.bootstraps,
            # A source of its own for each, so that one more estimator leaves the others as they were.
            generator=np.random.default_rng(derive_seed(spec.seed, "exchanges" if name == "cvpca" else name)),
        )
        for name in spec.estimators
    ]
    low, high = _ratio_interval(data)
    result = _dataset(estimates).assign(variance_ratio=variance_ratio(data), variance_ratio_low=low, variance_ratio_high=high)
    result.attrs = {
        "first_rank": spec.ranks[0],
        "last_rank": spec.ranks[1],
        **data.attrs,
        **dict(zip(("repeats", "stimuli", "units"), data.shape, strict=True)),
    }
    write_netcdf(result, spectra)


def _ratio_interval(data: xr.DataArray) -> tuple[float, float]:
    """The interval of the variance ratio over stimuli; NaN where the stimulus-driven variance is not above zero without some of them."""
    from yuragi.errors import InputError
    from yuragi.spectra.variance_interval import variance_ratio_interval

    try:
        return variance_ratio_interval(data)
    except InputError:
        return float("nan"), float("nan")


def _dataset(estimates: list[Estimate]) -> xr.Dataset:
    """The estimates side by side over `estimator`; what one of them does not have is NaN."""
    import numpy as np
    import xarray as xr

    names = [found.estimator for found in estimates]
    result = xr.concat([found.spectrum for found in estimates], dim=xr.Variable("estimator", names), join="outer", combine_attrs="drop")
    result = result.to_dataset(name="spectrum")

    def column(values: list[float | int | None]) -> tuple[str, list[float | int]]:
        return ("estimator", [np.nan if value is None else value for value in values])

    intervals = [found.alpha_interval or (np.nan, np.nan) for found in estimates]
    return result.assign(
        alpha=column([found.alpha for found in estimates]),
        alpha_low=column([low for low, _ in intervals]),
        alpha_high=column([high for _, high in intervals]),
        intercept=column([found.fit.intercept for found in estimates]),
        r_squared=column([found.fit.r_squared for found in estimates]),
        negative_ranks=column([found.fit.negative_ranks for found in estimates]),
        participation_ratio=column([found.participation_ratio for found in estimates]),
        alpha_unweighted=column([found.alpha_unweighted for found in estimates]),
        alpha_windowed=column([found.alpha_windowed for found in estimates]),
        alpha_head=column([found.alpha_head for found in estimates]),
        break_rank=column([found.break_rank for found in estimates]),
    )
