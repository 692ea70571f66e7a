"""The Allen Brain Observatory: the exporter's arithmetic, its command, and the readers; with the real SDK where an environment of it is there."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from yuragi.datasets import _allensdk, _allensdk_export
from yuragi.datasets.catalogue import dataset, load
from yuragi.datasets.fetching import fetch
from yuragi.errors import InputError

EXPERIMENT = 501498760
CELLS, FRAMES, RATE = 3, 600, 30.0
STARTS = np.arange(100, 400, 10)
SCENES = np.tile([2, -1, 5, 0, 5], 6)
TRACES = np.random.default_rng(0).normal(size=(CELLS, FRAMES)).astype(np.float32)
TIMES = 12.5 + np.arange(FRAMES) / RATE


class Recorded:
    """What the SDK's data set answers."""

    def __init__(self, stimuli: tuple[str, ...] = ("natural_scenes", "spontaneous")) -> None:
        self.stimuli = stimuli

    def list_stimuli(self) -> list[str]:
        return list(self.stimuli)

    def get_dff_traces(self) -> tuple[np.ndarray, np.ndarray]:
        return TIMES, TRACES

    def get_cell_specimen_ids(self) -> np.ndarray:
        return np.array([517397327, 517397340, 5])

    def get_stimulus_table(self, name: str) -> pd.DataFrame:
        if name == "spontaneous":
            return pd.DataFrame({"start": [10, 410], "end": [90, 590]})
        return pd.DataFrame({"frame": SCENES, "start": STARTS, "end": STARTS + 7})

    def get_metadata(self) -> dict[str, object]:
        return {"targeted_structure": "VISp", "imaging_depth_um": 175, "fov": "x", "age_days": None}


def expected_responses() -> np.ndarray:
    """Scenes 0, 2, 5 by hand: fourteen frames from each onset."""
    return np.stack([[TRACES[:, start : start + 14].mean(axis=1) for start in STARTS[scene == SCENES][:6]] for scene in (0, 2, 5)], axis=1)


def check_responses(found: xr.DataArray) -> None:
    assert found["stimulus"].values.tolist() == [0, 2, 5]
    assert found["unit"].values.tolist() == [517397327, 517397340, 5]
    assert found.sizes["repeat"] == 12  # scene 5 was shown twice as often
    np.testing.assert_allclose(found.values[:6], expected_responses(), rtol=1e-5)
    assert np.isnan(found.sel(stimulus=2).values[6:]).all()


def check_spontaneous(found: xr.DataArray) -> None:
    np.testing.assert_allclose(found.values, TRACES[:, 410:590].T)
    np.testing.assert_allclose(found["time"].values, TIMES[410:590])
    assert found.attrs["sampling_interval"] == pytest.approx(1 / RATE)


def test_exported_arrays_are_read(tmp_path: Path) -> None:
    for kind, stimulus, check in (
        ("allen_visual_coding", "natural_scenes", check_responses),
        ("allen_visual_coding_spontaneous", "spontaneous", check_spontaneous),
    ):
        path = tmp_path / f"{stimulus}.nc"
        _allensdk_export.exported(Recorded(), stimulus).to_netcdf(path, engine="h5netcdf")
        chosen = dataset(kind)
        found = chosen.read({path.name: path})[chosen.contents]
        check(found)
        assert found.dtype == np.float32
        assert set(found["area"].values.tolist()) == {"VISp"}
        assert (found.attrs["imaging_depth_um"], found.attrs["experiment"]) == (175, EXPERIMENT)


def test_missing_frames_do_not_count_and_late_trials_are_missing() -> None:
    traces = np.array([[1.0, np.nan, 3.0, 4.0], [np.nan] * 4])
    found = _allensdk_export.trial_means(traces, np.array([0, 2, 3]), 2)
    np.testing.assert_array_equal(found, [[1.0, np.nan], [3.5, np.nan], [np.nan, np.nan]])


def test_what_an_experiment_does_not_show_is_told() -> None:
    with pytest.raises(_allensdk_export.Refusal, match="shows no 'natural_scenes' but spontaneous, static_gratings"):
        _allensdk_export.exported(Recorded(("static_gratings", "spontaneous")), "natural_scenes")
    with pytest.raises(_allensdk_export.Refusal, match="no interval"):
        _allensdk_export.longest(np.array([]), np.array([]))


