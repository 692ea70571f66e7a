"""How far the ratio of trial-to-trial to stimulus-driven variance would move if other stimuli had been shown."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import xarray as xr
from jaxtyping import Float

from yuragi.errors import InputError
from yuragi.spectra.groups import stimulus_groups
from yuragi.spectra.repeats import Repeats


def variance_ratio_interval(responses: xr.DataArray | np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """An interval for `yuragi.spectra.variance_ratio` over stimuli, by leaving out one at a time.

        log ρ ± z √[ (G - 1) / G Σ_g (log ρ_(g) - mean_g log ρ_(g))² ],     g = 1 … G

    with ρ_(g) the ratio without stimulus g: the jackknife on the logarithm, where the ratio of two variances is nearly symmetric; z is the normal
    quantile.

    responses
        x, `(repeat, stimulus, unit)`; at least two repeats of every stimulus, NaN where one is missing. Stimuli that share a value of the
        coordinate ``group (stimulus)`` are left out together, and G counts groups
    level
        coverage

    Returns (low, high). Raises `InputError` with fewer than three groups, and where the stimulus-driven variance is not above zero, also without
    one of them.

    Source: Efron & Stein 1981, Ann. Statist. 9:586.

    >>> generator = np.random.default_rng(0)
    >>> low, high = variance_ratio_interval(generator.standard_normal((500, 20)) + 2 * generator.standard_normal((3, 500, 20)))
    >>> low < 4 < high
    True
    """
    if not 0 < level < 1:
        raise InputError(f"level: {level}, expected a coverage between 0 and 1; 0.95 is customary")
    repeats = Repeats.of(responses)
    groups = stimulus_groups(responses, repeats.values.shape[1])
    if len(groups) < 3:
        raise InputError(f"responses: {len(groups)} groups of stimuli, and an interval needs 3 or more; use more stimuli")
    all_of_them, without = _ratios(repeats, groups)
    if not (all_of_them > 0 and (without > 0).all()):
        raise InputError("responses: their stimulus-driven variance is not above 0 for all groups of stimuli; use more stimuli, repeats or units")
    logarithms = np.log(without)
    deviation = math.sqrt((len(groups) - 1) / len(groups) * float(((logarithms - logarithms.mean()) ** 2).sum()))
    half = NormalDist().inv_cdf((1 + level) / 2) * deviation
    return all_of_them * math.exp(-half), all_of_them * math.exp(half)


def _ratios(repeats: Repeats, groups: list[np.ndarray]) -> tuple[float, Float[np.ndarray, " group"]]:
    """The ratio of all stimuli, and without each group: sums over stimuli, from which a group's share is taken off."""
    here = True if repeats.available is None else repeats.available
    counts = np.float64(len(repeats.values)) if repeats.available is None else repeats.available.sum(axis=0, dtype=np.float64)
    mean = repeats.values.sum(axis=0, dtype=np.float64) / counts  # missing ones are zero
    within = np.square(repeats.values - mean, where=here, out=np.zeros(repeats.values.shape)).sum(axis=0) / (counts - 1)
    mean -= mean.mean(axis=0)
    noise, left_in_means = within.sum(axis=1), (within / counts).sum(axis=1)
    squares = np.square(mean).sum(axis=1)
    stimuli = len(mean)

    def ratio(left: int, noise_sum: float, left_sum: float, square_sum: float, total: float) -> float:
        # Σ_i var_s(m_si) = (Σ_s |m_s|² - |Σ_s m_s|² / S) / (S - 1), and the means over the stimuli that are left
        return (noise_sum / left) / ((square_sum - total / left) / (left - 1) - left_sum / left)

    everything = ratio(stimuli, noise.sum(), left_in_means.sum(), squares.sum(), 0.0)  # the means are centred
    without = [
        ratio(
            stimuli - len(group),
            noise.sum() - noise[group].sum(),
            left_in_means.sum() - left_in_means[group].sum(),
            squares.sum() - squares[group].sum(),
            float(np.square(mean[group].sum(axis=0)).sum()),
        )
        for group in groups
    ]
    return float(everything), np.array(without)
