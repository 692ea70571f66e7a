"""Show what the spectrum's estimators get wrong: planted exponents, noise of known kind, estimates beside the truth."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from yuragi.jobs.base import OutputPath
from yuragi.settings import RankRange, Settings


class Calibration(Settings):
    """Planted exponents and the noise on top of them."""

    alphas: tuple[PositiveFloat, ...] = Field((0.8, 1.0, 1.2, 1.5), description="planted exponents")
    noises: tuple[Literal["none", "signal", "white"], ...] = Field(
        ("signal", "white"), description="kinds of trial-to-trial noise, each as strong as the signal: of the signal's covariance, or white"
    )
    stimuli: PositiveInt = Field(2000, description="simulated stimuli")
    units: PositiveInt = Field(1000, description="simulated units")
    population: PositiveInt | None = Field(
        None, description="units of the population that the recorded ones are a random sample of; null: all units are recorded"
    )
    ranks: RankRange = Field((11, 500), description="first and last rank of the fit, 1-based and inclusive")
    simulations: int = Field(3, ge=1, description="simulated populations for each exponent and kind of noise")

    @model_validator(mode="after")
    def _sizes_fit(self) -> Calibration:
        longest = min(self.stimuli - 2, self.units)
        if self.ranks[1] > longest:
            raise ValueError(
                f"ranks = {list(self.ranks)}: {self.stimuli} stimuli and {self.units} units allow ranks up to {longest}; "
                "lower the last rank, or raise stimuli or units"
            )
        if self.population is not None and self.population < self.units:
            raise ValueError(f"population = {self.population}: {self.units} units are recorded from it; give at least as many, or null")
        return self


class Spec(Calibration):
    seed: int = Field(0, ge=0, description="seed of the simulations")


def run(table: OutputPath, pure_noise: OutputPath, *, spec: Spec) -> None:
    """Write the table of estimates beside planted exponents, and the sums of spectra of pure noise."""
    from yuragi.files import write_table
    from yuragi.spectra import calibration

    shape = {"stimuli": spec.stimuli, "units": spec.units, "seed": spec.seed}
    estimates = calibration.calibrate(
        alphas=spec.alphas, noises=spec.noises, population=spec.population, ranks=spec.ranks, simulations=spec.simulations, **shape
    )
    write_table(estimates, table)
    write_table(calibration.pure_noise(simulations=max(spec.simulations, 10), **shape), pure_noise)
