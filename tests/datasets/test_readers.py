"""Readers on small files of the same layout: the labels say where each number came from, and what is missing is told."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from PIL import Image
from scipy.io import savemat

from yuragi.datasets.base import Dataset
from yuragi.datasets.catalogue import dataset
from yuragi.errors import InputError


def read_from(chosen: Dataset, path: Path) -> xr.Dataset:
    return chosen.read({chosen.files()[0].name: path})


def text(value: str) -> np.ndarray:
    return np.array([[ord(character)] for character in value], dtype=np.uint16)


SCALES, CATEGORIES, MOVIES = ["zoom1x", "zoom2x"], ["natural", "synthetic", "contrast"], [f"movie{index}" for index in range(10)]


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Two units; each count encodes its condition; the third category was shown at the first scale only."""
    counts = np.zeros((4, 2, 11, 10, 3, 2))
    for unit, frame, movie, category, scale in product(range(2), range(11), range(10), range(3), range(2)):
        counts[:, unit, frame, movie, category, scale] = unit + 10 * frame + 1000 * movie + 10_000 * category + 100_000 * scale
    counts[:, :, :, :, 2, 1] = np.nan
    counts[3, 1] = np.nan
    path = tmp_path / "session.mat"
    with h5py.File(path, "w") as file:
        group = file.create_group("naturalStruct")
        group["sortedResponses"] = counts
        group["cluster_list"] = [[5.0], [8.0]]
        group["cortical_area"] = text("V1")
        group["integrationPeriod"] = [[0.2]]
        for key, values in {"scales": SCALES, "categories": CATEGORIES, "movie_titles": MOVIES}.items():
            references = []
            for index, value in enumerate(values):
                file[f"#refs#/{key}{index}"] = text(value)
                references.append([file[f"#refs#/{key}{index}"].ref])
            group.create_dataset(f"stimulusStruct/{key}", data=np.array(references, dtype=object), dtype=h5py.ref_dtype)
    return path


def test_henaff_conditions_become_labelled_stimuli(session: Path) -> None:
    found = read_from(dataset("henaff2021_v1"), session)["responses"]
    assert found.shape == (4, 550, 2)
    assert found["unit"].values.tolist() == [5, 8]
    assert found["area"].values.tolist() == ["V1", "V1"]
    assert found.attrs["units"] == "spikes in 200 ms"
    assert len(set(found["stimulus"].values)) == 550
    for stimulus in found.transpose("stimulus", "repeat", "unit")[::37]:
        expected = (
            10 * (int(stimulus["frame"]) - 1)
            + 1000 * MOVIES.index(str(stimulus["movie"].values))
            + 10_000 * CATEGORIES.index(str(stimulus["category"].values))
            + 100_000 * SCALES.index(str(stimulus["scale"].values))
        )
        np.testing.assert_array_equal(stimulus[:3], expected + np.array([[0, 1]] * 3))
        assert np.isfinite(stimulus.values[3]).tolist() == [True, False]
    assert found["frame"].values[:12].tolist() == [*range(1, 12), 1]


@pytest.mark.parametrize(
    ("gone", "told"), [("sortedResponses", "holds no '/naturalStruct/sortedResponses' but"), ("stimulusStruct/scales", "scales")]
)
def test_henaff_tells_what_is_missing(session: Path, gone: str, told: str) -> None:
    with h5py.File(session, "a") as file:
        del file[f"naturalStruct/{gone}"]
    with pytest.raises(InputError, match=told):
        read_from(dataset("henaff2021_v1"), session)


def test_henaff_refuses_other_shapes(session: Path) -> None:
    with h5py.File(session, "a") as file:
        del file["naturalStruct/sortedResponses"]
        file["naturalStruct/sortedResponses"] = np.zeros((4, 3, 11, 10, 3, 2))
    with pytest.raises(InputError, match="expected any x 2 x 11 x 10 x 3 x 2"):
        read_from(dataset("henaff2021_v1"), session)


def write_nwb(path: Path, time: np.ndarray, series: dict[str, np.ndarray]) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("acquisition/Tracked 2D position")
        for name, values in series.items():
            file[f"acquisition/{name}/data"] = values
            file[f"acquisition/{name}/timestamps"] = time


