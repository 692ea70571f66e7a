"""What a recording must be before anything is fitted to it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

from yuragi.errors import InputError


def checked_recording(recording: xr.DataArray) -> xr.DataArray:
    """A recording as float64 in the order (time, unit), labelled, finite and without gaps.

    recording
        activity with dimensions ``time`` and ``unit``; the coordinate ``unit`` is numbered from 0 where it is missing

    An `InputError` tells other dimensions, values that are not finite, units that never change and unequal steps of time.
    """
    if set(recording.dims) != {"time", "unit"}:
        raise InputError(f"recording: dimensions are ({', '.join(map(str, recording.dims))}); rename or select to get (time, unit)")
    recording = recording.transpose("time", "unit")
    if recording.dtype != np.float64:
        recording = recording.astype(np.float64)
    if "unit" not in recording.coords:
        recording = recording.assign_coords(unit=np.arange(recording.sizes["unit"]))
    frames, units = recording.shape
    if frames < 2 or units < 1:
        raise InputError(f"recording: {frames} frames x {units} units is empty; at least 2 frames of 1 unit are needed")
    values, labels = recording.values, recording["unit"].values
    with np.errstate(invalid="ignore", over="ignore"):
        # A sum is finite only where all its terms are; the terms themselves are looked at where it is not.
        suspicious = not np.isfinite(values.sum())
    if suspicious and (broken := ~np.isfinite(values)).any():
        bad = labels[broken.any(axis=0)]
        raise InputError(
            f"recording: {broken.sum()} values are not finite, in {bad.size} of {units} units ({named(bad)}); drop these units or fill the gaps first"
        )
    still = np.flatnonzero(values[0] == values[-1])
    still = still[(values[:, still] == values[0, still]).all(axis=0)]
    if still.size:
        bad = labels[still]
        raise InputError(f"recording: {bad.size} of {units} units never change ({named(bad)}); drop them first")
    _check_steps(recording)
    return recording


def sampling_interval_of(recording: xr.DataArray) -> float:
    """Seconds between frames from the attribute ``sampling_interval``; NaN where the recording does not tell."""
    value = float(recording.attrs.get("sampling_interval", np.nan))
    if value <= 0:
        raise InputError(f"recording: sampling_interval is {value:g}; give seconds above 0, or NaN where it is unknown")
    return value


def named(labels: Iterable[object], most: int = 5) -> str:
    """The first few labels, for a message of one line."""
    labels = list(labels)
    return ", ".join(map(str, labels[:most])) + (", ..." if len(labels) > most else "")


def _check_steps(recording: xr.DataArray) -> None:
    if "time" not in recording.coords or recording.sizes["time"] < 3:
        return
    steps = np.diff(recording["time"].values.astype(np.float64))
    usual = float(np.median(steps))
    # Half a step either way is clock jitter; beyond that frames are missing or runs are joined, and a lag is no longer one frame.
    uneven = np.flatnonzero(~(np.abs(steps - usual) < 0.5 * abs(usual)))
    if usual <= 0 or uneven.size:
        where = int(uneven[0]) if uneven.size else 0
        raise InputError(
            f"recording: time steps by {steps[where]:g} after frame {where} where {usual:g} is usual; fit one stretch without gaps at a time"
        )
