"""One recording of the Allen Brain Observatory as NetCDF; a script for the environment that has allensdk, which imports nothing of this package.

    python _allensdk_export.py OUTPUT --experiment 501498760 --stimulus natural_scenes --cache FOLDER

Ends with status 2 and one line on standard error where something is missing.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

METADATA = (
    "ophys_experiment_id",
    "experiment_container_id",
    "targeted_structure",
    "imaging_depth_um",
    "cre_line",
    "session_type",
    "pipeline_version",
)
"""What of the SDK's metadata is kept."""


class Refusal(Exception):
    """What is missing, in one line."""


def trial_means(traces: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """The mean of each trace (cell, time) over ``length`` frames from each start on: (trial, cell).

    Frames that are missing in a trace do not count; a trial that ends after the recording is NaN.

    >>> trial_means(np.arange(8.0)[None], np.array([1, 3, 7]), 2)[:, 0].tolist()
    [1.5, 3.5, nan]
    """
    found = np.full((len(starts), len(traces)), np.nan)
    for trial, start in enumerate(starts):
        if start >= 0 and start + length <= traces.shape[1]:
            window = traces[:, start : start + length]
            there = np.isfinite(window)
            count = there.sum(axis=1)
            found[trial] = np.where(count > 0, np.where(there, window, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
    return found


def sorted_by_scene(trials: np.ndarray, scenes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Trials (trial, cell) as (repeat, scene, cell), in the order of presentation, NaN where a scene has fewer; and the scenes, without blank (-1).

    >>> values, scenes = sorted_by_scene(np.arange(4.0)[:, None], np.array([2, -1, 5, 2]))
    >>> values[..., 0].tolist(), scenes.tolist()
    ([[0.0, 2.0], [3.0, nan]], [2, 5])
    """
    shown = np.unique(scenes[scenes >= 0])
    each = [np.flatnonzero(scenes == scene) for scene in shown]
    values = np.full((max(map(len, each), default=0), len(shown), trials.shape[1]), np.nan)
    for place, chosen in enumerate(each):
        values[: len(chosen), place] = trials[chosen]
    return values, shown


def longest(starts: np.ndarray, ends: np.ndarray) -> tuple[int, int]:
    """The longest of several intervals of frames, the first where two are equal.

    >>> longest(np.array([5, 100]), np.array([50, 130]))
    (5, 50)
    """
    if len(starts) == 0:
        raise Refusal("the recording tells no interval of spontaneous activity; choose another experiment")
    place = int(np.argmax(np.asarray(ends) - np.asarray(starts)))
    return int(starts[place]), int(ends[place])


def exported(data: Any, stimulus: str) -> Any:
    """The recording that an SDK data set holds, as an xarray data set: responses to natural scenes, or the longest spontaneous stretch."""
    import xarray as xr

    there = sorted(data.list_stimuli())
    if stimulus not in there:
        raise Refusal(f"this experiment shows no '{stimulus}' but {', '.join(there) or 'nothing'}; choose another experiment")
    times, traces = data.get_dff_traces()
    table = data.get_stimulus_table(stimulus)
    cells = {"cell": ("unit", np.asarray(data.get_cell_specimen_ids(), dtype=np.int64))}
    starts, ends = table["start"].to_numpy().astype(int), table["end"].to_numpy().astype(int)
    if stimulus == "spontaneous":
        first, last = longest(starts, ends)
        coordinates = {"time": np.asarray(times[first:last], dtype=np.float64)} | cells
        found = xr.Dataset({"recording": (("time", "unit"), traces[:, first:last].T.astype(np.float32))}, coordinates)
    else:
        # The SDK's own analysis averages over twice the length of a presentation, which follow one another without a gap.
        length = 2 * int(np.median(ends - starts))
        values, scenes = sorted_by_scene(trial_means(traces, starts, length), table["frame"].to_numpy().astype(int))
        found = xr.Dataset({"responses": (("repeat", "stimulus", "unit"), values.astype(np.float32))}, {"stimulus": scenes} | cells)
        found.attrs["window_seconds"] = float(length * np.median(np.diff(times)))
    told = data.get_metadata()
    return found.assign_attrs(found.attrs | {name: told[name] for name in METADATA if told.get(name) is not None})


def main(arguments: list[str] | None = None) -> int:
    """Export one recording; the status of the process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--experiment", type=int, required=True)
    parser.add_argument("--stimulus", choices=["natural_scenes", "spontaneous"], required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps the SDK's own files")
    options = parser.parse_args(arguments)
    try:
        from allensdk.core.brain_observatory_cache import BrainObservatoryCache

        cache = BrainObservatoryCache(manifest_file=str(options.cache / "manifest.json"))
        found = exported(cache.get_ophys_experiment_data(options.experiment), options.stimulus)
    except Refusal as refusal:
        print(f"experiment {options.experiment}: {refusal}", file=sys.stderr)
        return 2
    except Exception as error:  # the SDK raises whatever its transports and files lead it to
        reason = (str(error) or type(error).__name__).splitlines()[0]
        print(f"experiment {options.experiment}: {type(error).__name__}: {reason}", file=sys.stderr)
        return 2
    partial = options.output.with_name(f".{options.output.name}.part")
    found.to_netcdf(partial, engine="h5netcdf")
    os.replace(partial, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
