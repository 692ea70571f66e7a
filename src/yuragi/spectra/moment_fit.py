"""Power laws, straight or broken, whose eigenmoments come nearest to given ones."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares
from scipy.special import exprel

DIRECT = 24
"""Ranks summed one by one; beyond them the Euler-Maclaurin formula is exact to rounding."""
STEEPEST = 10.0
BREAKS = 20
FINER = 7
KEPT_CORRELATION = 1e-6
"""Directions of the moments whose variance is a smaller part of the largest are left out: their estimates are rounding."""


@dataclasses.dataclass(frozen=True)
class Law:
    """log λ_n = intercept - head log n for n <= b, and from there on with the exponent ``tail``; b = 1: one slope."""

    intercept: float
    head: float
    tail: float
    break_rank: int = 1

    def spectrum(self, length: int) -> Float[np.ndarray, " rank"]:
        """λ_1 … λ_length."""
        x, at = np.log(np.arange(1, length + 1)), np.log(self.break_rank)
        return np.exp(self.intercept - self.head * np.minimum(x, at) - self.tail * np.maximum(x - at, 0.0))

    def moments(self, count: int, units: int) -> Float[np.ndarray, " moment"]:
        """Σ_n λ_n^p, n = 1 … units, p = 1 … count."""
        p = np.arange(1, count + 1)
        if self.break_rank == 1:
            return np.exp(p * self.intercept) * power_sum(p * self.tail, 1, units)
        b = self.break_rank
        at_break = np.exp(p * (self.intercept - self.head * np.log(b)))
        return at_break * (power_sum(p * self.head, 1, b, b) + power_sum(p * self.tail, b + 1, units, b))


def power_sum(exponents: Float[np.ndarray, " exponent"], first: int, last: int, unit: int = 1) -> Float[np.ndarray, " exponent"]:
    """Σ_{n=first}^{last} (n / unit)^-s for each s >= 0: the first terms one by one, the others by the Euler-Maclaurin formula."""
    s = np.asarray(exponents, dtype=np.float64)
    start = max(first, DIRECT)
    n = np.arange(first, min(last, start + DIRECT) + 1)
    total = np.exp(-np.multiply.outer(s, np.log(n / unit))).sum(axis=1)
    if len(n) == last - first + 1:
        return total
    low, high = float(n[-1]), float(last)
    at_low, at_high = (low / unit) ** -s, (high / unit) ** -s
    span = np.log(high / low)
    integral = low * at_low * span * exprel((1 - s) * span)
    slope = -s * (at_high / high - at_low / low)
    rising = s * (s + 1) * (s + 2)
    third = -rising * (at_high / high**3 - at_low / low**3)
    fifth = -rising * (s + 3) * (s + 4) * (at_high / high**5 - at_low / low**5)
    return total + integral + (at_high - at_low) / 2 + slope / 12 - third / 720 + fifth / 30240


def whitening(covariance: Float[np.ndarray, "moment moment"]) -> Float[np.ndarray, "direction moment"]:
    """W with W C W' = I on the directions in which the moments vary."""
    deviations = np.sqrt(np.diag(covariance))
    eigenvalues, vectors = np.linalg.eigh(covariance / np.outer(deviations, deviations))
    kept = eigenvalues > KEPT_CORRELATION * eigenvalues[-1]
    return (vectors[:, kept] / np.sqrt(eigenvalues[kept])).T / deviations


def fit_law(moments: Float[np.ndarray, " moment"], weights: Float[np.ndarray, "direction moment"], units: int, slopes: int) -> Law:
    """The law whose moments over ``units`` ranks are nearest: minimise ‖W (m(law) - m)‖² over intercept and exponents, and the break on a grid."""
    straight, _ = _fit(moments, weights, units, 1, _start(moments, weights, units))
    if slopes == 1:
        return straight
    start = (straight.intercept, straight.head, straight.tail)
    grid = break_grid(units)
    fits = {b: _fit(moments, weights, units, b, start) for b in grid}
    near = grid.index(min(fits, key=lambda b: fits[b][1]))
    low, high = grid[max(near - 1, 0)], grid[min(near + 1, len(grid) - 1)]
    fits |= {b: _fit(moments, weights, units, b, start) for b in _spaced(low, high, FINER) if b not in fits}
    return min(fits.values(), key=lambda fit: fit[1])[0]


def break_grid(units: int) -> list[int]:
    """Ranks at which a law may break, evenly spaced in log rank; some more are tried around the best."""
    return _spaced(2, max(units // 2, 3), BREAKS)


def _spaced(low: int, high: int, count: int) -> list[int]:
    return sorted({int(b) for b in np.geomspace(low, high, count).round()})


def _start(moments: np.ndarray, weights: np.ndarray, units: int) -> tuple[float, ...]:
    """The best of a coarse grid of exponents, each with the intercept that gives the first moment, which is known best."""
    alphas, p = np.linspace(0.1, 4.0, 40), np.arange(1, len(moments) + 1)[:, None]
    sums = power_sum((p * alphas).ravel(), 1, units).reshape(len(p), -1)
    intercepts = np.log(np.maximum(moments[0], 1e-3) / sums[0])  # moments are those of data whose signal variance is near 1
    best = np.square(weights @ (np.exp(p * intercepts) * sums - moments[:, None])).sum(axis=0).argmin()
    return float(intercepts[best]), float(alphas[best])


def _fit(moments: np.ndarray, weights: np.ndarray, units: int, break_rank: int, start: tuple[float, ...]) -> tuple[Law, float]:
    def law(parameters: np.ndarray) -> Law:
        intercept, head, tail = (float(value) for value in parameters[[0, 1, -1]])
        return Law(intercept, head, tail, break_rank)

    low, high = np.full(len(start), 0.0), np.full(len(start), STEEPEST)
    low[0], high[0] = -np.inf, np.inf
    found = least_squares(
        lambda parameters: weights @ (law(parameters).moments(len(moments), units) - moments),
        np.clip(start, low + 1e-6, high - 1e-6),
        bounds=(low, high),
        x_scale="jac",
    )
    return law(found.x), float(found.cost)
