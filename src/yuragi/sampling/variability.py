"""How much responses differ from trial to trial, whether a stimulus quenches that, and whether units differ together.

Counts of bits have less variance than those of a Poisson process: n independent bits of probability p have the Fano factor 1 - p. Every Fano factor
therefore stands beside that of independent bits of the same means (`bernoulli_fano`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from yuragi.errors import InputError
from yuragi.spectra.repeats import response_array


def window_counts(course: xr.DataArray, width: int) -> xr.DataArray:
    """Counts in successive windows that do not overlap and of which none holds the onset.

    course
        `(trial, stimulus, time, unit)` of 0 and 1, time in sweeps from the onset
    width
        sweeps of a window; what is left over at either end is left out

    Returns `(window, repeat, stimulus, unit)`, the coordinate ``time`` (window,) being each window's middle in sweeps from the onset.

    >>> course = xr.DataArray(np.ones((2, 1, 5, 3), np.uint8), dims=("trial", "stimulus", "time", "unit"), coords={"time": [-3, -2, -1, 0, 1]})
    >>> counts = window_counts(course, 2)
    >>> counts["time"].values.tolist(), counts.shape, int(counts.max())
    ([-1.0, 1.0], (2, 2, 1, 3), 2)
    """
    time = course["time"].values
    before, after = int((time < 0).sum()), int((time >= 0).sum())
    if not 1 <= width <= min(before, after):
        raise InputError(f"width = {width}: there are {before} sweeps before the onset and {after} after it; give 1 … {min(before, after)}")
    starts = np.arange(before - width * (before // width), before + width * (after // width), width)
    values = course.transpose("time", "trial", "stimulus", "unit").values
    counts = np.stack([values[start : start + width].sum(axis=0, dtype=np.int64) for start in starts])
    middles = starts - before + width / 2
    return xr.DataArray(
        counts,
        dims=("window", "repeat", "stimulus", "unit"),
        coords={"time": ("window", middles)},
        attrs={"sweeps": width, "units": f"ones in {width} sweeps"},
    )


@dataclass(frozen=True, eq=False)
class CountMoments:
    """Mean and variance of counts over the trials of each stimulus.

    mean, variance
        (stimulus, unit); the variance is unbiased, with the divisor trials - 1
    trials
        R
    """

    mean: np.ndarray
    variance: np.ndarray
    trials: int

    @classmethod
    def of(cls, counts: xr.DataArray | np.ndarray) -> CountMoments:
        """From counts `(repeat, stimulus, unit)`. Errors: `InputError` for fewer than two trials."""
        values = np.asarray(counts.transpose("repeat", "stimulus", "unit") if isinstance(counts, xr.DataArray) else counts, dtype=float)
        if values.ndim != 3 or len(values) < 2:
            raise InputError(f"counts: shape {values.shape}; give (repeat, stimulus, unit) with two trials or more")
        return cls(values.mean(axis=0), values.var(axis=0, ddof=1), len(values))

    @property
    def fano(self) -> np.ndarray:
        """F_i = Σ_s Var_i(s) / Σ_s Mean_i(s) (unit,); NaN for a unit that is never 1.

        A ratio of sums: stimuli to which a unit hardly responds hold no information on its variability and weigh little.
        """
        return _ratio(self.variance.sum(axis=0), self.mean.sum(axis=0))

    def bernoulli_fano(self, sweeps: int) -> np.ndarray:
        """The Fano factor of independent bits of the same means (unit,): Σ_s n p (1 - p) / Σ_s n p, p = mean / n.

        p² is estimated without bias, as p̂² - Var / (R n²), so that few trials do not lower it.

        sweeps
            n, the window's
        """
        square = (self.mean**2 - self.variance / self.trials) / sweeps
        return _ratio((self.mean - square).sum(axis=0), self.mean.sum(axis=0))


def matched_fano(
    windows: list[CountMoments], generator: np.random.Generator, *, bins: int = 20, draws: int = 50, sweeps: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fano factors of several windows at one common distribution of mean counts, and those of independent bits at the same.

    A stimulus changes means, and with them the Fano factor of anything that is not Poisson. For every window the means of all stimuli and units are
    put into bins; in each bin all windows keep as many as the window with the fewest has there, chosen at random. What remains has the same
    distribution of means in every window, and F = Σ Var / Σ Mean over it; averaged over random choices.

    windows
        moments of each window, of the same stimuli and units
    generator
        chooses
    bins
        of equal width from 0 to the largest mean
    draws
        random choices that are averaged
    sweeps
        of a window, for the control; None: NaN for it

    Returns F and the control, each (window,); NaN where no bin is common. Churchland et al. 2010 (10.1038/nn.2501) fit a slope of variance on mean
    instead of dividing the sums.

    >>> generator = np.random.default_rng(0)
    >>> weak, strong = (CountMoments.of(generator.poisson(rates, (50, 20, 30))) for rates in (np.linspace(1, 5, 30), np.linspace(2, 6, 30)))
    >>> matched_fano([weak, strong], generator)[0].round(1)
    array([1., 1.])
    """
    if not windows or bins < 1 or draws < 1:
        raise InputError(f"windows, bins, draws: {len(windows)}, {bins}, {draws}; give one or more of each")
    largest = max(float(window.mean.max()) for window in windows)
    placed = [np.minimum((window.mean.ravel() / max(largest, 1e-300) * bins).astype(int), bins - 1) for window in windows]
    # A unit that is silent in a window says nothing about variability; kept, it would only dilute the common distribution.
    live = [window.mean.ravel() > 0 for window in windows]
    common = np.min([np.bincount(place[alive], minlength=bins) for place, alive in zip(placed, live, strict=True)], axis=0)
    found, control = np.full((2, len(windows)), np.nan)
    if not common.any():
        return found, control
    for number, (window, place, alive) in enumerate(zip(windows, placed, live, strict=True)):
        mean, variance = window.mean.ravel(), window.variance.ravel()
        expected = mean - (mean**2 - variance / window.trials) / sweeps if sweeps else np.full(mean.shape, np.nan)
        members = [np.flatnonzero(alive & (place == at)) for at in range(bins)]
        values = []
        for _ in range(draws):
            kept = np.concatenate([generator.permutation(of)[:size] for of, size in zip(members, common, strict=True)])
            values.append((variance[kept].sum() / mean[kept].sum(), expected[kept].sum() / mean[kept].sum()))
        found[number], control[number] = np.mean(values, axis=0)
    return found, control


