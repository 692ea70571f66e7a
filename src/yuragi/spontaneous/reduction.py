"""How many variables a recording can carry, and its leading principal components."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
import xarray as xr

from yuragi.errors import InputError

# In resting-state fMRI (94 regions x 1200 frames, fitted on 70 %) the prediction of held-out frames is best at 10 to 20 frames per coefficient
# of an equation and falls steeply below 10, at orders 1, 2, 3 and 5 alike.
FRAMES_PER_COEFFICIENT = 10
VARIANCE_KEPT = 0.95


class PrincipalComponents(NamedTuple):
    """Orthonormal directions of a recording and the share of the total variance along each."""

    loadings: xr.DataArray
    shares: np.ndarray


def principal_components(recording: xr.DataArray, most: int | None = None) -> PrincipalComponents:
    """The principal components of a recording's covariance, largest first, as many as the data determine.

    The eigenvectors come from the smaller of the two Gram matrices (units or frames), so that 10,000 units are no more work than their frames.
    The largest entry of each is positive, so that equal data give equal signs.

    recording
        checked activity (time, unit)
    most
        no more than this many; None: all. Shares are of the whole variance all the same
    """
    values = recording.values - recording.values.mean(axis=0)
    frames, units = values.shape
    wide = units > frames
    gram = values @ values.T if wide else values.T @ values
    total = np.trace(gram)
    size = len(gram)
    wanted = None if most is None or most >= size else (size - most, size - 1)
    variances, vectors = scipy.linalg.eigh(gram, overwrite_a=True, check_finite=False, subset_by_index=wanted)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    kept = variances > variances[0] * max(frames, units) * np.finfo(np.float64).eps
    variances, vectors = variances[kept], vectors[:, kept]
    directions = (vectors.T @ values) / np.sqrt(variances)[:, None] if wide else np.ascontiguousarray(vectors.T)
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    directions *= np.sign(largest)
    loadings = xr.DataArray(
        directions,
        dims=("component", "unit"),
        coords={"component": np.arange(1, len(directions) + 1), "unit": recording["unit"].values},
        name="loadings",
    )
    return PrincipalComponents(loadings, variances / total)


def leading_components(recording: xr.DataArray, components: str | int | None, order: int) -> PrincipalComponents | None:
    """The components to fit, or None to fit the units themselves.

    components
        None keeps the units; a number keeps that many leading components. "auto" keeps the units when the recording has at least
        10 frames for each coefficient of an equation, T ≥ 10 N p; otherwise it keeps the leading T // (10 p) components, or fewer if
        fewer explain 95 % of the variance
    order
        p, the highest order that will be tried
    """
    frames, units = recording.shape
    if components is None:
        return None
    if components == "auto":
        allowed = frames // (FRAMES_PER_COEFFICIENT * order)
        if allowed >= units:
            return None
        if allowed < 1:
            raise InputError(
                f"recording: {frames} frames are fewer than {FRAMES_PER_COEFFICIENT} x order {order}; "
                "lower order or max_order, or set components yourself"
            )
        found = principal_components(recording, allowed)
        enough = int(np.searchsorted(np.cumsum(found.shares), VARIANCE_KEPT)) + 1
        count = min(allowed, enough)
    elif isinstance(components, int) and not isinstance(components, bool):
        count = components
        found = principal_components(recording, count if count > 0 else None)
        if not 1 <= count <= found.shares.size:
            raise InputError(
                f"components={count}: {frames} frames x {units} units determine {found.shares.size} components; choose 1 to {found.shares.size}"
            )
    else:
        raise InputError(f"components={components!r}: give 'auto', None (all units) or a number of components")
    return PrincipalComponents(found.loadings[:count], found.shares[:count])


def leading_scores(recording: xr.DataArray, components: int) -> xr.DataArray:
    """The scores of the leading principal components as a recording (time, unit) of their own, the strongest first.

    recording
        checked activity (time, unit)
    components
        how many; all where the recording has fewer
    """
    count = min(components, *(size - 1 if name == "time" else size for name, size in recording.sizes.items()))
    kept = leading_components(recording, count, 1)
    assert kept is not None
    scores = (recording.values - recording.values.mean(axis=0)) @ kept.loadings.values.T
    coords = {"unit": np.arange(1, count + 1)} | ({"time": recording["time"].values} if "time" in recording.coords else {})
    return xr.DataArray(scores, dims=("time", "unit"), coords=coords, name="recording", attrs=recording.attrs)
