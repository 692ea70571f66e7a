"""Least squares on lags through one Gram matrix and one Cholesky factor; the lag matrix is never held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float
from scipy.linalg.lapack import dpotrf

from yuragi.errors import InputError

# A regressor of which less than this share is its own makes the coefficients lose ten of float64's sixteen digits.
SMALLEST_OWN_SHARE = 1e-10


class LaggedFit(NamedTuple):
    """Coefficients and residual sums of squares of all orders up to P, on the same frames."""

    coefficients: Float[np.ndarray, "lag unit unit"]
    intercept: Float[np.ndarray, " unit"]
    residual: Float[np.ndarray, "order unit unit"]
    frames: int


def lagged_moments(values: Float[np.ndarray, "time unit"], order: int) -> tuple[Float[np.ndarray, " column"], Float[np.ndarray, "column column"]]:
    """Means and centred Gram matrix of (y_{t-1}, …, y_{t-p}, y_t) over t = p … T-1; of the Gram matrix only the lower triangle of blocks is set.

    The block of lags (i+1, j+1) is that of (i, j) with one frame added at the start and one taken off at the end, so only
    p+1 products over time are computed.
    """
    frames, units = values.shape
    used = frames - order
    at = [order, *range(order)]  # where each lag stands: the regressors in the order of their lags, then the response
    means = np.empty((order + 1, units))
    gram = np.zeros((order + 1, units, order + 1, units))
    for lag in range(order + 1):
        means[at[lag]] = values[order - lag : frames - lag].mean(axis=0)
        block = values[order:].T @ values[order - lag : frames - lag]
        gram[order, :, at[lag]] = block
        for i in range(1, order + 1 - lag):
            start, end = order - i, frames - i
            block += np.outer(values[start], values[start - lag])
            block -= np.outer(values[end], values[end - lag])
            gram[at[i + lag], :, at[i]] = block.T
    for i in range(order + 1):
        for j in range(i + 1):
            gram[i, :, j] -= used * np.outer(means[i], means[j])
    return means.ravel(), gram.reshape((order + 1) * units, -1)


def fit_lags(values: Float[np.ndarray, "time unit"], order: int, names: Sequence[str]) -> LaggedFit:
    """Least squares of y_t on a constant and y_{t-1} … y_{t-p}, with the residual sums of squares of every lower order.

    With L the Cholesky factor of the Gram matrix of (lags, response), the response's block row (C_1 … C_P, L_y) gives
    the residual sum of squares of order p as L_y L_y' + Σ_{l>p} C_l C_l': one factor serves all orders.

    values
        y (time, unit), of any scale; with enough frames for the order
    names
        of the units, for the `InputError` that tells a linear dependence
    """
    frames, units = values.shape
    shift = values.mean(axis=0)
    values = values - shift
    scale = np.sqrt(np.einsum("tu,tu->u", values, values) / frames)
    values /= scale
    means, gram = lagged_moments(values, order)
    factor = _cholesky(gram, names)
    width = order * units
    cross, corner = factor[width:, :width], factor[width:, width:]
    # Rows of `solution` are the responses, columns the regressors in the order of their lags.
    solution = scipy.linalg.solve_triangular(factor[:width, :width], cross.T, lower=True, trans="T").T
    coefficients = solution.reshape(units, order, units).transpose(1, 0, 2) * (scale[:, None] / scale[None, :])
    offset = scale * (means[width:] - solution @ means[:width])
    intercept = shift + offset - coefficients.sum(axis=0) @ shift
    residual = np.empty((order, units, units))
    residual[order - 1] = corner @ corner.T
    for p in range(order - 1, 0, -1):
        block = cross[:, p * units : (p + 1) * units]
        residual[p - 1] = residual[p] + block @ block.T
    return LaggedFit(coefficients, intercept, residual * np.outer(scale, scale), frames - order)


def _cholesky(gram: Float[np.ndarray, "column column"], names: Sequence[str]) -> Float[np.ndarray, "column column"]:
    """The lower factor, in the memory of ``gram``."""
    whole = np.diagonal(gram).copy()
    # LAPACK counts columns first: the transpose's upper triangle is the lower one of ``gram``, and its upper factor the lower one transposed.
    upper, failed_at = dpotrf(gram.T, lower=0, clean=1, overwrite_a=1)
    factor = upper.T
    size = failed_at - 1 if failed_at > 0 else len(whole)
    own = np.diagonal(factor)[:size] ** 2 / whole[:size]
    weak = np.flatnonzero(~(own > SMALLEST_OWN_SHARE))
    column = int(weak[0]) if weak.size else size
    if column < len(whole):
        lag = (column // len(names) + 1) % (len(whole) // len(names))
        raise InputError(
            f"recording: singular covariance: {names[column % len(names)]} at lag {lag} is a linear combination of the others and their past; "
            "drop it, or fit fewer leading components (components=...)"
        )
    return factor
