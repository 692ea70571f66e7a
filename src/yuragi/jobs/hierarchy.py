"""Compare exponents along a hierarchy, and tell which differences survive a control with one true exponent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.jobs.spectra import EstimatorName
from yuragi.settings import Name, RankRange, Settings


class Hierarchy(Settings):
    """Stages of a hierarchy, and the simulations that a difference between two of them must survive."""

    stages: dict[Name, Name] = Field(description="stages in their order: for each, the name of its responses")
    ranks: RankRange | dict[Name, RankRange] | None = Field(
        None, description="first and last rank of the fit, for all stages or for each; null: as in spectra"
    )
    estimator: EstimatorName = Field("cvpca", description="estimator of the exponents, the same for the recordings and for the simulations")
    noises: tuple[Literal["signal", "half", "white"], ...] = Field(
        ("signal", "white"), min_length=1, description="kinds of trial-to-trial noise assumed in turn; the least favourable to a difference counts"
    )
    exponents: tuple[float, ...] | None = Field(
        None, min_length=2, description="common exponents that are tried; null: a grid around those that were observed, as wide as it must be"
    )
    population: PositiveInt | dict[Name, PositiveInt] | None = Field(
        None, description="units that the recorded ones are a random sample of, for all stages or for each; null: all are recorded"
    )
    simulations: int = Field(20, ge=3, description="simulations for each stage, kind of noise and common exponent")
    shuffles: PositiveInt = Field(3, description="random exchanges of the repeats that a spectrum is averaged over, in recordings and simulations")
    bootstraps: int = Field(100, ge=0, description="resamplings for the interval of each observed exponent; 0: none")
    level: float = Field(0.95, gt=0, lt=1, description="coverage of the intervals; a difference survives by chance at most with what it lacks to 1")

    @model_validator(mode="after")
    def _two_stages(self) -> Hierarchy:
        if len(self.stages) < 2:
            raise ValueError(f"stages = {list(self.stages)}: a comparison needs two at least; add one")
        for key in ("ranks", "population"):
            given = getattr(self, key)
            if isinstance(given, dict) and set(given) != set(self.stages):
                raise ValueError(f"{key}: it names {', '.join(given)}, and the stages are {', '.join(self.stages)}; name each of them once")
        return self


class Spec(Hierarchy):
    seed: int = Field(0, ge=0, description="seed of exchanges, resamplings and simulations")


def run(stages: OutputPath, pairs: OutputPath, responses: list[InputPath], *, spec: Spec) -> None:
    """Write the table of stages and the table of pairs; the files of responses are told apart by their names."""
    import numpy as np

    from yuragi.errors import unknown
    from yuragi.files import read_netcdf, write_table
    from yuragi.spectra.hierarchy import compare_hierarchy

    files = {path.stem: path for path in responses}
    for name in spec.stages.values():
        if name not in files:
            raise unknown("responses", name, files)
    data = {stage: read_netcdf(files[name], "responses")["responses"] for stage, name in spec.stages.items()}
    found = compare_hierarchy(
        data,
        ranks=(11, 500) if spec.ranks is None else spec.ranks,
        estimator=spec.estimator,
        noises=spec.noises,
        exponents=spec.exponents,
        population=spec.population,
        simulations=spec.simulations,
        shuffles=spec.shuffles,
        bootstraps=spec.bootstraps,
        level=spec.level,
        generator=np.random.default_rng(spec.seed),
    )
    write_table(found.stages.assign(responses=[spec.stages[stage] for stage in found.stages["stage"]]), stages)
    write_table(found.pairs, pairs)
