"""What the estimators get wrong: planted exponents and noise of known kind, estimates beside the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from yuragi.datasets.simulation import NoiseShape, power_law_responses
from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.randomness import derive_seed
from yuragi.spectra.cvpca import cvpca
from yuragi.spectra.estimators import Estimator, estimate

COLUMNS = (
    "alpha_true",
    "noise",
    "noise_to_signal",
    "seed",
    "estimator",
    "alpha_hat",
    "bias",
    "alpha_low",
    "alpha_high",
    "level",
    "covered",
)


def calibrate(
    alphas: Sequence[float] = (0.8, 1.0, 1.2, 1.5),
    noises: Sequence[NoiseShape] = ("signal", "white"),
    *,
    stimuli: int = 2000,
    units: int = 1000,
    repeats: int = 2,
    population: int | None = None,
    noise_to_signal: float | Sequence[float] = 1.0,
    estimators: Sequence[Estimator] = ("cvpca", "pca"),
    ranks: tuple[int, int] = (11, 500),
    simulations: int = 3,
    shuffles: int = 2,
    bootstraps: int = 0,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Exponents that the estimators recover from responses whose exponent is planted, and whether their intervals hold it.

        bias = alpha_hat - alpha_true,     covered: alpha_low <= alpha_true <= alpha_high

    An exponent that differs between two areas may be such a bias: compare it with a simulation of the same size and noise
    (`yuragi.spectra.hierarchy.compare_hierarchy`).

    alphas
        planted exponents
    noises
        covariance of the noise: ``"signal"`` (that of the signal), ``"white"`` (the identity), ``"half"`` (between the two), or ``"none"``
    stimuli, units, repeats
        size of each simulated set of responses
    population
        units of the population that the exponent is planted in and ``units`` are recorded from, at random; None: all are recorded. A recording of few
        units has a flatter spectrum than its population
    noise_to_signal
        single-trial noise variance over signal variance, each summed over units: one value or several
    estimators
        names that `yuragi.spectra.estimators.estimate` knows; all see the same responses
    ranks
        first and last rank of the fit, 1-based, both included
    simulations
        simulated sets for each exponent, noise and strength of it
    shuffles
        divisions of the repeats that cvPCA averages
    bootstraps
        resamplings for each interval; 0: no intervals
    level
        nominal coverage of the intervals
    seed
        each simulation derives its own from it and from what it simulates, so that a longer list leaves the others as they were

    Returns a tidy table with the columns `alpha_true`, `noise`, `noise_to_signal`, `seed` (counting simulations from 0), `estimator`, `alpha_hat`,
    `bias`, `alpha_low`, `alpha_high`, `level` and `covered`, the last four missing without intervals.

    >>> table = calibrate([1.0], ["white"], stimuli=200, units=80, ranks=(5, 60), simulations=1)
    >>> list(table["estimator"]), bool(table["bias"][1] < table["bias"][0])
    (['cvpca', 'pca'], True)
    """
    strengths = (float(noise_to_signal),) if isinstance(noise_to_signal, int | float) else tuple(float(strength) for strength in noise_to_signal)
    cells = [
        (float(alpha), noise, strength, simulation)
        for alpha in alphas
        for noise in noises
        for strength in (strengths if noise != "none" else (0.0,))
        for simulation in range(simulations)
    ]
    rows = []
    for alpha, noise, strength, simulation in track(cells, "planted exponents"):
        cell = (seed, "calibrate", alpha, noise, strength, simulation)
        planted = power_law_responses(
            stimuli=stimuli,
            units=units,
            repeats=repeats,
            alpha=alpha,
            noise=noise,
            noise_to_signal=strength,
            population=population,
            generator=np.random.default_rng(derive_seed(*cell)),
        ).responses
        for estimator in estimators:
            # Each estimator draws from a source of its own, so that one more leaves the others as they were.
            generator = np.random.default_rng(derive_seed(*cell, estimator))
            found = estimate(planted, estimator, ranks, shuffles=shuffles, bootstraps=bootstraps, level=level, quiet=True, generator=generator)
            low, high = found.alpha_interval or (np.nan, np.nan)
            covered = low <= alpha <= high if bootstraps else pd.NA
            nominal = level if bootstraps else np.nan
            rows.append((alpha, noise, strength, simulation, estimator, found.alpha, found.alpha - alpha, low, high, nominal, covered))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"covered": "boolean"})


def pure_noise(
    *, stimuli: int = 2000, units: int = 1000, repeats: int = 2, alpha: float = 1.0, simulations: int = 5, shuffles: int = 1, seed: int = 0
) -> pd.DataFrame:
    """The sum of the cross-validated spectrum of noise alone, which is zero on average.

    Sums are in units of the noise's own total variance, so that 1 would be a signal as strong as the noise of one trial.

    stimuli, units, repeats
        size of each simulated set of responses
    alpha
        exponent of the noise that is not white
    simulations
        simulated sets, at least two, for each noise
    shuffles
        divisions of the repeats that cvPCA averages
    seed
        the simulations derive theirs from it

    Returns one row for each noise: `noise` (``"power_law"``, ``"white"``), `simulations`, `sum`, `standard_error` (of the mean over simulations).

    >>> table = pure_noise(stimuli=100, units=20, simulations=4)
    >>> bool((table["sum"].abs() < 4 * table["standard_error"]).all())
    True
    """
    if simulations < 2:
        raise InputError(f"simulations: {simulations}, expected at least 2, since a standard error needs a spread")
    rows = []
    for noise, exponent in (("power_law", alpha), ("white", 0.0)):
        deviations = np.arange(1, units + 1) ** (-exponent / 2)
        deviations /= np.sqrt((deviations**2).sum())
        sums = []
        for simulation in track(range(simulations), f"pure noise, {noise}"):
            generator = np.random.default_rng(derive_seed(seed, "pure noise", noise, simulation))
            trials = generator.standard_normal((repeats, stimuli, units)) * deviations
            sums.append(float(cvpca(trials, shuffles=shuffles, generator=generator).sum()))
        rows.append((noise, simulations, float(np.mean(sums)), float(np.std(sums, ddof=1) / np.sqrt(simulations))))
    return pd.DataFrame(rows, columns=["noise", "simulations", "sum", "standard_error"])
