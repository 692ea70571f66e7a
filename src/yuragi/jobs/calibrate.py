"""Show what the spectrum's estimators get wrong: planted exponents, noise of known kind, estimates beside the truth."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from yuragi.jobs.base import OutputPath
from yuragi.jobs.spectra import EstimatorName
from yuragi.settings import RankRange, Settings


class Calibration(Settings):
    """Planted exponents and the noise on top of them."""

    alphas: tuple[PositiveFloat, ...] = Field((0.8, 1.0, 1.2, 1.5), min_length=1, description="planted exponents")
    noises: tuple[Literal["none", "signal", "half", "white"], ...] = Field(
        ("signal", "white"),
        min_length=1,
        description="kinds of trial-to-trial noise: of the signal's covariance, of half its exponent, or white",
    )
    noise_to_signal: tuple[PositiveFloat, ...] = Field(
        (1.0,), min_length=1, description="variance of the noise over that of the signal, each summed over units: one value or several"
    )
    estimators: tuple[EstimatorName, ...] = Field(
        ("cvpca", "pca"), min_length=1, description="estimators, which all see the same simulations; as in spectra.estimators"
    )
    stimuli: PositiveInt = Field(2000, description="simulated stimuli")
    units: PositiveInt = Field(1000, description="simulated units")
    population: PositiveInt | None = Field(
        None, description="units of the population that the recorded ones are a random sample of; null: all units are recorded"
    )
    ranks: RankRange = Field((11, 500), description="first and last rank of the fit, 1-based and inclusive")
    simulations: int = Field(3, ge=1, description="simulated populations for each exponent, kind and strength of noise")
    shuffles: PositiveInt = Field(2, description="random exchanges of the two repeats that a cross-validated spectrum is averaged over")
    bootstraps: int = Field(0, ge=0, description="resamplings for the interval of each estimate, whose coverage is counted; 0: no intervals")

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
        if self.bootstraps == 1:
            raise ValueError("bootstraps = 1: an interval needs two resamplings at least; give 0 for none, or 30")
        return self


class Spec(Calibration):
    seed: int = Field(0, ge=0, description="seed of the simulations")


def run(table: OutputPath, pure_noise: OutputPath, *, spec: Spec) -> None:
    """Write the table of estimates beside planted exponents, and the sums of spectra of pure noise."""
    from yuragi.files import write_table
    from yuragi.randomness import derive_seed
    from yuragi.spectra import calibration

    size = {"stimuli": spec.stimuli, "units": spec.units}
    estimates = calibration.calibrate(
        alphas=spec.alphas,
        noises=spec.noises,
        noise_to_signal=spec.noise_to_signal,
        estimators=spec.estimators,
        population=spec.population,
        ranks=spec.ranks,
        simulations=spec.simulations,
        shuffles=spec.shuffles,
        bootstraps=spec.bootstraps,
        seed=spec.seed,
        **size,
    )
    write_table(estimates, table)
    # One exponent stands for all: the sum does not depend on it. Several jobs that share the exponents among them draw noise of their own.
    alpha = spec.alphas[0]
    seed = derive_seed(spec.seed, "pure noise", alpha)
    write_table(calibration.pure_noise(alpha=alpha, simulations=max(min(spec.simulations, 20), 10), seed=seed, **size), pure_noise)
