"""How the correlations between units change from window to window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.signal
import xarray as xr
from jaxtyping import Float

from yuragi.errors import InputError
from yuragi.spontaneous.recordings import checked_recording, named, sampling_interval_of


def sliding_window_correlation(
    recording: xr.DataArray,
    window: int | float | np.integer,
    step: int | float | np.integer = 1,
    *,
    measured_in: str = "frames",
    taper: str | tuple[str, float] | None = None,
) -> xr.DataArray:
    """The correlation of each pair of units in each window (window, unit, other_unit).

        r_ij(k) = Σ_t w_t (y_{t,i} - m_i)(y_{t,j} - m_j) / sqrt(Σ_t w_t (y_{t,i} - m_i)² Σ_t w_t (y_{t,j} - m_j)²)

    over the frames t of window k, with the weights w of the taper, which sum to 1, and m the mean under them. The first window starts at the first
    frame; frames after the last whole window are not used. The coordinate ``time`` is the middle of each window, in the recording's time (in frames
    where it has none).

    recording
        y (time, unit)
    window
        length of a window, at least 3 frames
    step
        from one window to the next, at least 1 frame
    measured_in
        what ``window`` and ``step`` count: "frames", or "seconds", rounded to whole frames, where the recording tells its sampling interval
    taper
        None: all frames of a window count alike; or the name of a window of `scipy.signal.get_window`, such as "hamming", ("tukey", 0.5),
        ("gaussian", 3.0)

    An `InputError` tells a recording shorter than one window, an unknown sampling interval, a taper with negative weights, and units that do not
    change within a window.

    >>> recording = xr.DataArray(np.random.default_rng(0).standard_normal((100, 3)), dims=("time", "unit"))
    >>> dict(sliding_window_correlation(recording, window=20, step=10).sizes)
    {'window': 9, 'unit': 3, 'other_unit': 3}
    """
    recording = checked_recording(recording)
    windows = _windows(recording, window, step, measured_in, taper)
    units = recording["unit"].values
    values = np.empty((len(windows.starts), len(units), len(units)))
    for index, table in enumerate(_tables(recording, windows)):
        values[index] = table
    time = recording["time"].values if "time" in recording.coords else np.arange(recording.sizes["time"])
    centres = (time[windows.starts] + time[windows.starts + windows.length - 1]) / 2
    coords = {"time": ("window", centres), "unit": units, "other_unit": units}
    attrs = {"window_frames": windows.length, "step_frames": windows.step}
    return xr.DataArray(values, dims=("window", "unit", "other_unit"), coords=coords, name="correlation", attrs=attrs)


def sliding_window_variance(
    recording: xr.DataArray,
    window: int | float | np.integer,
    step: int | float | np.integer = 1,
    *,
    measured_in: str = "frames",
    taper: str | tuple[str, float] | None = None,
    fisher: bool = False,
) -> xr.DataArray:
    """The variance over windows of each pair's correlation (unit, other_unit); the diagonal is 0.

        v_ij = Σ_k (r_ij(k) - r̄_ij)² / K

    over K windows, r of `sliding_window_correlation`. Windows vary in a stationary recording too, the more the fewer frames they have and the slower
    the activity: only a comparison with null models tells whether connectivity changes. Memory: a few tables of pairs, however many windows.

    fisher
        take the variance of z = artanh r, which depends less on r itself, instead of r's

    Other arguments and errors as in `sliding_window_correlation`; fewer than two windows are refused too.

    Source: Hindriks et al. 2016, NeuroImage 127:242.

    >>> recording = xr.DataArray(np.random.default_rng(0).standard_normal((4000, 2)), dims=("time", "unit"))
    >>> variance = sliding_window_variance(recording, window=40, step=40)
    >>> bool(0.015 < variance[0, 1] < 0.04)  # 1 / 39 in theory
    True
    """
    recording = checked_recording(recording)
    windows = _windows(recording, window, step, measured_in, taper)
    count = len(windows.starts)
    if count < 2:
        raise InputError(
            f"window={window:g}, step={step:g} {measured_in}: {recording.sizes['time']} frames hold one window, and a variance needs two; "
            "shorten the window or the step"
        )
    units = recording["unit"].values
    mean, squares = np.zeros((2, len(units), len(units)))
    for number, table in enumerate(_tables(recording, windows), 1):
        if fisher:
            # A pair that moves as one within rounding stays finite.
            np.fill_diagonal(table, 0)
            np.arctanh(np.clip(table, -1 + 1e-15, 1 - 1e-15, out=table), out=table)
        change = table - mean
        mean += change / number
        squares += change * (table - mean)
    values = squares / count
    np.fill_diagonal(values, 0)
    attrs = {"windows": count, "window_frames": windows.length, "step_frames": windows.step}
    return xr.DataArray(values, dims=("unit", "other_unit"), coords={"unit": units, "other_unit": units}, name="variance", attrs=attrs)


@dataclass(frozen=True)
class _Windows:
    """Where windows start, how many frames each has, and the weights of these."""

    starts: np.ndarray
    length: int
    step: int
    weights: np.ndarray | None


def _windows(
    recording: xr.DataArray, window: int | float | np.integer, step: int | float | np.integer, measured_in: str, taper: str | tuple[str, float] | None
) -> _Windows:
    interval = 1.0
    if measured_in == "seconds":
        interval = sampling_interval_of(recording)
        if math.isnan(interval):
            raise InputError("measured_in='seconds': the recording does not tell its sampling_interval; set this attribute or count in frames")
    elif measured_in != "frames":
        raise InputError(f"measured_in={measured_in!r}: choose 'frames' or 'seconds'")
    for name, value in (("window", window), ("step", step)):
        if not math.isfinite(value) or (measured_in == "frames" and value != int(value)):
            raise InputError(f"{name}={value:g} frames: give a whole number, or measured_in='seconds'")
    length, stride = round(window / interval), round(step / interval)
    frames = recording.sizes["time"]
    if length < 3:
        raise InputError(f"window={window:g} {measured_in}: {length} frames are too few for a correlation; give at least 3")
    if stride < 1:
        raise InputError(f"step={step:g} {measured_in}: windows must move on by at least 1 frame; give a longer step")
    if length > frames:
        raise InputError(f"recording: {frames} frames are shorter than one window of {length} frames; shorten the window or give a longer recording")
    return _Windows(np.arange(0, frames - length + 1, stride), length, stride, _weights(taper, length))


def _weights(taper: str | tuple[str, float] | None, length: int) -> Float[np.ndarray, " frame"] | None:
    if taper is None:
        return None
    try:
        weights = scipy.signal.get_window(taper, length, fftbins=False)
    except ValueError as error:
        raise InputError(f"taper={taper!r}: {error}; see scipy.signal.get_window for the known ones") from None
    if weights.min() < -1e-12 or np.count_nonzero(weights > 1e-12) < 3:
        raise InputError(f"taper={taper!r}: weights are negative, or all but two frames have none; choose another taper or a longer window")
    return weights.clip(min=0) / weights.clip(min=0).sum()


def _tables(recording: xr.DataArray, windows: _Windows) -> Iterator[Float[np.ndarray, "unit other_unit"]]:
    """The correlations of one window after the other; each array is the receiver's to change."""
    values = recording.values
    # Relative to a unit's size in the whole recording: what rounding leaves of a unit that is constant within a window.
    smallest = np.finfo(np.float64).eps * windows.length * np.abs(values).max(axis=0)
    root = None if windows.weights is None else np.sqrt(windows.weights)[:, None]
    for start in windows.starts:
        part = values[start : start + windows.length]
        part = part - part.mean(axis=0) if root is None else (part - windows.weights @ part) * root
        size = np.sqrt(np.einsum("tu,tu->u", part, part))
        if (still := size <= smallest).any():
            bad = recording["unit"].values[still]
            raise InputError(
                f"recording: {bad.size} units do not change in the window of frames {start} to {start + windows.length - 1} ({named(bad)}); "
                "give longer windows or drop these units"
            )
        part /= size
        yield part.T @ part
