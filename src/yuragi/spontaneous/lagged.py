"""Least squares on lags through one Gram matrix and one Cholesky factor; the lag matrix is never held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg.blas import dgemm, dsyrk, dtrmm
from scipy.linalg.lapack import dpotrf, dtrtri

from yuragi.errors import InputError

# A regressor of which less than this share is its own makes the coefficients lose ten of float64's sixteen digits.
SMALLEST_OWN_SHARE = 1e-10
# Sums of squares within these bounds, and their products, are far from what float64 can hold.
SMALLEST_SQUARE, LARGEST_SQUARE = 1e-140, 1e140

# Numbers in a stretch of frames that are multiplied at once: one mebibyte.
CHUNK = 2**17


class LaggedFit(NamedTuple):
    """Coefficients and residual sums of squares of all orders up to P, on the same frames.

    ``inverse_gram`` is the diagonal of (Z'Z)^-1 for the lagged units of order P, Z with its constant; ``log_determinants`` are
    ln det of the residual sums of squares. Without ``nested`` both this and ``residual`` hold order P alone.
    """

    coefficients: Float[np.ndarray, "lag unit unit"]
    intercept: Float[np.ndarray, " unit"]
    residual: Float[np.ndarray, "order unit unit"]
    frames: int
    inverse_gram: Float[np.ndarray, "lag unit"]
    log_determinants: Float[np.ndarray, " order"]


class LaggedMoments(NamedTuple):
    """Centred second moments of (y_{t-1}, …, y_{t-P}, y_t), of variables scaled to about unit variance.

    gram
        sums over frames of products (column, column), the lags' blocks first and the response last; only the lower triangle of blocks is set
    means
        of the shifted and scaled columns over the same frames
    shift, scale
        (unit): a column is (y - shift) / scale
    """

    gram: Float[np.ndarray, "column column"]
    means: Float[np.ndarray, "lags unit"]
    shift: Float[np.ndarray, " unit"]
    scale: Float[np.ndarray, " unit"]
    frames: int

    @property
    def order(self) -> int:
        """P, the number of lags."""
        return len(self.means) - 1


def lagged_moments(stretches: Sequence[Float[np.ndarray, "_ unit"]], order: int) -> LaggedMoments:
    """The moments over all frames of some stretches that have ``order`` frames of the same stretch before them.

    In a stretch, the block of lags (i+1, j+1) is that of (i, j) with one frame added at the start and one taken off at the end, so only
    p+1 products over time are computed.

    stretches
        parts (time, unit) of one recording, each without gaps and longer than ``order``
    """
    total = sum(len(values) for values in stretches)
    shift = sum(values.sum(axis=0) for values in stretches) / total
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        gram, sums, frames = _raw_moments(stretches, shift, None, order)
    squares = np.diagonal(gram)[-shift.size :]
    scale = None
    if not (squares.min() > SMALLEST_SQUARE and squares.max() < LARGEST_SQUARE):
        # Numbers too large or small to be squared: scaled before the products, at the price of one more pass over the recording.
        scale = np.max([np.abs(values - shift).max(axis=0) for values in stretches], axis=0)
        gram, sums, frames = _raw_moments(stretches, shift, scale, order)
        squares = np.diagonal(gram)[-shift.size :]
    units = shift.size
    means = sums / frames
    gram = gram.reshape(order + 1, units, order + 1, units)
    deviation = np.sqrt(squares / frames)
    factors = np.outer(1 / deviation, 1 / deviation)
    for i in range(order + 1):
        for j in range(i + 1):
            gram[i, :, j] -= np.outer(frames * means[i], means[j])
            gram[i, :, j] *= factors
    return LaggedMoments(gram.reshape((order + 1) * units, -1), means / deviation, shift, deviation if scale is None else deviation * scale, frames)


def _raw_moments(
    stretches: Sequence[Float[np.ndarray, "_ unit"]], shift: Float[np.ndarray, " unit"], scale: Float[np.ndarray, " unit"] | None, order: int
) -> tuple[Float[np.ndarray, "column column"], Float[np.ndarray, "lags unit"], int]:
    """Sums of products, sums and frames: the lags first, in their order, then the response."""
    units = shift.size
    at = [order, *range(order)]
    gram = np.zeros((order + 1, units, order + 1, units))
    sums = np.zeros((order + 1, units))
    used = 0

    def shifted(part: Float[np.ndarray, "_ unit"]) -> Float[np.ndarray, "_ unit"]:
        part = part - shift
        return part if scale is None else np.divide(part, scale, out=part)

    for stretch in stretches:
        frames = len(stretch)
        used += frames - order
        first, last = shifted(stretch[:order]), shifted(stretch[frames - order :])
        inner = stretch.sum(axis=0) - frames * shift
        for lag, block in enumerate(_products(stretch, shifted, order)):
            sums[at[lag]] += (inner if scale is None else inner / scale) - first[: order - lag].sum(axis=0) - last[order - lag :].sum(axis=0)
            gram[order, :, at[lag]] += block
            for i in range(1, order + 1 - lag):
                block += np.outer(first[order - i], first[order - i - lag])
                block -= np.outer(last[order - i], last[order - i - lag])
                gram[at[i + lag], :, at[i]] += block.T
    return gram.reshape((order + 1) * units, -1), sums, used


def _products(
    stretch: Float[np.ndarray, "time unit"], shifted: Callable[[np.ndarray], np.ndarray], order: int
) -> list[Float[np.ndarray, "unit unit"]]:
    """Σ_t y_t y_{t-lag}' over t ≥ order for lag = 0 … order; a few frames at a time, so that no second recording is held and caches serve."""
    frames, units = stretch.shape
    step = max(CHUNK // units, 240, order)
    totals = [np.zeros((units, units), order="F") for _ in range(order + 1)]
    for start in range(order, frames, step):
        part = shifted(stretch[start - order : start + step])
        count = len(part) - order
        now = part[order:].T
        dsyrk(1.0, now, 1.0, totals[0], lower=0, overwrite_c=1)
        for lag in range(1, order + 1):
            dgemm(1.0, part[order - lag : order - lag + count].T, now, 1.0, totals[lag], trans_b=1, overwrite_c=1)
    # What BLAS wrote columns first is read rows first, transposed.
    products = [total.T for total in totals]
    products[0] += np.tril(products[0], -1).T
    return products


def fit_lags(
    values: Float[np.ndarray, "time unit"] | Sequence[Float[np.ndarray, "_ unit"]], order: int, names: Sequence[str], nested: bool = True
) -> LaggedFit:
    """Least squares of y_t on a constant and y_{t-1} … y_{t-p}, with the residual sums of squares of every lower order.

    With L the Cholesky factor of the Gram matrix of (lags, response), the response's block row (C_1 … C_P, L_y) gives
    the residual sum of squares of order p as L_y L_y' + Σ_{l>p} C_l C_l': one factor serves all orders.

    values
        y (time, unit), of any scale; with enough frames for the order. Several of them are stretches of one recording with gaps between them
    names
        of the units, for the `InputError` that tells a linear dependence
    nested
        whether lower orders than ``order`` are described too
    """
    moments = lagged_moments([values] if isinstance(values, np.ndarray) else values, order)
    return solve_lags(moments, names, nested)


def solve_lags(moments: LaggedMoments, names: Sequence[str], nested: bool = True) -> LaggedFit:
    """`fit_lags` from the moments, whose Gram matrix is used up."""
    order, (means, scale, frames) = moments.order, (moments.means, moments.scale, moments.frames)
    units = scale.size
    width = order * units
    own = cholesky(moments.gram[:width, :width], names, order)
    # Of the columns-first transpose the upper triangle is inverted; rows are the responses, columns the regressors in order of lag.
    inverse = dtrtri(own.T, lower=0, overwrite_c=1)[0]
    cross = dtrmm(1.0, inverse, moments.gram[width:, :width].T, trans_a=1).T
    solution = dtrmm(1.0, inverse, cross.T).T
    last = moments.gram[width:, width:] - cross @ cross.T
    corner = np.diagonal(cholesky(last.copy(), names, 0, np.diagonal(moments.gram)[width:]))
    coefficients = solution.reshape(units, order, units).transpose(1, 0, 2) * (scale[:, None] / scale[None, :])
    offset = scale * (means[order] - solution @ means[:order].ravel())
    intercept = moments.shift + offset - coefficients.sum(axis=0) @ moments.shift
    inverse_gram = np.einsum("ij,ij->i", inverse, inverse).reshape(order, units) / scale**2
    kept = order if nested else 1
    residual = np.empty((kept, units, units))
    residual[-1] = last
    for p in range(order - 1, order - kept, -1):
        block = cross[:, p * units : (p + 1) * units]
        residual[p - 1] = residual[p] + block @ block.T
    log_determinants = np.empty(kept)
    log_determinants[-1] = 2 * np.log(corner).sum()
    log_determinants[:-1] = np.linalg.slogdet(residual[:-1]).logabsdet
    residual *= np.outer(scale, scale)
    return LaggedFit(coefficients, intercept, residual, frames, inverse_gram, log_determinants + 2 * np.log(scale).sum())


def cholesky(
    gram: Float[np.ndarray, "column column"], names: Sequence[str], lags: int, whole: Float[np.ndarray, " column"] | None = None
) -> Float[np.ndarray, "column column"]:
    """The lower factor of blocks of lags 1 … ``lags``, or of the response where that is 0; in the memory of ``gram`` where it is contiguous.

    whole
        of each column before anything that the others explain was taken off; None: as it stands on the diagonal
    """
    whole = np.diagonal(gram).copy() if whole is None else whole
    # LAPACK counts columns first: the transpose's upper triangle is the lower one of ``gram``, and its upper factor the lower one transposed.
    upper, failed_at = dpotrf(gram.T, lower=0, clean=1, overwrite_a=1)
    size = failed_at - 1 if failed_at > 0 else len(whole)
    own = np.diagonal(upper)[:size] ** 2 / whole[:size]
    weak = np.flatnonzero(~(own > SMALLEST_OWN_SHARE))
    column = int(weak[0]) if weak.size else size
    if column < len(whole):
        lag = column // len(names) + 1 if lags else 0
        raise InputError(
            f"recording: singular covariance: {names[column % len(names)]} at lag {lag} is a linear combination of the others and their past; "
            "drop it, or fit fewer leading components (components=...)"
        )
    return upper.T
