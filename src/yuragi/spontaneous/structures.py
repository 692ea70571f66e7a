"""Which coefficients of an autoregression are estimated: all, each unit's own, or those that a penalty leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from yuragi.errors import InputError, unknown
from yuragi.spontaneous.lagged import LaggedFit, cholesky, fit_lags
from yuragi.spontaneous.sparse import SparseFit, fit_sparse

STRUCTURES = ("full", "diagonal", "sparse")

Stretches = Sequence[Float[np.ndarray, "_ unit"]]


class Estimate(NamedTuple):
    """An autoregression of one order.

    noise_covariance
        residual sums of products over frames less coefficients: of row i and column j over the geometric mean of theirs
    bic
        ln det Σ̃ + (ln n / n) k with Σ̃ the residual sums of products over n frames and k the coefficients that are not 0, constants left out
    inverse_gram
        diagonal of (Z'Z)^-1 for each lagged unit (lag, unit); None for a sparse one
    """

    coefficients: Float[np.ndarray, "lag unit unit"]
    intercept: Float[np.ndarray, " unit"]
    noise_covariance: Float[np.ndarray, "unit unit"]
    bic: float
    frames: int
    inverse_gram: Float[np.ndarray, "lag unit"] | None = None
    penalty: float | None = None

    def predicted(self, values: Float[np.ndarray, "time unit"], start: int) -> Float[np.ndarray, "ahead unit"]:
        """c + Σ_l A_l y_{t-l} for the frames t ≥ ``start``, which is the order or more."""
        frames = len(values)
        return self.intercept + sum(values[start - lag : frames - lag] @ a.T for lag, a in enumerate(self.coefficients, start=1))


def estimate(stretches: Stretches, order: int, structure: str, names: Sequence[str], penalty: str | float = "bic") -> Estimate:
    """The autoregression of that order and structure, by (penalised) least squares over all stretches of a recording.

    stretches
        parts (time, unit) of one recording, each without gaps
    names
        of the units, for messages
    penalty
        of a sparse one: "bic", "held_out", or a share of the smallest penalty that leaves no coefficient
    """
    check_length(stretches, order, structure, names)
    if structure == "full":
        return of_least_squares(fit_lags(stretches, order, names, nested=False))
    if structure == "diagonal":
        return fit_diagonal(stretches, order, names)
    return _of_sparse(fit_sparse(stretches, order, names, penalty))


def of_least_squares(fit: LaggedFit) -> Estimate:
    """The highest order of a fit of all coefficients."""
    order, units = fit.inverse_gram.shape
    return Estimate(
        fit.coefficients,
        fit.intercept,
        fit.residual[-1] / (fit.frames - order * units - 1),
        float(nested_bic(fit, [order])[-1]),
        fit.frames,
        fit.inverse_gram,
    )


def nested_bic(fit: LaggedFit, orders: Sequence[int] | Int[np.ndarray, " order"]) -> Float[np.ndarray, " order"]:
    """BIC of those orders, the last that ``fit`` holds."""
    units, n = fit.intercept.size, fit.frames
    return fit.log_determinants[-len(orders) :] - units * np.log(n) + np.log(n) / n * np.asarray(orders) * units**2


def fit_diagonal(stretches: Stretches, order: int, names: Sequence[str]) -> Estimate:
    """Each unit on a constant and its own last p frames, by least squares; the innovations may be correlated between units."""
    shift = sum(values.sum(axis=0) for values in stretches) / sum(map(len, stretches))
    centred = [values - shift for values in stretches]
    units = shift.size
    gram, sums, frames = np.zeros((units, order + 1, order + 1)), np.zeros((units, order + 1)), 0
    for values in centred:
        lagged = [values[order - lag : len(values) - lag] for lag in range(order + 1)]
        frames += len(lagged[0])
        sums += np.stack([column.sum(axis=0) for column in lagged], axis=1)
        for i in range(order + 1):
            for j in range(i + 1):
                gram[:, i, j] += np.einsum("tu,tu->u", lagged[i], lagged[j])
                gram[:, j, i] = gram[:, i, j]
    means = sums / frames
    gram -= frames * means[:, :, None] * means[:, None, :]
    own, past = gram[:, 0, 0], gram[:, 1:, 1:]
    scaled = past / np.sqrt(own)[:, None, None] / np.sqrt(own)[:, None, None]
    smallest = np.linalg.eigvalsh(scaled)[:, 0]
    if (weak := np.flatnonzero(~(smallest > 1e-10))).size:
        raise InputError(f"recording: singular covariance: {names[weak[0]]} is a linear combination of its own past; drop it, or lower the order")
    inverse = np.linalg.inv(past)
    weights = np.einsum("ulm,um->ul", inverse, gram[:, 1:, 0])
    coefficients = np.zeros((order, units, units))
    coefficients[:, range(units), range(units)] = weights.T
    constant = means[:, 0] - np.einsum("ul,ul->u", weights, means[:, 1:])
    residual = np.zeros((units, units))
    for values in centred:
        errors = values[order:] - constant
        for lag in range(1, order + 1):
            errors -= values[order - lag : len(values) - lag] * weights[:, lag - 1]
        residual += errors.T @ errors
    log_determinant = 2 * np.log(np.diagonal(cholesky(residual.copy(), names, 0))).sum() - units * np.log(frames)
    return Estimate(
        coefficients,
        constant + shift * (1 - weights.sum(axis=1)),
        residual / (frames - order - 1),
        float(log_determinant + np.log(frames) / frames * order * units),
        frames,
        np.diagonal(inverse, axis1=1, axis2=2).T.copy(),
    )


def _of_sparse(fit: SparseFit) -> Estimate:
    freedom = fit.frames - np.count_nonzero(fit.coefficients, axis=(0, 2)) - 1.0
    noise = fit.residual / np.sqrt(np.outer(freedom, freedom))
    return Estimate(fit.coefficients, fit.intercept, noise, fit.bic, fit.frames, None, fit.penalty)


def check_structure(structure: str) -> None:
    """An `InputError` for a structure that does not exist."""
    if structure not in STRUCTURES:
        raise unknown("structure", structure, STRUCTURES)


def check_length(stretches: Stretches, order: int, structure: str, names: Sequence[str]) -> None:
    """An `InputError` where frames are too few for the coefficients, or a stretch is not longer than the lags."""
    frames, width = sum(len(values) - order for values in stretches), stretches[0].shape[1]
    shortest = min(map(len, stretches))
    if shortest <= order:
        raise InputError(f"recording: {shortest} frames are not more than the {order} lags of order {order}; lower order or max_order")
    coefficients = {"full": width * order + 1, "diagonal": order + 1, "sparse": 1}[structure]
    # The residuals of K equations need K frames more than they have coefficients for a covariance of full rank.
    if frames < coefficients + width:
        variable = names[0].split(" ")[0]
        remedy = "lower order or max_order, or fit fewer leading components (components=...)"
        raise InputError(
            f"recording: {frames + order * len(stretches)} frames are too few for order {order} with {width} {variable}s, "
            f"{coefficients} coefficients an equation: {coefficients + width + order * len(stretches)} are needed; {remedy}"
        )
