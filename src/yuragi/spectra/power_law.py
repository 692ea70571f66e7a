"""The power law of a spectrum: λ_n ∝ n^-alpha."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import xarray as xr

from yuragi.errors import InputError

Weights = Literal["inverse_rank", "uniform"]
Negative = Literal["absolute", "drop"]

MINIMUM_RANKS = 3  # two points lie on any line, and the fit could not be judged


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
    """The exponent of a spectrum by weighted least squares of log |λ_n| on log n.

        minimise over (alpha, c):   Σ_n w_n (log |λ_n| + alpha log n - c)²,     n = ranks[0] … ranks[1]

    The weights w_n = 1/n make every stretch of log n count alike.

    spectrum
        λ_n over `rank`; an array without labels starts at rank 1
    ranks
        first and last rank, 1-based, both included
    weights
        ``"inverse_rank"`` for w_n = 1/n, ``"uniform"`` for w_n = 1
    negative
        what becomes of eigenvalues below zero: ``"absolute"`` takes log |λ_n| as published, which folds noise upwards; ``"drop"`` leaves them out,
        which also lifts the tail. Either way `PowerLawFit.negative_ranks` tells how many there were.

    Raises `InputError` for a range that is reversed, shorter than three ranks or beyond the spectrum.

    Source: Stringer et al. 2019, Nature: ranks 11 to 500, weights 1/n, absolute values.

    >>> fit = fit_power_law(np.arange(1, 101) ** -1.5, ranks=(11, 100))
    >>> round(fit.alpha, 6), round(fit.r_squared, 6)
    (1.5, 1.0)
    """
    if weights not in ("inverse_rank", "uniform"):
        raise InputError(f"weights: '{weights}', expected 'inverse_rank' or 'uniform'; choose one of them")
    if negative not in ("absolute", "drop"):
        raise InputError(f"negative: '{negative}', expected 'absolute' or 'drop'; choose one of them")
    values, n = _within(spectrum, ranks)
    n_negative = int((values < 0).sum())
    if negative == "drop":
        values, n = values[values > 0], n[values > 0]
        if len(n) < MINIMUM_RANKS:
            raise InputError(f"ranks: only {len(n)} of ranks {ranks[0]} to {ranks[1]} are above zero; end the range at a lower rank")
    elif not values.all():
        raise InputError(f"spectrum: the eigenvalue at rank {int(n[values == 0][0])} is 0 and has no logarithm; end ranks before it or drop it")
    x, y = np.log(n), np.log(np.abs(values))
    w = 1 / n if weights == "inverse_rank" else np.ones_like(n)
    w /= w.sum()
    x_mean, y_mean = w @ x, w @ y
    alpha = -(w @ ((x - x_mean) * (y - y_mean))) / (w @ (x - x_mean) ** 2)
    residual = y - y_mean + alpha * (x - x_mean)
    total = w @ (y - y_mean) ** 2
    return PowerLawFit(
        alpha=float(alpha),
        intercept=float(y_mean + alpha * x_mean),
        ranks=(int(ranks[0]), int(ranks[1])),
        r_squared=float(1 - (w @ residual**2) / total) if total > 0 else float("nan"),
        negative_ranks=n_negative,
        weights=weights,
        negative=negative,
    )


def _within(spectrum: xr.DataArray | np.ndarray, ranks: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Copies of the eigenvalues in the range and of their ranks, both as floats."""
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
    inside = (n >= first) & (n <= last)
    if inside.sum() != last - first + 1:
        held = f"{int(n.min())} to {int(n.max())}" if len(n) else "none"
        raise InputError(f"ranks: ({first}, {last}) goes beyond the spectrum of length {len(values)} (ranks {held}); end the range within it")
    if not np.isfinite(values[inside]).all():
        raise InputError(f"spectrum: some eigenvalues of ranks {first} to {last} are not finite; compute the spectrum from finite responses")
    return values[inside], n[inside].astype(np.float64)
