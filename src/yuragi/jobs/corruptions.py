"""Put the networks of one experiment that saw corrupted images into tables: accuracy with intervals, and every arm against the plain one."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Spec(Settings):
    resamples: PositiveInt = Field(4000, description="bootstrap resamples of seeds and images")
    seed: int = Field(0, ge=0, description="seed of the resamples")


def run(table: OutputPath, differences: OutputPath, results: list[InputPath], *, spec: Spec) -> None:
    """Write both tables; the results' files are named ``<arm>-seed<seed>``. Differences need an arm ``plain`` and another."""
    import numpy as np
    import pandas as pd

    from yuragi.files import write_table
    from yuragi.jobs.results import evaluated_networks
    from yuragi.randomness import derive_seed
    from yuragi.robustness.corruptions import corruption_differences, summarise_corruptions

    networks = evaluated_networks(results)

    def generator(purpose: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(spec.seed, purpose))

    write_table(summarise_corruptions(networks, generator("intervals"), resamples=spec.resamples), table)
    if len({str(network["arm"].item()) for network in networks}) == 1:
        write_table(pd.DataFrame(columns=["arm", "corruption", "difference"]), differences)
        return
    write_table(corruption_differences(networks, generator("differences"), resamples=spec.resamples), differences)