def test_without_an_interpreter_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(_allensdk.PYTHON_VARIABLE, raising=False)
    with pytest.raises(InputError, match=r"no interpreter with allensdk; make one with 'make allensdk'") as caught:
        fetch(dataset("allen_visual_coding"), tmp_path)
    assert "\n" not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*.nc")]


def fake_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\nimport pathlib, sys\n{lines}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv(_allensdk.PYTHON_VARIABLE, str(path))


def test_the_exporter_is_run_and_its_file_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told.txt"
    fake_interpreter(
        tmp_path, monkeypatch, f"pathlib.Path({str(told)!r}).write_text(' '.join(sys.argv[3:7]))\npathlib.Path(sys.argv[2]).write_text('x')"
    )
    paths = fetch(dataset("allen_visual_coding", experiment=7), tmp_path / "cache")
    assert paths == {"natural_scenes.nc": tmp_path / "cache" / "allen_visual_coding" / "experiment-7" / "natural_scenes.nc"}
    assert told.read_text() == "--experiment 7 --stimulus natural_scenes"


def test_what_the_sdk_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_interpreter(tmp_path, monkeypatch, "print('noise', file=sys.stderr)\nprint('experiment 7: HTTPError: 404', file=sys.stderr)\nsys.exit(2)")
    with pytest.raises(InputError, match=r"allensdk: experiment 7: HTTPError: 404; check the network") as caught:
        fetch(dataset("allen_visual_coding", experiment=7), tmp_path / "cache")
    assert "\n" not in str(caught.value)


def test_an_environment_without_the_sdk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_allensdk.PYTHON_VARIABLE, sys.executable)
    with pytest.raises(InputError, match=r"allensdk: experiment 7: ModuleNotFoundError: No module named 'allensdk'"):
        fetch(dataset("allen_visual_coding", experiment=7), tmp_path / "cache")


@pytest.fixture
def seeded(tmp_path: Path) -> Path:
    """The SDK's cache with one NWB 1 file in the published layout, so that the SDK asks nobody."""
    folder = tmp_path / "sdk"
    (folder / "ophys_experiment_data").mkdir(parents=True)

    def text(value: str) -> np.bytes_:
        return np.bytes_(value)

    with h5py.File(folder / "ophys_experiment_data" / f"{EXPERIMENT}.nwb", "w") as file:
        pipeline = file.create_group("processing/brain_observatory_pipeline")
        for series in ("DfOverF", "Fluorescence"):
            plane = pipeline.create_group(f"{series}/imaging_plane_1")
            plane["data"], plane["timestamps"] = TRACES, TIMES
        pipeline["ImageSegmentation/cell_specimen_ids"] = Recorded().get_cell_specimen_ids()
        shown = file.create_group("stimulus/presentation/natural_scenes_stimulus")
        shown["data"], shown["frame_duration"] = SCENES, np.stack([STARTS, STARTS + 7], axis=1)
        silent = file.create_group("stimulus/presentation/spontaneous_stimulus")
        silent["data"] = np.array([1, -1, 1, -1])
        silent["frame_duration"] = np.array([[10, 10], [90, 90], [410, 410], [590, 590]])
        general = file.create_group("general")
        general["session_type"] = text("three_session_B")
        general["session_id"] = text(str(EXPERIMENT))
        general["generated_by"] = np.array([b"x", b"2.0"])
        plane = general.create_group("optophysiology/imaging_plane_1")
        plane["location"], plane["imaging depth"] = text("VISp"), text("175 microns")
    return folder


@pytest.mark.allensdk
@pytest.mark.skipif(
    os.environ.get("YURAGI_TEST_ALLENSDK") != "1",
    reason="needs an environment with the Allen SDK: 'make allensdk', then YURAGI_TEST_ALLENSDK=1 (YURAGI_ALLENSDK_PYTHON names another interpreter)",
)
def test_the_real_sdk_on_a_seeded_cache(seeded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_allensdk.CACHE_VARIABLE, str(seeded))
    check_responses(load("allen_visual_coding", cache=tmp_path / "cache")["responses"])
    spontaneous = load("allen_visual_coding_spontaneous", cache=tmp_path / "cache")["recording"]
    check_spontaneous(spontaneous)
    assert (spontaneous.attrs["targeted_structure"], spontaneous.attrs["imaging_depth_um"]) == ("VISp", 175)
