"""How far spontaneous activity lies in the directions of responses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous.recordings import checked_recording, named
from yuragi.spontaneous.reduction import principal_components

# Above this many units the full decomposition costs seconds and a Lanczos iteration for the leading directions does not.
DENSE_UNITS = 1000


@dataclass(frozen=True)
class Alignment:
    """How far spontaneous activity lies in the leading response directions.

    alignment
        a in [0, 1]: the spontaneous variance in the K leading response directions over that in its own K leading directions
    chance
        the mean of the same for K random directions
    share, own_share, chance_share
        the part of the whole spontaneous variance in the K leading response directions, in its own K leading directions, and, K/N, in random ones
    components
        K
    """

    alignment: float
    chance: float
    share: float
    own_share: float
    chance_share: float
    components: int


def response_alignment(recording: xr.DataArray, responses: xr.DataArray, components: int = 10) -> Alignment:
    """The part of spontaneous variance that lies in the leading response directions of the same units.

        a = tr(Vᵀ S V) / tr(Wᵀ S W),    chance (K/N) tr S / tr(Wᵀ S W)

    S is the covariance of spontaneous activity over time, V (unit, K) the leading eigenvectors of the signal covariance of the responses, W those
    of S. What ongoing activity adds to responses would align V with S by itself: the signal covariance is therefore estimated between repeats,
    Σ_(r≠q) X_rᵀ X_q, in which activity that is independent between them cancels in the mean; with a single repeat it does not, and a is too high.
    W comes from one half of the recording and S from the other, both ways round, so that sampling does not favour W; a is at most 1 by definition,
    and rounded down to it where sampling carries it beyond.

    recording
        spontaneous activity (time, unit)
    responses
        responses (repeat, stimulus, unit) of the same units, told by the coordinate ``unit``, in the same unit of activity; missing repeats are NaN
        in all units
    components
        K, at least 1 and less than units, stimuli and half the frames

    Errors: `InputError` for other units, too many components, values missing in some units alone, and responses without signal in K directions.

    >>> generator = np.random.default_rng(0)
    >>> patterns = generator.standard_normal((2, 30))
    >>> recording = xr.DataArray(generator.standard_normal((900, 2)) @ patterns, dims=("time", "unit"))
    >>> responses = xr.DataArray(generator.standard_normal((2, 200, 30)), dims=("repeat", "stimulus", "unit"))
    >>> responses = responses + xr.DataArray(generator.standard_normal((200, 2)) @ patterns, dims=("stimulus", "unit"))
    >>> response_alignment(recording, responses, 2).alignment > 0.8
    True
    """
    recording = checked_recording(recording)
    values = _checked_responses(responses, recording)
    frames, units = recording.shape
    most = min(units, values.shape[1], frames // 2) - 1
    if not 1 <= components <= most:
        raise InputError(
            f"components = {components}: {units} units, {values.shape[1]} stimuli and {frames} frames determine fewer; choose 1 to {most}"
        )
    signal = _signal_directions(values, components)
    halves = [recording.isel(time=slice(0, frames // 2)), recording.isel(time=slice(frames // 2, frames))]
    along, own, total = 0.0, 0.0, 0.0
    for train, test in (halves, halves[::-1]):
        loadings = principal_components(train, components).loadings.values
        centred = test.values - test.values.mean(axis=0)
        along += np.square(centred @ signal).sum() / len(centred)
        own += np.square(centred @ loadings.T).sum() / len(centred)
        total += np.square(centred).sum() / len(centred)
    by_chance = components / units
    return Alignment(min(float(along / own), 1.0), float(by_chance * total / own), float(along / total), float(own / total), by_chance, components)


def _checked_responses(responses: xr.DataArray, recording: xr.DataArray) -> np.ndarray:
    """Responses (repeat, stimulus, unit) in the recording's order of units."""
    if set(responses.dims) != {"repeat", "stimulus", "unit"}:
        raise InputError(f"responses: dimensions are ({', '.join(map(str, responses.dims))}); rename or select to get (repeat, stimulus, unit)")
    responses = responses.transpose("repeat", "stimulus", "unit")
    if "unit" not in responses.coords:
        responses = responses.assign_coords(unit=np.arange(responses.sizes["unit"]))
    ours, theirs = recording["unit"].values, responses["unit"].values
    strangers = [*np.setdiff1d(ours, theirs), *np.setdiff1d(theirs, ours)]
    if strangers:
        raise InputError(f"responses: {len(strangers)} units are not in both them and the recording ({named(strangers)}); select the shared ones")
    values = responses.sel(unit=ours).values.astype(np.float64)
    broken = ~np.isfinite(values)
    if (broken.any(axis=2) != broken.all(axis=2)).any():
        raise InputError("responses: some repeats of stimuli have values in a part of the units; a missing repeat is NaN in all of them")
    return values


def _signal_directions(values: np.ndarray, components: int) -> np.ndarray:
    """Leading eigenvectors (unit, component) of Σ_(r≠q) X_rᵀ X_q, each repeat centred over its stimuli and 0 where it is missing."""
    there = np.isfinite(values[:, :, :1])
    filled = np.where(there, values, 0.0)
    centred = np.where(there, filled - filled.sum(axis=1, keepdims=True) / np.maximum(there.sum(axis=1, keepdims=True), 1), 0.0)
    summed = centred.sum(axis=0)
    within = centred.reshape(-1, values.shape[2])
    single = len(values) == 1

    def signal_times(vectors: np.ndarray) -> np.ndarray:
        product = summed.T @ (summed @ vectors)
        return product if single else product - within.T @ (within @ vectors)

    units = values.shape[2]
    if units <= DENSE_UNITS:
        variances, vectors = scipy.linalg.eigh(signal_times(np.eye(units)), subset_by_index=(units - components, units - 1))
    else:
        operator = scipy.sparse.linalg.LinearOperator((units, units), matvec=signal_times, matmat=signal_times, dtype=np.float64)
        # A fixed start, for the same bytes each time.
        variances, vectors = scipy.sparse.linalg.eigsh(operator, k=components, which="LA", v0=np.ones(units))
    if variances.min() <= 0:
        raise InputError(
            f"components = {components}: the responses share variance between repeats in {int((variances > 0).sum())} directions; choose at most that"
        )
    return vectors