def test_scholz_keeps_the_pauses(tmp_path: Path) -> None:
    path = tmp_path / "worm.nwb"
    time = np.concatenate([np.arange(4), 10 + np.arange(7), 30 + np.arange(2)]) * 0.166
    values = np.random.default_rng(0).standard_normal((3, 13))
    write_nwb(path, time, {f"Activity_{index:04d}": row for index, row in enumerate(values)})
    everything = read_from(dataset("scholz2018_celegans"), path)["recording"]
    np.testing.assert_array_equal(everything.values, values.T)
    np.testing.assert_array_equal(everything["time"].values, time)
    assert everything["segment"].values.tolist() == [0] * 4 + [1] * 7 + [2] * 2
    assert everything.attrs["pauses"] == 2
    assert everything.attrs["sampling_interval"] == 0.166
    assert everything["unit"].values.tolist() == ["0000", "0001", "0002"]
    longest = read_from(dataset("scholz2018_celegans", segment="longest"), path)["recording"]
    np.testing.assert_array_equal(longest.values, values.T[4:11])
    assert longest.attrs["pauses"] == 0


def test_scholz_tells_which_series_are_there(tmp_path: Path) -> None:
    path = tmp_path / "worm.nwb"
    write_nwb(path, np.arange(3.0), {"Calcium": np.zeros(3)})
    with pytest.raises(InputError, match="holds no 'acquisition/Activity_XXXX' but Calcium, Tracked 2D position"):
        read_from(dataset("scholz2018_celegans"), path)
    write_nwb(path, np.arange(3.0), {"Activity_0000": np.zeros(3), "Activity_0001": np.zeros(2)})
    with pytest.raises(InputError, match="Activity_0001/data' is 2, expected 3"):
        read_from(dataset("scholz2018_celegans"), path)


def test_cowley_drops_padding_only(tmp_path: Path) -> None:
    path = tmp_path / "responses.npy"
    counts = np.random.default_rng(0).poisson(2.0, (82, 600, 10)).astype(float)
    counts[:, :300, 5:] = np.nan
    counts[:, :, 8:] = np.nan
    np.save(path, counts)
    found = read_from(dataset("cowley2023_v4"), path)["responses"]
    assert found.shape == (8, 600, 82)
    np.testing.assert_array_equal(found.values[:, 299, 7], counts[7, 299, :8])
    np.save(path, counts[:, :, :9])
    with pytest.raises(InputError, match="is 82 x 600 x 9, expected 82 x 600 x 10"):
        read_from(dataset("cowley2023_v4"), path)


def test_matlab_recordings(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    series = np.random.default_rng(0).standard_normal((94, 20))
    savemat(path, {"tc": series})
    found = read_from(dataset("hcp_rest_aal2"), path)["recording"]
    np.testing.assert_array_equal(found.values, series.T)
    assert found["time"].values[1] == 0.72
    with pytest.raises(InputError, match="holds no 'activity_matrix' but tc"):
        read_from(dataset("triplett2018_tectum"), path)
    savemat(path, {"activity_matrix": np.zeros((114, 9)), "cell_coordinates": np.zeros((114, 2))})
    tectum = read_from(dataset("triplett2018_tectum"), path)["recording"]
    assert np.isnan(tectum.attrs["sampling_interval"])
    assert tectum["time"].values.tolist() == list(range(9))
    assert tectum["time"].attrs["units"] == "frame"


def test_cifar_rows_become_images_in_order(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    chosen = dataset("cifar10", n_train=1500, n_test=3)
    paths, batches = {}, []
    for file in chosen.files():
        paths[file.name] = tmp_path / file.name
        if file.name.endswith(".png"):
            batches.append(generator.integers(0, 256, (1000, 1024, 3), dtype=np.uint8))
            Image.fromarray(batches[-1]).save(paths[file.name], compress_level=0)
    labels = generator.integers(0, 10, 51_000)
    paths["cifar10_labels.js"].write_text(f"var labels={labels.tolist()};")
    found = chosen.read(paths)
    assert found["images"].shape == (1503, 3, 32, 32)
    assert found["images"].values[1400, 2, 5, 7] == np.float32(batches[1][400, 5 * 32 + 7, 2]) / np.float32(255)
    assert found["images"].values[1502, 0, 31, 0] == np.float32(batches[2][2, 31 * 32, 0]) / np.float32(255)
    np.testing.assert_array_equal(found["labels"].values, np.concatenate([labels[:1500], labels[50_000:50_003]]))
    assert found["split"].values[[0, 1499, 1500, 1502]].tolist() == ["train", "train", "test", "test"]
    paths["cifar10_labels.js"].write_text("var labels=[1, 2];")
    with pytest.raises(InputError, match="'labels' is 2, expected 51000"):
        chosen.read(paths)
