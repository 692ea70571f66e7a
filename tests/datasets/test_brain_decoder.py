"""bdpy's HDF5, old and new, from the listing over the download to responses sorted by image; and the NSD subset."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from yuragi.datasets import repositories
from yuragi.datasets.brain_decoder import by_stimulus
from yuragi.datasets.catalogue import dataset, load
from yuragi.errors import InputError

from .conftest import Server

TEST = "sub-01_perceptionNaturalImageTest_original_VC.h5"
IMAGES = [7, 3, 7, 3, 7, 5]


def write(path: Path, labels: dict[str, list[float]], old: bool = False) -> np.ndarray:
    """Five voxels, the V1 of which are the second, fourth and fifth, then one column for each label; a voxel's place in the metadata."""
    voxels = np.random.default_rng(0).normal(size=(len(IMAGES), 5))
    matrix = np.column_stack([voxels, *labels.values()])
    columns = matrix.shape[1]

    def row(values: dict[int, float]) -> np.ndarray:
        found = np.full(columns, np.nan)
        found[list(values)] = list(values.values())
        return found

    keys = {
        "VoxelData": row(dict.fromkeys(range(5), 1.0)),
        "voxel_x": row({place: 10.0 * place for place in range(5)}),
        "ROI_V1": row({0: 0.0, 1: 1.0, 2: 0.0, 3: 1.0, 4: 1.0}),
        "ROI_V2": row({0: 1.0, 2: 1.0}),
    } | {name: row({5 + place: 1.0}) for place, name in enumerate(labels)}
    data, metadata = ("dataSet", "metaData") if old else ("dataset", "metadata")
    with h5py.File(path, "w") as file:
        file[data] = matrix
        text = np.array([key.encode() for key in keys]) if old else np.array(list(keys), dtype=h5py.string_dtype())
        file[f"{metadata}/key"] = text
        file[f"{metadata}/description"] = text
        file[f"{metadata}/value"] = np.stack(list(keys.values()))
    return voxels


