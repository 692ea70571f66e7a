"""Every real source, read from the mirror into an empty cache: shapes, types and some values of the files themselves."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from yuragi.datasets.base import Dataset
from yuragi.datasets.catalogue import dataset, load
from yuragi.datasets.quality import check_units
from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf
from yuragi.plugins import discover

pytestmark = pytest.mark.recordings

# The others are no part of a mirror as a rule: they would be looked for at their public addresses.
PINNED = [name for name, chosen in discover("yuragi.datasets", Dataset).items() if chosen.arrival() == "pinned"]
AXES = {"repeats": "repeat", "stimuli": "stimulus", "units": "unit", "frames": "time"}


def assert_sizes(name: str, array: xr.DataArray, **options: object) -> None:
    """What the configuration is told before anything is read is what is read."""
    told = dataset(name, **options).sizes()
    assert {AXES[key]: size for key, size in told.items()} == dict(array.sizes)


def read(mirror: Path, cache: Path, name: str, **options: object) -> xr.Dataset:
    return load(name, cache=cache, mirror=mirror, **options)


@pytest.mark.parametrize("name", [name for name in PINNED if discover("yuragi.datasets", Dataset)[name].contents != "images"])
def test_every_brain_source_survives_a_file(mirror: Path, tmp_path: Path, name: str) -> None:
    data = read(mirror, tmp_path, name)
    array = data[dataset(name).contents]
    assert array.dtype == np.float64
    assert_sizes(name, array)
    assert {"units", "source", "licence", "citation", "sha256"} <= set(array.attrs)
    write_netcdf(data, tmp_path / "data.nc")
    assert read_netcdf(tmp_path / "data.nc").identical(data)


@pytest.mark.parametrize(("subject", "frames", "first"), [("101309", 1200, 9361.322414), (284646, 1054, 8729.659934)])
def test_hcp(mirror: Path, tmp_path: Path, subject: str | int, frames: int, first: float) -> None:
    found = read(mirror, tmp_path, "hcp_rest_aal2", subject=subject)["recording"]
    assert found.shape == (frames, 94)
    assert_sizes("hcp_rest_aal2", found, subject=subject)
    assert found.attrs["sampling_interval"] == 0.72
    assert found.values[0, 0] == first
    checked = check_units(found, constant="refuse", missing="refuse")
    assert checked.shape == found.shape


@pytest.mark.parametrize(
    ("session", "shape", "missing", "fewest", "most", "largest"),
    [("201016", (9, 600, 82), 141_286, 5, 9, 24.0), ("210325", (10, 640, 50), 78_000, 6, 10, 20.0)],
)
def test_cowley(mirror: Path, tmp_path: Path, session: str, shape: tuple[int, ...], missing: int, fewest: int, most: int, largest: float) -> None:
    found = read(mirror, tmp_path, "cowley2023_v4", session=session)["responses"]
    assert found.shape == shape
    assert_sizes("cowley2023_v4", found, session=session)
    assert np.isnan(found.values).sum() == missing
    repeats = np.isfinite(found.values).sum(axis=0)
    assert (repeats.min(), repeats.max()) == (fewest, most)
    assert (np.nanmin(found.values), np.nanmax(found.values)) == (0.0, largest)
    averages = np.load(mirror / "cowley2023_v4" / "responses_repeat_averaged" / f"responses_{session}.npy")
    np.testing.assert_allclose(np.nanmean(found.values, axis=0).T, averages, rtol=1e-12)
    assert check_units(found, missing="refuse").shape == shape


@pytest.mark.parametrize(
    ("session", "units", "fewest", "largest"),
    [("ay2_u003", 39, 30, 71), ("ay2_u007", 16, 27, 37), ("ay3_u001", 47, 38, 57), ("ay4_u001", 13, 33, 30)],
)
def test_henaff(mirror: Path, tmp_path: Path, session: str, units: int, fewest: int, largest: int) -> None:
    found = read(mirror, tmp_path, "henaff2021_v1", session=session)["responses"]
    assert found.shape == (50, 484, units)
    assert_sizes("henaff2021_v1", found, session=session)
    repeats = np.isfinite(found.values).sum(axis=0)
    assert (repeats.min(), repeats.max()) == (fewest, 50)
    assert np.nanmax(found.values) == largest
    shown = found["category"].values == "contrast"
    assert shown.sum() == 44
    assert set(found["scale"].values[shown]) == {"zoom1x"}
    assert set(found["movie"].values[shown]) == {"movie02-bees", "movie04-egomotion", "movie07-walking", "movie10-leaves-wind"}
    assert set(found["area"].values) == {"V1"}
    assert check_units(found).sizes["stimulus"] == 484


def test_triplett(mirror: Path, tmp_path: Path) -> None:
    found = read(mirror, tmp_path, "triplett2018_tectum")["recording"]
    assert found.shape == (4245, 114)
    assert np.isnan(found.attrs["sampling_interval"])
    assert found.values[0, 0] == pytest.approx(0.19215154)
    assert found["x"].values[1], found["y"].values[1] == (214.0, pytest.approx(164.6667, abs=1e-3))


@pytest.mark.parametrize(
    ("session", "frames", "units", "pauses", "longest"),
    [("BrainScanner20180223_141721", 2244, 62, 7, 666), ("BrainScanner20180223_142554", 3690, 59, 18, 684)],
)
def test_scholz(mirror: Path, tmp_path: Path, session: str, frames: int, units: int, pauses: int, longest: int) -> None:
    found = read(mirror, tmp_path, "scholz2018_celegans", session=session)["recording"]
    assert found.shape == (frames, units)
    assert found.attrs["sampling_interval"] == pytest.approx(0.166, abs=0.002)
    assert found.attrs["pauses"] == pauses
    stretch = read(mirror, tmp_path, "scholz2018_celegans", session=session, segment="longest")["recording"]
    assert stretch.shape == (longest, units)
    assert_sizes("scholz2018_celegans", found, session=session)
    assert_sizes("scholz2018_celegans", stretch, session=session, segment="longest")
    assert np.diff(stretch["time"].values).max() < 0.2


def test_objects81(mirror: Path, tmp_path: Path) -> None:
    found = read(mirror, tmp_path, "objects81_fmri")["responses"]
    assert found.shape == (1, 81, 696)
    assert found.values[0, 0, 0] == np.float32(-1.0202258)
    assert found["stimulus"].values[:3].tolist() == ["airplane", "armchair", "bathtub"]
    areas, sizes = np.unique(found["area"].values, return_counts=True)
    assert areas.tolist() == ["EVC", "FFA", "LOC", "OFA", "OPA", "PFS", "PPA"]
    assert 90 <= sizes.min() <= sizes.max() <= 110
    with pytest.raises(InputError, match="one repeat only"):
        check_units(found)


def test_mnist_is_bit_exact(mirror: Path, tmp_path: Path) -> None:
    data = read(mirror, tmp_path, "mnist")
    assert data["images"].shape == (70_000, 1, 28, 28)
    assert data["images"].dtype == np.float32
    train = data["split"].values == "train"
    assert train.sum() == 60_000
    pixels = np.rint(data["images"].values[train] * 255).astype(np.uint8)
    raw = struct.pack(">4i", 2051, 60_000, 28, 28) + pixels.tobytes()
    assert hashlib.md5(raw, usedforsecurity=False).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"
    assert data["labels"].values[:5].tolist() == [5, 0, 4, 1, 9]
    assert data["labels"].values[60_000:60_005].tolist() == [7, 2, 1, 0, 4]


def test_a_part_of_mnist(mirror: Path, tmp_path: Path) -> None:
    part = read(mirror, tmp_path, "mnist", n_train=3500, n_test=100)
    assert part["images"].shape == (3600, 1, 28, 28)
    assert sorted(path.name for path in (tmp_path / "mnist").glob("*.png")) == ["mnist_batch_0.png", "mnist_batch_1.png"]


def test_cifar10(mirror: Path, tmp_path: Path) -> None:
    data = read(mirror, tmp_path, "cifar10")
    assert data["images"].shape == (13_000, 3, 32, 32)
    assert (float(data["images"].min()), float(data["images"].max())) == (0.0, 1.0)
    assert (data["split"].values == "train").sum() == 12_000
    assert data["labels"].values[:5].tolist() == [6, 9, 9, 4, 1]
    assert data["labels"].values[12_000:12_005].tolist() == [3, 8, 8, 0, 6]
    assert data.attrs["classes"][data["labels"].values[0]] == "frog"
    # Channel means of the whole training set are 0.4914, 0.4822, 0.4465; red and blue swapped would be off by 0.045.
    means = data["images"].values[:12_000].mean(axis=(0, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=0.01)


@pytest.mark.parametrize("name", PINNED)
def test_every_listed_file_is_in_the_mirror(mirror: Path, name: str) -> None:
    chosen = discover("yuragi.datasets", Dataset)[name]
    for file in chosen.SOURCES:
        assert (mirror / (chosen.folder or name) / file.name).stat().st_size == file.size
