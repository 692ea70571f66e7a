"""Intervals over units and seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from yuragi.errors import InputError


def seeds_interval(values: Sequence[float] | np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """The mean over seeds and the interval of `yuragi.robustness.memorisation.seed_interval` for it, of the finite values alone.

    >>> seeds_interval([1.0, 1.0, 1.0]), seeds_interval([2.0])
    ((1.0, 1.0, 1.0), (2.0, nan, nan))
    """
    from yuragi.robustness.memorisation import seed_interval

    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    return (float(array.mean()), *seed_interval(array, level)) if len(array) else (math.nan, math.nan, math.nan)


def nested_interval(
    groups: Sequence[np.ndarray], generator: np.random.Generator, *, resamples: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """The mean over seeds of the mean over their units, and its interval by resampling seeds, and units within each seed.

    groups
        values of each seed (unit,); NaN is left out. With a single seed only its units are resampled
    generator
        draws the resamples

    Seeds are resampled as in `yuragi.robustness.statistics`: their deviations get Student's tails, so that three seeds are not taken for many.

    >>> low, mean, high = np.array(nested_interval([np.arange(10.0), np.arange(10.0) + 1], np.random.default_rng(0)))[[1, 0, 2]]
    >>> bool(low < mean < high), float(mean)
    (True, 5.0)
    """
    from yuragi.robustness._bootstrap import SeedWeights

    if resamples < 1:
        raise InputError(f"resamples = {resamples}: give 1 or more")
    finite = [values[np.isfinite(values)] for values in (np.asarray(group, dtype=float) for group in groups)]
    finite = [values for values in finite if len(values)]
    if not finite:
        return math.nan, math.nan, math.nan
    means = np.stack([values[generator.integers(0, len(values), (resamples, len(values)))].mean(axis=1) for values in finite], axis=1)
    drawn = (SeedWeights(generator, len(finite), resamples).weights * means).sum(axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(np.mean([values.mean() for values in finite])), float(low), float(high)