@dataclass(frozen=True, eq=False)
class PairCorrelations:
    """Correlations of all pairs of units that vary.

    noise
        over trials, within stimuli (pair,)
    signal
        over stimuli, of mean responses (pair,)
    """

    noise: np.ndarray
    signal: np.ndarray

    def relation(self, noise: np.ndarray | None = None) -> float:
        """Pearson's correlation of noise with signal correlations over pairs; NaN with fewer than 3 pairs or where one of them does not vary.

        noise
            other noise correlations of the same pairs, such as those of shuffled trials; None: its own
        """
        own = self.noise if noise is None else noise
        if len(own) < 3 or own.std() == 0 or self.signal.std() == 0:
            return float("nan")
        return float(np.corrcoef(own, self.signal)[0, 1])


def pair_correlations(counts: xr.DataArray | np.ndarray, *, samples: int | None = None) -> PairCorrelations:
    """Noise and signal correlations of pairs of units.

        C = Σ_s Σ_r (x_rs - x̄_s)(x_rs - x̄_s)' / (S (R - 1)),    noise_ij = C_ij / √(C_ii C_jj)
        M = Cov_s(x̄_s),    signal_ij = (M_ij - C_ij f / R) / √(M_ii M_jj)

    Means over R trials hold f / R of the noise covariance: without taking it off, noise correlations would show up as signal correlations. The
    denominator keeps the noise, so that signal correlations are too near 0 rather than unbounded.

    counts
        x, `(repeat, stimulus, unit)`
    samples
        B, where what units share within a trial is a sample of the synapses, and every stimulus has R out of the same B: then f = 1 - R / B.
        None: f = 1

    Units without noise or without any change of the mean are left out. Errors: `InputError` for fewer than two trials or three stimuli.

    >>> generator = np.random.default_rng(0)
    >>> shared = generator.standard_normal((100, 20, 1))
    >>> found = pair_correlations(shared + generator.standard_normal((100, 20, 5)))
    >>> bool(abs(found.noise.mean() - 0.5) < 0.05)
    True
    """
    values = response_array(counts)
    if len(values) < 2 or values.shape[1] < 3:
        raise InputError(f"counts: shape {values.shape}; give two trials or more of three stimuli or more")
    if samples is not None and samples < len(values):
        raise InputError(f"samples = {samples}: there are {len(values)} trials, each with a sample of its own; give at least that")
    left = 1.0 if samples is None else 1 - len(values) / samples
    means = values.mean(axis=0)
    residuals = (values - means).reshape(-1, values.shape[2])
    noise = residuals.T @ residuals / (values.shape[1] * (len(values) - 1))
    centred = means - means.mean(axis=0)
    signal = centred.T @ centred / (len(means) - 1)
    lively = (np.diag(noise) > 0) & (np.diag(signal) > 0)
    noise, signal = noise[np.ix_(lively, lively)], signal[np.ix_(lively, lively)]
    first, second = np.triu_indices(len(noise), k=1)
    noise_scale, signal_scale = np.sqrt(np.diag(noise)), np.sqrt(np.diag(signal))
    between = noise[first, second]
    return PairCorrelations(
        between / (noise_scale[first] * noise_scale[second]),
        (signal[first, second] - between * left / len(values)) / (signal_scale[first] * signal_scale[second]),
    )


def shuffled_trials(counts: xr.DataArray | np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The same counts with the trials of every stimulus in an order of its own for every unit: means stay, what units share within a trial goes.

    >>> shuffled_trials(np.arange(12).reshape(2, 3, 2), np.random.default_rng(0)).shape
    (2, 3, 2)
    """
    return generator.permuted(response_array(counts), axis=0)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
