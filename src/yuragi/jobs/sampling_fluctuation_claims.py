"""How far the accuracy of networks strays from that at the end of learning while they go on fluctuating, over seeds and images."""

from __future__ import annotations

from pydantic import Field, PositiveFloat

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Spec(Settings):
    tolerance: PositiveFloat = Field(0.02, description="deviation of the accuracy that counts as none")
    resamples: int = Field(4000, ge=200, description="bootstrap resamples of seeds and images behind intervals")
    seed: int = Field(0, ge=0, description="seed of the resamples")


def run(claims: OutputPath, results: list[InputPath], *, spec: Spec) -> None:
    """Write a row a way of learning and condition; the results' files are named ``<arm>-seed<seed>.fluctuation.nc``."""
    import numpy as np

    from yuragi.files import write_table
    from yuragi.jobs.results import evaluated_networks
    from yuragi.randomness import derive_seed
    from yuragi.sampling.fluctuation_tables import stability_claims

    found = evaluated_networks(results, "correct")
    generator = np.random.default_rng(derive_seed(spec.seed, "claims"))
    write_table(stability_claims(found, generator, tolerance=spec.tolerance, resamples=spec.resamples), claims)
