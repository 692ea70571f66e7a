"""Put the adaptivity grids of one experiment into tables: defended fractions with intervals over seeds and images, and tests of the claims."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Spec(Settings):
    resamples: PositiveInt = Field(4000, description="bootstrap resamples of seeds and images")
    seed: int = Field(0, ge=0, description="seed of the resamples")


def run(table: OutputPath, claims: OutputPath, results: list[InputPath], *, spec: Spec) -> None:
    """Write both tables; the results' files are named ``<arm>-seed<seed>`` and are of one arm."""
    import numpy as np

    from yuragi.files import read_netcdf, write_table
    from yuragi.jobs.results import arm_and_seed
    from yuragi.randomness import derive_seed
    from yuragi.robustness.adaptivity_summary import grid_claims, summarise_grid

    networks = [read_netcdf(path, "majority_correct").assign_coords(seed=arm_and_seed(path)[1]) for path in results]

    def generator(purpose: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(spec.seed, purpose))

    write_table(summarise_grid(networks, generator("intervals"), resamples=spec.resamples), table)
    write_table(grid_claims(networks, generator("claims"), resamples=spec.resamples), claims)
