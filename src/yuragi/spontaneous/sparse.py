"""Sparse autoregressions: the lasso on lags, equation by equation, from one Gram matrix."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from yuragi.errors import InputError
from yuragi.spontaneous.blocks import blocked_folds
from yuragi.spontaneous.lagged import LaggedMoments, cholesky, lagged_moments

PENALTIES = 20
SMALLEST_SHARE = 0.01
FOLDS = 5
# A direction of lagged activity with less variance than this is rounding, and carries no coefficient.
SMALLEST_VARIANCE = 1e-10


class SparseFit(NamedTuple):
    """A lasso of one order; ``residual`` are sums of products over frames, ``penalty`` the share of the smallest that leaves no coefficient."""

    coefficients: Float[np.ndarray, "lag unit unit"]
    intercept: Float[np.ndarray, " unit"]
    residual: Float[np.ndarray, "unit unit"]
    frames: int
    bic: float
    penalty: float


class _Correlations(NamedTuple):
    """Moments per frame: of lags (column, column), of the response with them (unit, column), and of the response (unit, unit)."""

    past: Float[np.ndarray, "column column"]
    ahead: Float[np.ndarray, "unit column"]
    now: Float[np.ndarray, "unit unit"]


def fit_sparse(stretches: Sequence[Float[np.ndarray, "_ unit"]], order: int, names: Sequence[str], penalty: str | float = "bic") -> SparseFit:
    """Least squares with the sum of absolute coefficients penalised, variables scaled to unit variance.

    Each equation minimises Σ_t (y_t - c - Σ_l a_l y_{t-l})² / 2n + λ Σ |a|. All share λ = share x λ_max, where λ_max is the smallest that leaves
    no coefficient in any equation.

    penalty
        the share, above 0 and at most 1; "bic": the one of 20 between 1 and 0.01 with the smallest ln det Σ̃ + (ln n / n) k, k the coefficients
        that are not 0; "held_out": the one with the smallest squared error in five held-out blocks

    Source: Tibshirani 1996, J R Stat Soc B 58:267; k as degrees of freedom: Zou, Hastie & Tibshirani 2007, Ann Stat 35:2173.
    """
    shares = _shares(penalty)
    moments = lagged_moments(stretches, order)
    correlations = _correlations(moments)
    largest = np.abs(correlations.ahead).max()
    path = _path(correlations, shares * largest)
    criterion = np.array([_bic(correlations, solution, moments.frames) for solution in path])
    chosen = len(shares) - 1
    if penalty == "bic":
        chosen = int(criterion.argmin())
    elif penalty == "held_out":
        chosen = int(_held_out_error(stretches, order, shares * largest).argmin())
    if not np.isfinite(criterion[chosen]):
        raise InputError(f"penalty={penalty!r}: it leaves as many coefficients as half the {moments.frames} frames; raise it, or lower the order")
    solution, scale = path[chosen], moments.scale
    cholesky(_residual(correlations, solution), names, 0, np.diagonal(correlations.now))
    units = scale.size
    coefficients = solution.reshape(units, order, units).transpose(1, 0, 2) * (scale[:, None] / scale[None, :])
    offset = scale * (moments.means[order] - solution @ moments.means[:order].ravel())
    return SparseFit(
        coefficients,
        moments.shift + offset - coefficients.sum(axis=0) @ moments.shift,
        _residual(correlations, solution) * np.outer(scale, scale) * moments.frames,
        moments.frames,
        float(criterion[chosen] + 2 * np.log(scale).sum()),
        float(shares[chosen]),
    )


def _shares(penalty: str | float) -> Float[np.ndarray, " penalty"]:
    grid = np.geomspace(1, SMALLEST_SHARE, PENALTIES)
    if isinstance(penalty, str):
        if penalty not in ("bic", "held_out"):
            raise InputError(f"penalty={penalty!r}: give 'bic', 'held_out', or a share above 0 and at most 1")
        return grid
    if not 0 < penalty <= 1:
        raise InputError(f"penalty={penalty!r}: give a share above 0 and at most 1, or 'bic' or 'held_out'")
    # The way down to a small penalty is quicker than the leap.
    return np.append(grid[grid > penalty], penalty)


def _correlations(moments: LaggedMoments) -> _Correlations:
    width = moments.gram.shape[0] - moments.scale.size
    lower = np.tril(moments.gram) / moments.frames
    whole = lower + np.tril(lower, -1).T
    return _Correlations(whole[:width, :width], whole[width:, :width], whole[width:, width:])


def _path(correlations: _Correlations, penalties: Float[np.ndarray, " penalty"]) -> Float[np.ndarray, "penalty unit column"]:
    """The lasso at each penalty, from the largest down.

    The lasso knows the data by their second moments alone, so a root of the moments, with as many rows as columns, stands for all frames.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lasso_path

    variances, directions = np.linalg.eigh(correlations.past)
    kept = variances > SMALLEST_VARIANCE * variances[-1]
    variances, directions = variances[kept], directions[:, kept]
    rows = len(variances)
    root = np.asfortranarray(np.sqrt(rows * variances)[:, None] * directions.T)
    responses = np.sqrt(rows / variances)[:, None] * (directions.T @ correlations.ahead.T)
    gram = root.T @ root
    solutions = np.empty((len(penalties), len(correlations.ahead), len(correlations.past)))
    with warnings.catch_warnings():
        # Where columns are nearly equal the last digits of their coefficients take very long, and mean nothing.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for unit in range(len(correlations.ahead)):
            response = np.ascontiguousarray(responses[:, unit])
            _, found, _ = lasso_path(root, response, alphas=penalties, precompute=gram, Xy=root.T @ response, tol=1e-5, max_iter=2000)
            solutions[:, unit] = found.T
    return solutions


def _residual(correlations: _Correlations, solution: Float[np.ndarray, "unit column"]) -> Float[np.ndarray, "unit unit"]:
    cross = solution @ correlations.ahead.T
    residual = correlations.now - cross - cross.T + solution @ correlations.past @ solution.T
    return (residual + residual.T) / 2


def _bic(correlations: _Correlations, solution: Float[np.ndarray, "unit column"], frames: int) -> float:
    kept = np.count_nonzero(solution, axis=1)
    if kept.max() > frames / 2:
        return np.inf
    sign, log_determinant = np.linalg.slogdet(_residual(correlations, solution))
    return float(log_determinant + np.log(frames) / frames * kept.sum()) if sign > 0 else np.inf


def _held_out_error(stretches: Sequence[Float[np.ndarray, "_ unit"]], order: int, penalties: Float[np.ndarray, " penalty"]) -> np.ndarray:
    """Sum over units and blocks of squared errors over the unit's variance, for each penalty."""
    total = np.zeros(len(penalties))
    for fold in blocked_folds(stretches, FOLDS, gap=order, shortest=order):
        moments = lagged_moments(fold.training, order)
        path = _path(_correlations(moments), penalties)
        values = (fold.held_out - moments.shift) / moments.scale
        frames = len(values)
        past = np.hstack([values[order - lag : frames - lag] for lag in range(1, order + 1)]) - moments.means[:order].ravel()
        now = values[order:] - moments.means[order]
        total += [np.square(now - past @ solution.T).sum() for solution in path]
    return total