@pytest.mark.parametrize("old", [False, True])
def test_images_become_stimuli_from_the_listing_on(old: bool, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voxels = write(tmp_path / TEST, {"image_index": IMAGES, "Run": [1, 1, 1, 2, 2, 2]}, old)
    body = (tmp_path / TEST).read_bytes()
    monkeypatch.setattr(repositories, "FIGSHARE", server.address)
    entry = {"name": TEST, "size": len(body), "computed_md5": hashlib.md5(body).hexdigest(), "download_url": f"{server.address}/files/9"}
    server.bodies |= {"/articles/7033577/files?page=1&page_size=100": json.dumps([entry]).encode(), "/files/9": body}
    found = load("deep_image_reconstruction")["responses"]
    assert found.shape == (3, 3, 3)
    assert found.dtype == np.float32
    assert found["stimulus"].values.tolist() == [3, 5, 7]
    np.testing.assert_allclose(found.sel(stimulus=7).values, voxels[[0, 2, 4]][:, [1, 3, 4]], rtol=1e-6)
    np.testing.assert_allclose(found.sel(stimulus=5).values[0], voxels[5, [1, 3, 4]], rtol=1e-6)
    assert np.isnan(found.sel(stimulus=5).values[1:]).all()
    assert found["run"].sel(stimulus=7).values.tolist() == [1, 1, 2]
    assert found["x"].values.tolist() == [10, 30, 40]
    assert found["area"].values.tolist() == ["V1"] * 3
    assert found.attrs["sha256"] == hashlib.sha256(body).hexdigest()


def test_training_test_and_imagery_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "Subject2.h5"
    voxels = write(path, {"DataType": [1, 1, 2, 2, 2, 3], "image_index": IMAGES})
    test = dataset("generic_object_decoding", subject=2, roi="V2").read({path.name: path})["responses"]
    assert (test.shape, test["stimulus"].values.tolist()) == ((2, 2, 2), [3, 7])
    np.testing.assert_allclose(test.sel(stimulus=7).values, voxels[[2, 4]][:, [0, 2]], rtol=1e-6)
    training = dataset("generic_object_decoding", subject=2, part="training").read({path.name: path})["responses"]
    assert (training.shape, training["stimulus"].values.tolist()) == ((1, 2, 3), [3, 7])


def test_what_is_missing_is_told_with_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / TEST
    write(path, {"image_index": IMAGES})
    with pytest.raises(InputError, match=r"roi = 'V9' is not there; choose one of V1, V2"):
        dataset("deep_image_reconstruction", roi="V9").read({TEST: path})
    with pytest.raises(InputError, match=r"holds no 'DataType' but ROI_V1, ROI_V2, VoxelData, image_index, voxel_x"):
        dataset("generic_object_decoding").read({"Subject1.h5": path})
    write(path, {"Run": [1.0] * 6})
    with pytest.raises(InputError, match=r"holds no 'image_index' but"):
        dataset("deep_image_reconstruction").read({TEST: path})
    with h5py.File(path, "w") as file:
        file["other"] = [1]
    with pytest.raises(InputError, match=r"holds no '/dataset' but other"):
        dataset("deep_image_reconstruction").read({TEST: path})


def test_sorting_by_stimulus_against_a_loop() -> None:
    generator = np.random.default_rng(5)
    identities, samples = generator.integers(0, 6, 40).astype(float), generator.normal(size=(40, 2))
    values, shown, place = by_stimulus(samples, identities)
    for stimulus, name in enumerate(shown):
        own = samples[identities == name]
        np.testing.assert_array_equal(values[: len(own), stimulus], own)
        assert np.isnan(values[len(own) :, stimulus]).all()
    np.testing.assert_array_equal(values[place[:, 0], place[:, 1]], samples)


def person(path: Path, subject: int, stimuli: list[int], **attributes: Any) -> xr.DataArray:
    """One person's file: each image up to three times, presentations in the order of the sessions."""
    generator = np.random.default_rng(subject)
    seen: dict[int, int] = {}
    repetition = []
    for stimulus in stimuli:
        repetition.append(seen.get(stimulus, 0))
        seen[stimulus] = repetition[-1] + 1
    array = xr.DataArray(
        generator.normal(size=(len(stimuli), 4 + subject)).astype(np.float32),
        dims=("presentation", "neuroid"),
        coords={
            "session": ("presentation", np.zeros(len(stimuli), np.uint8)),
            "trial": ("presentation", np.arange(len(stimuli), dtype=np.uint16)),
            "run": ("presentation", np.zeros(len(stimuli), np.uint8)),
            "stimulus": ("presentation", np.array(stimuli, np.uint32)),
            "repetition": ("presentation", np.array(repetition, np.uint8)),
        }
        | {axis: ("neuroid", np.arange(4 + subject, dtype=np.uint8)) for axis in "xyz"},
        attrs={"resolution": "1pt8mm", "preprocessing": "fithrf", "z_score": 1, "subject": subject} | attributes,
        name="betas",
    )
    array.to_netcdf(path, engine="h5netcdf")
    return array


def test_shared_images_of_two_people(tmp_path: Path) -> None:
    paths = {f"data/subject={number}.nc": tmp_path / f"{number}.nc" for number in (0, 1)}
    first = person(paths["data/subject=0.nc"], 0, [30, 10, 20, 10, 30, 20, 10, 40])
    person(paths["data/subject=1.nc"], 1, [10, 30, 10, 30, 20, 40, 40])
    found = dataset("nsd_v1").read(paths)["responses"]
    assert found["stimulus"].values.tolist() == [10, 30]
    np.testing.assert_array_equal(found.sel(stimulus=10).values, first.values[[1, 3]])
    np.testing.assert_array_equal(found.sel(stimulus=30).values, first.values[[0, 4]])
    assert (found.dtype, found.attrs["subject"], found.attrs["units"]) == (np.float32, 0, "z-scored amplitude")
    assert dataset("nsd_v1", subject=1).read(paths)["responses"].sizes["unit"] == 5
    assert dataset("nsd_v1", images="all").read(paths)["responses"]["stimulus"].values.tolist() == [10, 20, 30]
    with pytest.raises(InputError, match="subject = 5: not in the files; choose one of 0, 1"):
        dataset("nsd_v1", subject=5).read(paths)
    with pytest.raises(InputError, match="repeats = 3: no image was seen that often"):
        dataset("nsd_v1", repeats=3).read(paths)


def test_another_layout_is_told(tmp_path: Path) -> None:
    xr.Dataset({"betas": (("time", "voxel"), np.zeros((3, 2)))}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"expected one array \(presentation, neuroid\).*found betas \(time, voxel\)") as caught:
        dataset("nsd_v1").read({"a.nc": tmp_path / "a.nc"})
    assert "\n" not in str(caught.value)
