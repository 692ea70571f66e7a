"""Units and stimuli that carry no information: dropped and counted, or refused."""

from __future__ import annotations

from typing import Literal

import lazy_loader as lazy

from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

Remedy = Literal["drop", "refuse"]


def check_units(data: xr.DataArray, constant: Remedy = "drop", missing: Remedy = "drop", *, repeats: int = 2) -> xr.DataArray:
    """The data without units that never vary and without what is missing; how much was dropped stands in the attributes.

    data
        responses (repeat, stimulus, unit) or a recording (time, unit)
    constant
        what to do with units of zero variance, up to rounding: max − min ≤ 4 ε max|x|. A unit whose mean is zero is good data
    missing
        what to do with units and stimuli that have missing values. In a recording, a unit is missing if any of its frames is not finite.
        In responses a missing repeat is no fault, as long as ``repeats`` are there. Dropped are, in this order: stimuli for which no unit has
        them, units that lack them in more than half of the remaining stimuli, and stimuli for which any remaining unit lacks them
    repeats
        what a unit needs of a stimulus: two, as every estimate of signal and noise does; one for responses that are averages over repeats

    Returns a new array with the attributes ``dropped_constant_units``, ``dropped_missing_units`` and, for responses, ``dropped_stimuli``.
    Raises `InputError` when something is to be refused, when nothing is left, or when the responses have one repeat only.

    >>> import numpy as np, xarray as xr
    >>> frames = xr.DataArray([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]], dims=("time", "unit"))
    >>> check_units(frames).attrs["dropped_constant_units"]
    1
    """
    where = str(data.name or "data")
    if data.dims == ("repeat", "stimulus", "unit"):
        data = data.where(np.isfinite(data))  # an infinite response is a missing one
        units, stimuli = _with_repeats(np.isfinite(data.values), where, repeats)
    elif data.dims == ("time", "unit"):
        units, stimuli = np.isfinite(data.values).all(axis=0), None
    else:
        raise InputError(
            f"{where}: dimensions are ({', '.join(map(str, data.dims))}), expected (repeat, stimulus, unit) or (time, unit); name them so"
        )
    counts = {"dropped_missing_units": int((~units).sum())}
    kept = data[..., units]
    if stimuli is not None:
        counts["dropped_stimuli"] = int((~stimuli).sum())
        kept = kept[:, stimuli]
    lacking = sum(counts.values())
    if lacking and missing == "refuse":
        told = ", ".join(f"{count} {name.removeprefix('dropped_').replace('_', ' ')}" for name, count in counts.items() if count)
        raise InputError(f"{where}: missing values ({told}); set missing to 'drop' to leave them out, or mend the data")
    if not kept.size:
        raise InputError(f"{where}: no unit is left without missing values; fill them in the data, or use other data")
    flat = _constant(kept.values)
    if flat.any() and constant == "refuse":
        shown = ", ".join(str(name) for name in kept["unit"].values[flat][:5])
        raise InputError(
            f"{where}: {int(flat.sum())} of {flat.size} units never vary ({shown}…); set constant to 'drop' to leave them out, or mend the data"
        )
    if flat.all():
        raise InputError(f"{where}: every unit is constant, so that nothing can be estimated; use other data")
    return kept[..., ~flat].assign_attrs(dropped_constant_units=int(flat.sum()), **counts)


def _with_repeats(
    finite: jaxtyping.Bool[np.ndarray, "repeat stimulus unit"], where: str, repeats: int
) -> tuple[jaxtyping.Bool[np.ndarray, " unit"], jaxtyping.Bool[np.ndarray, " stimulus"]]:
    """Which units and which stimuli to keep so that every kept unit has so many repeats of every kept stimulus."""
    enough = finite.sum(axis=0) >= repeats
    if not enough.any():
        most = int(finite.sum(axis=0).max(initial=0))
        told = "one repeat only" if most == 1 else "no repeats"
        raise InputError(f"{where}: {told}, but signal and noise are told apart by two repeats or more of each stimulus; use data with repeats")
    stimuli = enough.any(axis=1)
    units = (~enough[stimuli]).mean(axis=0) <= 0.5
    stimuli &= enough[:, units].all(axis=1)
    return units, stimuli


def _constant(values: jaxtyping.Float[np.ndarray, "... unit"]) -> jaxtyping.Bool[np.ndarray, " unit"]:
    rows = values.reshape(-1, values.shape[-1])
    high, low = np.nanmax(rows, axis=0), np.nanmin(rows, axis=0)
    return high - low <= 4 * np.finfo(values.dtype).eps * np.maximum(np.abs(high), np.abs(low))
