"""Time series in NWB files: version 2 through pynwb, version 1 through h5py, which is all that still reads it."""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lazy_loader as lazy

from yuragi.datasets._own_file import reading, some
from yuragi.errors import InputError

if TYPE_CHECKING:
    from pynwb import TimeSeries

h5py = lazy.load("h5py")
jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")


@dataclass(frozen=True, slots=True)
class Series:
    """A time series: seconds of the frames, values (time, unit), their physical unit, and labels of the units."""

    time: jaxtyping.Float[np.ndarray, " time"]
    values: jaxtyping.Float[np.ndarray, "time unit"]
    units: str
    coordinates: dict[str, Any]


def read_series(path: Path, wanted: str) -> Series:
    """The series of that name in an NWB file.

    path
        a file of NWB 2 or NWB 1
    wanted
        the path of a series inside the file, such as ``processing/ophys/Fluorescence/RoiResponseSeries``, or the end of it where only one series
        ends so. With wildcards (``acquisition/Activity_*``) it names several series of one unit each, which become the columns of one recording.
        In NWB 1, the path of the group that holds ``data`` and ``timestamps``

    Raises `InputError` for a file that is no NWB file and for a series that is not there; the error then lists those that are.
    """
    with reading(path, "an HDF5 file, which NWB files are"), h5py.File(path, "r") as file:
        modern, old = "nwb_version" in file.attrs, "nwb_version" in file
        if not (modern or old):
            raise InputError(f"{path}: is HDF5 but no NWB file, it has no 'nwb_version' but {some(sorted(map(str, file)))}; give an NWB file")
    return _read_version_2(path, wanted) if modern else _read_version_1(path, wanted)


def _read_version_2(path: Path, wanted: str) -> Series:
    with warnings.catch_warnings(), reading(path, "an NWB 2 file"):
        warnings.simplefilter("ignore")  # pynwb warns of schema versions and of style, which the reader of a file cannot mend
        from pynwb import NWBHDF5IO, TimeSeries

        with NWBHDF5IO(path, "r", load_namespaces=True) as source:
            objects = source.read().objects.values()
            there = {source.manager.get_builder(item).path.removeprefix("root/"): item for item in objects if isinstance(item, TimeSeries)}
            found = {name: _modern(path, name, there[name]) for name in _matching(path, wanted, there)}
    return _side_by_side(path, found)


def _modern(path: Path, name: str, series: TimeSeries) -> Series:
    data = series.data
    shape = None if data is None else np.shape(data)
    if shape is None or len(shape) not in (1, 2) or np.asarray(data[:1]).dtype.kind not in "iufb":
        told = "no data in the file" if not shape else f"data of {' x '.join(map(str, shape))}"
        raise InputError(
            f"{path}: '{name}' is a {type(series).__name__} with {told}, expected numbers of time, or of time x unit; name another series"
        )
    values = np.asarray(series.get_data_in_units(), dtype=np.float64).reshape(shape[0], -1)
    if series.timestamps is not None:
        time = np.asarray(series.timestamps, dtype=np.float64)
    elif series.rate:
        time = float(series.starting_time or 0.0) + np.arange(shape[0]) / float(series.rate)
    else:
        raise InputError(
            f"{path}: '{name}' has neither timestamps nor a rate above 0, so that its frames have no time; name another series, or mend the file"
        )
    _check_time(path, name, time, values.shape)
    region = getattr(series, "rois", None) or getattr(series, "electrodes", None)
    return Series(time, values, str(series.unit), {} if region is None else _from_table(path, name, region, values.shape[1]))


def _from_table(path: Path, name: str, region: Any, units: int) -> dict[str, Any]:
    """Labels of the units from the table of regions of interest or electrodes: identity, area and position where the table has them."""
    rows, table = np.asarray(region.data[:], dtype=np.int64), region.table
    if rows.size != units:
        raise InputError(f"{path}: '{name}' has {units} columns and refers to {rows.size} {region.name}; the file contradicts itself: mend it")
    labels: dict[str, Any] = {"unit": np.asarray(table.id[:])[rows]}
    if "location" in table.colnames:
        labels["area"] = ("unit", np.array([str(table["location"][int(row)]) for row in rows]))
    for axis in "xyz":
        if axis in table.colnames:
            labels[axis] = ("unit", np.asarray(table[axis][:], dtype=np.float64)[rows])
    return labels


