"""Fit a vector autoregression to spontaneous activity and compare simulations from it with the recording."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Estimation(Settings):
    """How autoregressions are fitted and tested."""

    order: Literal["bic", "held_out"] | PositiveInt = Field(
        "bic", description="order of the autoregression in frames; 'bic' lets the criterion choose, 'held_out' the prediction of held-out blocks"
    )
    max_order: PositiveInt = Field(5, description="largest order that 'bic' and 'held_out' may choose")
    structure: Literal["full", "diagonal", "sparse"] = Field(
        "full", description="coefficients to estimate: all, each unit's own past alone, or those that a lasso leaves"
    )
    components: Literal["auto"] | PositiveInt | None = Field(
        "auto",
        description="leading principal components to model; 'auto': all units unless the frames cannot carry them; null: all units",
    )
    simulations: int = Field(20, ge=2, description="simulated recordings that the measured one is compared with")


class Spec(Estimation):
    seed: int = Field(0, ge=0, description="seed of the simulations")


def run(recording: InputPath, model: OutputPath, comparison: OutputPath, *, spec: Spec) -> None:
    """Write the fitted model as NetCDF and the comparison as a table.

    A fit that is not stationary is written too: it is a finding about the recording. Its comparison has measured values alone, the column
    ``stationary`` says so, and a brain target refuses it.
    """
    import sys

    import numpy as np

    from yuragi.files import read_netcdf, write_netcdf, write_table
    from yuragi.randomness import derive_seed
    from yuragi.spontaneous.statistics import compare
    from yuragi.spontaneous.var import fit_var

    data = read_netcdf(recording, "recording")["recording"]
    fit = fit_var(data, order=spec.order, max_order=spec.max_order, components=spec.components, structure=spec.structure)
    table = compare(data, fit, np.random.default_rng(derive_seed(spec.seed, "simulations")), simulations=spec.simulations)
    stationary = bool(fit.spectral_radius < 1)
    if not stationary:
        print(
            f"warning: {recording}: the autoregression of order {fit.order} has spectral radius {fit.spectral_radius:.4f} and is not stationary, "
            "so nothing is simulated; remove slow drifts from the recording, fit fewer components, or lower the order",
            file=sys.stderr,
        )
    result = fit.to_dataset()
    result.attrs |= {key: value for key, value in data.attrs.items() if key not in result.attrs}
    write_netcdf(result, model)
    write_table(table.assign(stationary=stationary), comparison)
