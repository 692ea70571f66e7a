"""The power law of a spectrum: λ_n ∝ n^-alpha."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import numpy as np
import xarray as xr

from yuragi.errors import InputError, unknown

Weights = Literal["inverse_rank", "uniform", "windowed_median"]
Negative = Literal["absolute", "drop"]

MINIMUM_RANKS = 3  # two points lie on any line, and the fit could not be judged
WINDOWS = 10  # a window of the windowed median holds a tenth of the range


@dataclasses.dataclass(frozen=True)
class PowerLawFit:
    """A fitted power law of a covariance spectrum: what `fit_power_law` returns.

        log λ_n = c - α log n,    n = ranks[0] … ranks[1]

    alpha
        α, a number without unit; larger means a steeper spectrum
    intercept
        c, the natural logarithm of the fitted λ_1, λ in squared units of response
    ranks
        first and last rank n of the fit, (first, last), 1-based, both included
    r_squared
        R² = 1 - Σ w (y - ŷ)² / Σ w (y - ȳ)² with y = log |λ_n| and ȳ its weighted mean, at most 1; NaN for a flat spectrum
    negative_ranks
        how many eigenvalues in the range were below zero
    alpha_interval
        interval (low, high) of α over stimuli, or None; see `yuragi.spectra.bootstrap`
    weights, negative
        how the fit was made; see `fit_power_law`

    Source: the fit of Stringer et al. 2019, Nature.

    >>> fit = fit_power_law(4.0 * np.arange(1, 101) ** -1.0, ranks=(11, 100))
    >>> round(fit.alpha, 6), fit.ranks, fit.negative_ranks, fit.alpha_interval
    (1.0, (11, 100), 0, None)
    >>> fit.predict([1, 2, 4]).round(6).tolist()
    [4.0, 2.0, 1.0]
    """

    alpha: float
    intercept: float
    ranks: tuple[int, int]
    r_squared: float
    negative_ranks: int
    alpha_interval: tuple[float, float] | None = None
    weights: Weights = "inverse_rank"
    negative: Negative = "absolute"

    def predict(self, ranks: np.ndarray | list[int] | range) -> np.ndarray:
        """The fitted eigenvalues exp(intercept) n^-alpha at the given ranks (1-based)."""
        return np.exp(self.intercept - self.alpha * np.log(np.asarray(ranks, dtype=np.float64)))


def fit_power_law(
    spectrum: xr.DataArray | np.ndarray,
    ranks: tuple[int, int] = (11, 500),
    *,
    weights: Weights = "inverse_rank",
    negative: Negative = "absolute",
) -> PowerLawFit:
    """The exponent of a spectrum by least squares of log |λ_n| on log n: weighted, unweighted, or the median of the slopes in windows.

        minimise over (alpha, c):   Σ_n w_n (log |λ_n| + alpha log n - c)²,     n = ranks[0] … ranks[1]

    The weights w_n = 1/n make every stretch of log n count alike. In the windowed median every window of m successive ranks, m a tenth of the range
    and three at least, has an unweighted slope of its own; alpha is the median of their negatives and c that of log |λ_n| + alpha log n. It shrugs
    off a few outlying ranks. Each window counts once, so that the last ranks, which are the most and the noisiest, decide.

    spectrum
        λ_n over `rank`; an array without labels starts at rank 1. Or bins of it (`yuragi.spectra.cross_spectrum.geometric_bins`): those that lie
        within ``ranks`` are fitted, each at its own rank n; a bin then weighs the sum of 1/n over its ranks, or 1 where weights are uniform
    ranks
        first and last rank, 1-based, both included
    weights
        ``"inverse_rank"`` for w_n = 1/n, ``"uniform"`` for w_n = 1, ``"windowed_median"`` for the median of the slopes in windows
    negative
        what becomes of eigenvalues below zero: ``"absolute"`` takes log |λ_n| as published, which folds noise upwards; ``"drop"`` leaves them out,
        which also lifts the tail. Either way `PowerLawFit.negative_ranks` tells how many there were.

    Raises `InputError` for a range that is reversed, shorter than three ranks or beyond the spectrum.

    Source: Stringer et al. 2019, Nature: ranks 11 to 500, weights 1/n, absolute values. The windowed median after Agrawal et al. 2022, NeurIPS.

    >>> fit = fit_power_law(np.arange(1, 101) ** -1.5, ranks=(11, 100))
    >>> round(fit.alpha, 6), round(fit.r_squared, 6)
    (1.5, 1.0)
    """
    if weights not in get_args(Weights):
        raise unknown("weights", weights, get_args(Weights))
    if negative not in ("absolute", "drop"):
        raise InputError(f"negative: '{negative}', expected 'absolute' or 'drop'; choose one of them")
    values, n, w = _within(spectrum, ranks)
    n_negative = int((values < 0).sum())
    if negative == "drop":
        values, n, w = (array[values > 0] for array in (values, n, w))
        if len(n) < MINIMUM_RANKS:
            raise InputError(f"ranks: only {len(n)} of ranks {ranks[0]} to {ranks[1]} are above zero; end the range at a lower rank")
    elif not values.all():
        raise InputError(f"spectrum: the eigenvalue at rank {n[values == 0][0]:g} is 0 and has no logarithm; end ranks before it or drop it")
    x, y = np.log(n), np.log(np.abs(values))
    if weights != "inverse_rank":
        w = np.ones_like(n)
    w = w / w.sum()
    if weights == "windowed_median":
        alpha, intercept = _windowed_median(x, y)
    else:
        x_mean, y_mean = w @ x, w @ y
        alpha = -(w @ ((x - x_mean) * (y - y_mean))) / (w @ (x - x_mean) ** 2)
        intercept = y_mean + alpha * x_mean
    residual = y - intercept + alpha * x
    total = w @ (y - w @ y) ** 2
    return PowerLawFit(
        alpha=float(alpha),
        intercept=float(intercept),
        ranks=(int(ranks[0]), int(ranks[1])),
        r_squared=float(1 - (w @ residual**2) / total) if total > 0 else float("nan"),
        negative_ranks=n_negative,
        weights=weights,
        negative=negative,
    )


def _windowed_median(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Alpha and c from the slopes in all windows of successive points."""
    length = max(MINIMUM_RANKS, len(x) // WINDOWS)
    windows_x, windows_y = (np.lib.stride_tricks.sliding_window_view(values, length) for values in (x, y))
    deviation = windows_x - windows_x.mean(axis=1, keepdims=True)
    alpha = -float(np.median((deviation * windows_y).sum(axis=1) / (deviation**2).sum(axis=1)))
    return alpha, float(np.median(y + alpha * x))


def _within(spectrum: xr.DataArray | np.ndarray, ranks: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Copies of the eigenvalues in the range, of their ranks and of their weights 1/n, all as floats."""
    values = np.asarray(spectrum, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"spectrum: it has {values.ndim} dimensions, expected one, 'rank'; select one spectrum")
    if isinstance(spectrum, xr.DataArray) and spectrum.dims != ("rank",):
        raise InputError(f"spectrum: its dimension is '{spectrum.dims[0]}', expected 'rank'; rename it")
    labelled = isinstance(spectrum, xr.DataArray) and "rank" in spectrum.coords
    n = spectrum["rank"].values if labelled else np.arange(1, len(values) + 1)
    first, last = ranks
    if not (1 <= first <= last):
        raise InputError(f"ranks: ({first}, {last}) is not a range of 1-based ranks; give (first, last) with 1 <= first < last")
    if last - first + 1 < MINIMUM_RANKS:
        raise InputError(
            f"ranks: ({first}, {last}) holds {last - first + 1} ranks of {len(values)}, and a fit needs {MINIMUM_RANKS}; widen the range"
        )
    if isinstance(spectrum, xr.DataArray) and "last_rank" in spectrum.coords:
        inside = (spectrum["first_rank"].values >= first) & (spectrum["last_rank"].values <= last)
        weights = spectrum["inverse_rank"].values.astype(np.float64)
        if last > (end := int(spectrum["last_rank"].values.max())):
            raise InputError(f"ranks: ({first}, {last}) goes beyond the spectrum of {end} ranks; end the range within it")
        if inside.sum() < MINIMUM_RANKS:
            raise InputError(
                f"ranks: ({first}, {last}) holds {inside.sum()} whole bins of {len(values)}, and a fit needs {MINIMUM_RANKS}; "
                "widen the range or bin more finely"
            )
    else:
        inside = (n >= first) & (n <= last)
        weights = 1 / n
        if inside.sum() != last - first + 1:
            held = f"{int(n.min())} to {int(n.max())}" if len(n) else "none"
            raise InputError(f"ranks: ({first}, {last}) goes beyond the spectrum of length {len(values)} (ranks {held}); end the range within it")
    if not np.isfinite(values[inside]).all():
        raise InputError(f"spectrum: some eigenvalues of ranks {first} to {last} are not finite; compute the spectrum from finite responses")
    return values[inside], n[inside].astype(np.float64), weights[inside]