def _read_version_1(path: Path, wanted: str) -> Series:
    with reading(path, "an NWB 1 file"), h5py.File(path, "r") as file:
        there: dict[str, h5py.Group] = {}

        def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group) and "data" in item and ("timestamps" in item or "starting_time" in item):
                there[name] = item

        file.visititems(note)
        return _side_by_side(path, {name: _old(path, name, there[name]) for name in _matching(path, wanted, there)})


def _old(path: Path, name: str, group: h5py.Group) -> Series:
    data = group["data"]
    if data.ndim not in (1, 2) or data.dtype.kind not in "iuf":
        raise InputError(
            f"{path}: '{name}' holds data of {' x '.join(map(str, data.shape))} {data.dtype}, expected time, or time and unit; name another series"
        )
    values = data[()].astype(np.float64)
    if "timestamps" in group:
        time = group["timestamps"][()].astype(np.float64).ravel()
    else:
        rate = float(group["starting_time"].attrs.get("rate", 0.0))
        if not rate > 0:
            raise InputError(f"{path}: '{name}' has neither timestamps nor a rate; name another series, or mend the file")
        time = float(group["starting_time"][()]) + np.arange(data.shape[0]) / rate
    if values.ndim == 1:
        values = values[:, None]
    elif values.shape[0] != time.size and values.shape[1] == time.size:
        values = values.T  # the Allen Institute's files have a row for each cell
    elif values.shape[0] == values.shape[1]:
        raise InputError(f"{path}: '{name}' is square, {time.size} x {time.size}, so that time cannot be told from unit; name another series")
    _check_time(path, name, time, values.shape)
    scale = float(data.attrs.get("conversion", 1.0))
    unit = data.attrs.get("unit", "not told")
    labels = {}
    if "roi_names" in group and group["roi_names"].shape == (values.shape[1],):
        labels["unit"] = group["roi_names"].asstr()[()].astype(str)
    # Some writers leave a conversion of 0 or NaN for "unknown".
    scale = scale if np.isfinite(scale) and scale else 1.0
    return Series(time, np.ascontiguousarray(values * scale), unit.decode() if isinstance(unit, bytes) else str(unit), labels)


def _matching(path: Path, wanted: str, there: Mapping[str, Any]) -> list[str]:
    """The names of the series that are wanted: one, or those that fit the wildcards."""
    name = wanted.strip("/")
    if name in there:
        return [name]
    found = sorted(full for full in there if fnmatch.fnmatchcase(full, name) or fnmatch.fnmatchcase(full, f"*/{name}"))
    if not found:
        raise InputError(f"{path}: holds no series '{wanted}'; set 'series' to one of these: {some(sorted(there))}")
    if len(found) > 1 and not any(sign in name for sign in "*?["):
        raise InputError(f"{path}: '{wanted}' could be {some(found)}; give the whole path, or a wildcard to take several side by side")
    return found


def _side_by_side(path: Path, found: Mapping[str, Series]) -> Series:
    """One series; several become the columns of one, named by the ends of their paths."""
    (first_name, first), *others = found.items()
    if not others:
        return first
    for name, series in found.items():
        if series.values.shape[1] != 1:
            raise InputError(
                f"{path}: '{name}' has {series.values.shape[1]} units; only series of one unit can be put side by side: name one of them"
            )
        if series.time.shape != first.time.shape or not np.array_equal(series.time, first.time):
            raise InputError(f"{path}: '{name}' has other times than '{first_name}'; only series of the same frames can be put side by side")
        if series.units != first.units:
            raise InputError(f"{path}: '{name}' is in {series.units} and '{first_name}' in {first.units}; name series of one unit")
    values = np.concatenate([series.values for series in found.values()], axis=1)
    return Series(first.time, values, first.units, {"unit": np.array([name.rsplit("/", 1)[-1] for name in found])})


def _check_time(path: Path, name: str, time: jaxtyping.Float[np.ndarray, " time"], shape: tuple[int, ...]) -> None:
    if time.size != shape[0]:
        raise InputError(
            f"{path}: '{name}' has {time.size} timestamps and data of {' x '.join(map(str, shape))}, of which time comes first; mend the file"
        )
    if time.size < 2:
        raise InputError(f"{path}: '{name}' has {time.size} frames; name a series of two or more")
    if not (np.diff(time) > 0).all():
        late = int(np.flatnonzero(~(np.diff(time) > 0))[0])
        raise InputError(f"{path}: the time of '{name}' does not increase after frame {late}: {time[late]:g} s, {time[late + 1]:g} s; mend the file")
