"""How often recordings of a known process are told from a null model: the size of the comparison where that is true, its power where it is not."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.jobs.nulls import Description
from yuragi.plugins import any_of
from yuragi.spontaneous.nulls.base import NullModel


class Validation(Description):
    """Simulated recordings, and the null model that they are compared with."""

    null_model: any_of("yuragi.spontaneous.nulls", NullModel) = Field(description="the null model that is tested")
    simulations: PositiveInt = Field(400, description="simulated recordings of each process: 400 give a rate of 5 % a standard error of 1.1 %")
    surrogates: int = Field(99, ge=19, description="surrogates of each simulated recording")
    components: PositiveInt = Field(20, description="leading principal components of the recording that the processes are fitted to")


class Spec(Validation):
    source: any_of("yuragi.spontaneous.nulls", NullModel) = Field(description="the process that recordings come from, fitted to the recording")
    seed: int = Field(0, ge=0, description="seed of the simulations")


def run(recording: InputPath, rates: OutputPath, *, spec: Spec) -> None:
    """Write a row a statistic: how often it lay outside the null model."""
    import numpy as np

    from yuragi.files import read_netcdf, write_table
    from yuragi.randomness import derive_seed
    from yuragi.spontaneous.null_comparison import rejection_rates
    from yuragi.spontaneous.reduction import leading_scores

    data = leading_scores(read_netcdf(recording, "recording")["recording"], spec.components)
    generator = np.random.default_rng(derive_seed(spec.seed, "rejection"))
    found = rejection_rates(
        spec.source.prepare(data), spec.null_model, spec.descriptors(), simulations=spec.simulations, surrogates=spec.surrogates, generator=generator
    )
    write_table(found, rates)
