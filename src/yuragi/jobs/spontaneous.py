"""Fit a vector autoregression to spontaneous activity and compare simulations from it with the recording."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Estimation(Settings):
    """How autoregressions are fitted and tested."""

    order: Literal["bic"] | PositiveInt = Field("bic", description="order of the autoregression in frames, or 'bic' to let the criterion choose")
    max_order: PositiveInt = Field(5, description="largest order that the criterion may choose")
    components: Literal["auto"] | PositiveInt | None = Field(
        "auto",
        description="leading principal components to model; 'auto': all units unless the frames cannot carry them; null: all units",
    )
    simulations: int = Field(20, ge=2, description="simulated recordings that the measured one is compared with")


class Spec(Estimation):
    seed: int = Field(0, ge=0, description="seed of the simulations")


def run(recording: InputPath, model: OutputPath, comparison: OutputPath, *, spec: Spec) -> None:
    """Write the fitted model as NetCDF and the comparison as a table."""
    import numpy as np

    from yuragi.files import read_netcdf, write_netcdf, write_table
    from yuragi.randomness import derive_seed
    from yuragi.spontaneous.statistics import compare
    from yuragi.spontaneous.var import fit_var

    data = read_netcdf(recording, "recording")["recording"]
    fit = fit_var(data, order=spec.order, max_order=spec.max_order, components=spec.components)
    table = compare(data, fit, np.random.default_rng(derive_seed(spec.seed, "simulations")), simulations=spec.simulations)
    result = fit.to_dataset()
    result.attrs |= {key: value for key, value in data.attrs.items() if key not in result.attrs}
    write_netcdf(result, model)
    write_table(table, comparison)
