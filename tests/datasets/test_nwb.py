"""Your own NWB files: versions 2 and 1, times, labels, and one line for each file that will not do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.base import Images
from pynwb.ecephys import ElectricalSeries
from pynwb.image import GrayscaleImage, ImageSeries
from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel

from yuragi.datasets._segments import longest, segments
from yuragi.datasets.catalogue import dataset, load
from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf

RATES = np.random.default_rng(0).standard_normal((40, 3))
PAUSED = np.concatenate([np.arange(15), 20 + np.arange(25)]) * 0.1
ROI = "processing/ophys/Fluorescence/RoiResponseSeries"


def with_rois(file: NWBFile) -> None:
    """Two-photon traces of regions 12, 10 and 11, kept as integers with a conversion factor and an offset."""
    device = file.create_device(name="microscope")
    channel = OpticalChannel(name="green", description="green", emission_lambda=510.0)
    plane = file.create_imaging_plane(
        name="plane", optical_channel=channel, description="V1", device=device, excitation_lambda=920.0, indicator="GCaMP6f", location="V1"
    )
    module = file.create_processing_module(name="ophys", description="calcium")
    masks, traces = ImageSegmentation(), Fluorescence()
    module.add(masks)
    module.add(traces)
    segmentation = masks.create_plane_segmentation(name="cells", description="cells", imaging_plane=plane)
    for number in range(3):
        segmentation.add_roi(id=10 + number, pixel_mask=[(number, 1, 1.0)])
    rois = segmentation.create_roi_table_region(region=[2, 0, 1], description="in another order")
    traces.create_roi_response_series(
        name="RoiResponseSeries", data=np.arange(120, dtype=np.int16).reshape(40, 3), rois=rois, unit="dF/F", timestamps=PAUSED,
        conversion=0.5, offset=-1.0,
    )  # fmt: skip


def with_electrodes(file: NWBFile) -> None:
    group = file.create_electrode_group(name="probe", description="probe", location="V4", device=file.create_device(name="array"))
    for number, location in enumerate(["V1", "V4", "V4"]):
        file.add_electrode(id=100 + number, x=float(number), y=0.0, z=-1.0, location=location, group=group)
    region = file.create_electrode_table_region(region=[0, 2], description="two of three")
    file.add_acquisition(
        ElectricalSeries(
            name="envelope", data=RATES[:, :2], electrodes=region, rate=20.0, starting_time=5.0, conversion=1e-3, channel_conversion=[1.0, 2.0]
        )
    )


def with_single_units(file: NWBFile) -> None:
    for number in range(3):
        file.add_acquisition(TimeSeries(name=f"Unit_{number}", data=RATES[:, number], unit="Hz", rate=10.0))
    file.add_acquisition(TimeSeries(name="Unit_late", data=RATES[:, 0], unit="Hz", rate=10.0, starting_time=1.0))
    file.add_acquisition(TimeSeries(name="speed", data=RATES[:, 0], unit="cm/s", rate=10.0))
    file.add_acquisition(ImageSeries(name="movie", data=np.zeros((4, 5, 6), np.uint8), unit="a.u.", rate=1.0))
    file.add_acquisition(Images(name="photographs", images=[GrayscaleImage(name="one", data=np.zeros((2, 2)))]))
    file.add_acquisition(TimeSeries(name="timeless", data=RATES, unit="Hz", timestamps=np.zeros(40)))
    file.add_acquisition(TimeSeries(name="short", data=RATES[:1], unit="Hz", rate=10.0))
    file.create_processing_module(name="behavior", description="behaviour").add(TimeSeries(name="speed", data=RATES[:, 1], unit="cm/s", rate=10.0))


@pytest.fixture(scope="module")
def nwb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = NWBFile(session_description="made up", identifier="made up", session_start_time=datetime(2024, 1, 1, tzinfo=UTC))
    with_rois(file)
    with_electrodes(file)
    with_single_units(file)
    path = tmp_path_factory.mktemp("nwb") / "mouse.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


def read(path: Path, series: str, **options: Any) -> xr.DataArray:
    return load("nwb_recording", path=str(path), series=series, **options)["recording"]


@pytest.mark.parametrize("name", [ROI, f"/{ROI}", "RoiResponseSeries", "Fluorescence/RoiResponseSeries"])
def test_traces_of_regions(nwb: Path, name: str) -> None:
    found = read(nwb, name)
    np.testing.assert_array_equal(found.values, np.arange(120).reshape(40, 3) * 0.5 - 1.0)
    assert found["unit"].values.tolist() == [12, 10, 11]
    np.testing.assert_array_equal(found["time"].values, PAUSED)
    assert found.attrs["units"] == "dF/F"
    assert found.attrs["sampling_interval"] == 0.1
    assert found.attrs["pauses"] == 1
    assert found.attrs["source"] == "mouse.nwb"
    assert found["segment"].values.tolist() == [0] * 15 + [1] * 25
    np.testing.assert_array_equal(read(nwb, name, segment="longest").values, found.values[15:])


def test_electrodes_have_areas_and_positions(nwb: Path, tmp_path: Path) -> None:
    found = read(nwb, "envelope")
    np.testing.assert_allclose(found.values, RATES[:, :2] * 1e-3 * [1.0, 2.0], rtol=1e-12)
    assert found["unit"].values.tolist() == [100, 102]
    assert found["area"].values.tolist() == ["V1", "V4"]
    assert (found["x"].values.tolist(), found["z"].values.tolist()) == ([0.0, 2.0], [-1.0, -1.0])
    np.testing.assert_allclose(found["time"].values, 5.0 + np.arange(40) / 20.0)
    assert found.attrs["sampling_interval"] == 0.05
    write_netcdf(found.to_dataset(), tmp_path / "recording.nc")
    assert read_netcdf(tmp_path / "recording.nc")["recording"].identical(found)


def test_series_of_one_unit_stand_side_by_side(nwb: Path) -> None:
    found = read(nwb, "acquisition/Unit_[0-9]")
    np.testing.assert_array_equal(found.values, RATES)
    assert found["unit"].values.tolist() == ["Unit_0", "Unit_1", "Unit_2"]
    np.testing.assert_array_equal(read(nwb, "Unit_1").values, RATES[:, [1]])


@pytest.mark.parametrize(
    ("series", "told"),
    [
        ("DfOverF", "holds no series 'DfOverF'; set 'series' to one of these: acquisition/Unit_0, acquisition/Unit_1"),
        ("Fluorescence", f"one of these: .*{ROI}"),
        ("acquisition/photographs", "holds no series 'acquisition/photographs'"),
        ("speed", "'speed' could be acquisition/speed, processing/behavior/speed; give the whole path"),
        ("Unit_*", "'acquisition/Unit_late' has other times than 'acquisition/Unit_0'"),
        ("acquisition/[Us]*[0d]", "is in cm/s and 'acquisition/Unit_0' in Hz"),
        ("?n*[0p]*", "only series of one unit can be put side by side"),
        ("movie", "is a ImageSeries with data of 4 x 5 x 6, expected numbers of time, or of time x unit"),
        ("timeless", "the time of 'acquisition/timeless' does not increase after frame 0: 0 s, 0 s"),
        ("short", "'acquisition/short' has 1 frames"),
    ],
)
def test_what_is_not_there_or_will_not_do(nwb: Path, series: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        read(nwb, series)
    assert "\n" not in str(caught.value)
    assert str(nwb) in str(caught.value)


@pytest.mark.parametrize(("key", "told"), [("timestamps", "has 7 timestamps and data of 40 x 3"), ("rois", "has 3 columns and refers to 2 rois")])
def test_a_file_that_contradicts_itself(nwb: Path, tmp_path: Path, key: str, told: str) -> None:
    path = tmp_path / "broken.nwb"
    path.write_bytes(nwb.read_bytes())
    with h5py.File(path, "a") as file:
        attributes = dict(file[ROI][key].attrs)
        values = np.arange(7.0) if key == "timestamps" else np.array([0, 1])
        del file[ROI][key]
        file[ROI].create_dataset(key, data=values).attrs.update(attributes)
    with pytest.raises(InputError, match=told):
        read(path, ROI)


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "text.nwb").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["counts"] = np.zeros(3)
    with h5py.File(tmp_path / "hollow.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
    for name, told in {
        "text.nwb": "cannot be read as an HDF5 file",
        "other.h5": "is HDF5 but no NWB file, it has no 'nwb_version' but counts",
        "hollow.nwb": "cannot be read as an NWB 2 file",
        "absent.nwb": "no such file; correct 'path'",
        ".": "is a folder, not a file",
    }.items():
        with pytest.raises(InputError, match=told) as caught:
            read(tmp_path / name, "x")
        assert "\n" not in str(caught.value)


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """The layout of an experiment of the Allen Brain Observatory: a row for each cell."""
    path = tmp_path / "allen.nwb"
    group = "processing/brain_observatory_pipeline/DfOverF/imaging_plane_1"
    with h5py.File(path, "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
        file[f"{group}/data"] = RATES.T.astype(np.float32)
        file[f"{group}/data"].attrs["conversion"] = np.nan
        file[f"{group}/timestamps"] = 3.0 + np.arange(40) / 30.0
        file[f"{group}/roi_names"] = np.array([b"roi_000", b"roi_001", b"roi_002"])
        file["acquisition/timeseries/running/data"] = RATES[:, 0]
        file["acquisition/timeseries/running/data"].attrs.update(unit="cm/s", conversion=2.0)
        file["acquisition/timeseries/running/starting_time"] = 1.0
        file["acquisition/timeseries/running/starting_time"].attrs["rate"] = 10.0
        file["acquisition/timeseries/rateless/data"] = RATES
        file["acquisition/timeseries/rateless/starting_time"] = 1.0
        file["acquisition/timeseries/square/data"] = np.eye(40)
        file["acquisition/timeseries/square/timestamps"] = np.arange(40.0)
        file["acquisition/timeseries/cube/data"] = np.zeros((2, 2, 2))
        file["acquisition/timeseries/cube/timestamps"] = np.arange(2.0)
        file["stimulus/presentation/locally_sparse_noise/frame_duration"] = np.zeros((4, 2))
    return path


def test_version_1(version_1: Path) -> None:
    found = read(version_1, "processing/brain_observatory_pipeline/DfOverF/imaging_plane_1")
    np.testing.assert_array_equal(found.values, RATES.astype(np.float32))
    assert found["unit"].values.tolist() == ["roi_000", "roi_001", "roi_002"]
    np.testing.assert_array_equal(found["time"].values, 3.0 + np.arange(40) / 30.0)
    assert found.attrs["sampling_interval"] == pytest.approx(1 / 30, rel=1e-8)
    assert found.attrs["pauses"] == 0
    running = read(version_1, "running")
    np.testing.assert_array_equal(running.values, 2.0 * RATES[:, [0]])
    np.testing.assert_allclose(running["time"].values, 1.0 + np.arange(40) / 10.0)
    assert running.attrs["units"] == "cm/s"


@pytest.mark.parametrize(
    ("series", "told"),
    [
        ("DfOverF", "one of these: acquisition/timeseries/cube, .*processing/brain_observatory_pipeline/DfOverF/imaging_plane_1$"),
        ("rateless", "has neither timestamps nor a rate"),
        ("square", "is square, 40 x 40, so that time cannot be told from unit"),
        ("cube", "holds data of 2 x 2 x 2 float64"),
    ],
)
def test_version_1_refuses(version_1: Path, series: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read(version_1, series)


def test_the_file_is_what_the_results_depend_on(version_1: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = dataset("nwb_recording", path=str(version_1), series="running")
    assert chosen.local_files() == (version_1,)
    before = chosen.sha256()
    with h5py.File(version_1, "a") as file:
        file["more"] = 1
    assert chosen.sha256() != before
    monkeypatch.setenv("HOME", str(version_1.parent))
    assert dataset("nwb_recording", path="~/allen.nwb", series="running").local_files() == (version_1,)
    with pytest.raises(InputError, match="series"):
        dataset("nwb_recording", path="a.nwb")


def test_segments_by_hand() -> None:
    interval, numbers = segments(np.array([0.0, 1.0, 2.0, 3.49, 4.99, 5.99]))
    assert interval == 1.0
    assert numbers.tolist() == [0, 0, 0, 0, 1, 1]
    assert longest(numbers).tolist() == [True, True, True, True, False, False]
