"""Estimate the covariance spectrum of one set of responses and fit its power law, with an interval over stimuli."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import RankRange, Settings


class Estimation(Settings):
    """How spectra and their exponents are estimated."""

    ranks: RankRange = Field((11, 500), description="first and last rank of the fit, 1-based and inclusive")
    weights: Literal["inverse_rank", "uniform"] = Field("inverse_rank", description="weights of the fit: 1/rank as published, or all equal")
    negative: Literal["absolute", "drop"] = Field(
        "absolute", description="what a negative cross-validated variance counts as in the fit: its absolute value as published, or nothing"
    )
    shuffles: PositiveInt = Field(10, description="random exchanges of the two repeats that the spectrum is averaged over")
    bootstraps: int = Field(100, ge=10, description="resamplings of the stimuli for the exponent's interval")


class Spec(Estimation):
    seed: int = Field(0, ge=0, description="seed of the exchanges and resamplings")


def run(responses: InputPath, spectra: OutputPath, *, spec: Spec) -> None:
    """Cross-validated and plain spectrum, their exponents, and the ratio of trial-to-trial to stimulus-driven variance."""
    import numpy as np
    import xarray as xr

    from yuragi.files import read_netcdf, write_netcdf
    from yuragi.randomness import derive_seed
    from yuragi.spectra.bootstrap import bootstrap_exponent
    from yuragi.spectra.cvpca import cvpca
    from yuragi.spectra.pca import pca_spectrum
    from yuragi.spectra.power_law import fit_power_law
    from yuragi.spectra.variance import variance_ratio

    data = read_netcdf(responses, "responses")["responses"]
    settings = {"ranks": spec.ranks, "weights": spec.weights, "negative": spec.negative}

    def generator(purpose: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(spec.seed, purpose))

    estimators = {"cvpca": cvpca(data, shuffles=spec.shuffles, generator=generator("exchanges")), "pca": pca_spectrum(data)}
    fits = {name: fit_power_law(spectrum, **settings) for name, spectrum in estimators.items()}
    fits["cvpca"] = bootstrap_exponent(data, fits["cvpca"], bootstraps=spec.bootstraps, generator=generator("resampling"))
    result = xr.concat(list(estimators.values()), dim=xr.Variable("estimator", list(estimators)), join="outer").to_dataset(name="spectrum")
    missing = (float("nan"), float("nan"))
    intervals = [fit.alpha_interval or missing for fit in fits.values()]
    result = result.assign(
        alpha=("estimator", [fit.alpha for fit in fits.values()]),
        alpha_low=("estimator", [low for low, _ in intervals]),
        alpha_high=("estimator", [high for _, high in intervals]),
        intercept=("estimator", [fit.intercept for fit in fits.values()]),
        r_squared=("estimator", [fit.r_squared for fit in fits.values()]),
        negative_ranks=("estimator", [fit.negative_ranks for fit in fits.values()]),
        variance_ratio=variance_ratio(data),
    )
    result.attrs = {
        "first_rank": spec.ranks[0],
        "last_rank": spec.ranks[1],
        **data.attrs,
        **dict(zip(("repeats", "stimuli", "units"), data.shape, strict=True)),
    }
    write_netcdf(result, spectra)
