"""How often the comparison with a null model rejects it: recordings from that model, and recordings that switch between states."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.jobs.nulls import Description
from yuragi.plugins import any_of
from yuragi.settings import Name
from yuragi.spontaneous.nulls.base import NullModel


class Validation(Description):
    """Recordings of a known process, and the null model that is tested on them."""

    null: any_of("yuragi.spontaneous.nulls", NullModel) = Field(description="the null model that is tested")
    sources: dict[Name, any_of("yuragi.spontaneous.nulls", NullModel)] = Field(
        description="the processes that simulated recordings come from, each fitted to the recording, under names of your own", min_length=1
    )
    simulations: PositiveInt = Field(400, description="simulated recordings of each process: 400 give a rate of 5 % a standard error of 1.1 %")
    surrogates: int = Field(99, ge=19, description="surrogates of each simulated recording")
    components: PositiveInt = Field(20, description="leading principal components of the recording that the processes are fitted to")


class Spec(Validation):
    seed: int = Field(0, ge=0, description="seed of the simulations")


def run(recording: InputPath, rates: OutputPath, *, spec: Spec) -> None:
    """Write a row a process and statistic: how often it lay outside the null model."""
    import numpy as np
    import pandas as pd

    from yuragi.files import read_netcdf, write_table
    from yuragi.randomness import derive_seed
    from yuragi.spontaneous.null_comparison import rejection_rates
    from yuragi.spontaneous.reduction import leading_scores

    data = leading_scores(read_netcdf(recording, "recording")["recording"], spec.components)
    tables = []
    for name, source in spec.sources.items():
        generator = np.random.default_rng(derive_seed(spec.seed, "rejection", name))
        found = rejection_rates(
            source.prepare(data), spec.null, spec.descriptors(), simulations=spec.simulations, surrogates=spec.surrogates, generator=generator
        )
        tables.append(found.assign(source=name))
    write_table(pd.concat(tables, ignore_index=True), rates)
