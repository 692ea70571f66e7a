"""Readers of MATLAB, numpy and picture files in the published layouts: the labels say where each number came from, and what is wrong is told."""

from __future__ import annotations

import gzip
import struct
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from yuragi.datasets.catalogue import dataset
from yuragi.datasets.quality import check_units
from yuragi.errors import InputError


def test_cascade_is_time_by_cell_and_keeps_missing_cells(tmp_path: Path) -> None:
    path = tmp_path / "traces.mat"
    traces = np.random.default_rng(0).standard_normal((1005, 260))
    traces[[60, 348]] = np.nan
    savemat(path, {"dF_traces": traces})
    chosen = dataset("cascade_examples", recording="zebrafish_pdp_3")
    assert [file.name for file in chosen.files()] == ["Calcium_traces_03.mat"]
    found = chosen.read({"Calcium_traces_03.mat": path})["recording"]
    np.testing.assert_array_equal(found.values, traces.T)
    assert found["time"].values[15] == 2.0
    assert set(found["area"].values) == {"pDp"}
    checked = check_units(found)
    assert checked.attrs["dropped_missing_units"] == 2
    assert {60, 348}.isdisjoint(checked["unit"].values.tolist())
    with pytest.raises(InputError, match="'dF_traces' is 1005 x 260, expected 74 x 6001"):
        dataset("cascade_examples").read({"Experiment_552195520_excerpt.mat": path})
    savemat(path, {"traces": traces})
    with pytest.raises(InputError, match="holds no 'dF_traces' but traces"):
        chosen.read({"Calcium_traces_03.mat": path})


@pytest.fixture
def fish(tmp_path: Path) -> dict[str, Path]:
    generator = np.random.default_rng(0)
    arrays = {
        "timeseries_regions_fish6.npy": generator.standard_normal((70, 892)),
        "SC.npy": generator.random((70, 70)),
        "region_names.npy": np.array([f"region {number}" for number in range(70)]),
        "region_acronyms.npy": np.array([f"R{number}" for number in range(70)]),
        "region_centroids.npy": generator.random((140, 3)),
    }
    for name, array in arrays.items():
        np.save(tmp_path / name, array)
    return {name: tmp_path / name for name in arrays}


def test_legare(fish: dict[str, Path]) -> None:
    series, connections, positions = (np.load(fish[name]) for name in ("timeseries_regions_fish6.npy", "SC.npy", "region_centroids.npy"))
    rest = dataset("legare2025_zebrafish").read(fish)
    np.testing.assert_array_equal(rest["recording"].values, series.T[:600])
    assert np.isnan(rest["recording"].attrs["sampling_interval"])
    whole = dataset("legare2025_zebrafish", part="all", sampling_interval=0.5).read(fish)
    np.testing.assert_array_equal(whole["recording"].values, series.T)
    assert whole["time"].values[-1] == 891 * 0.5
    assert whole["structural_connectivity"].sel(unit="R3", other_unit="R5") == connections[3, 5]
    assert whole["region"].values[69] == "region 69"
    for axis, column in {"x": 0, "y": 1, "z": 2}.items():
        np.testing.assert_array_equal(whole[axis].values, positions[:70, column])
    np.testing.assert_array_equal(whole["x_opposite"].values, positions[70:, 0])


def test_legare_refuses_other_files(fish: dict[str, Path]) -> None:
    np.save(fish["region_names.npy"], np.arange(70))
    with pytest.raises(InputError, match="holds int64, expected names"):
        dataset("legare2025_zebrafish").read(fish)
    np.save(fish["SC.npy"], np.zeros((70, 69)))
    with pytest.raises(InputError, match=r"'SC\.npy' is 70 x 69, expected 70 x 70"):
        dataset("legare2025_zebrafish").read(fish)
    np.save(fish["region_names.npy"], np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read as a numpy array"):
        dataset("legare2025_zebrafish").read(fish)


def write_fashion(folder: Path) -> tuple[dict[str, Path], np.ndarray, dict[str, np.ndarray]]:
    """The seven files of Fashion-MNIST; a tile's pixels all bear its row and column, so that its place can be told."""
    generator = np.random.default_rng(0)
    labels = {part: generator.integers(0, 10, count).astype(np.uint8) for part, count in {"train": 60_000, "t10k": 10_000}.items()}
    images = {"x_train_preview": generator.integers(0, 256, (100, 28, 28), dtype=np.uint8), "x_test": np.zeros((2000, 28, 28), np.uint8)}
    images["x_test"][:, 0, 0] = np.arange(2000) % 251
    paths = {file.name: folder / file.name for file in dataset("fashion_mnist").files()}
    for part, values in labels.items():
        paths[f"{part}-labels-idx1-ubyte.gz"].write_bytes(gzip.compress(struct.pack(">2i", 2049, values.size) + values.tobytes()))
    for name, values in {**images, "y_train_preview": labels["train"][:100], "y_test": labels["t10k"][:2000]}.items():
        np.savez_compressed(paths[f"neuralnetvis_{name}.npz"], values)
    rows, columns = np.indices((30, 30)).repeat(28, axis=1).repeat(28, axis=2).astype(np.uint8)
    picture = np.stack([rows * 8 + columns % 8, columns, rows, np.full_like(rows, 255)], axis=-1)
    Image.fromarray(picture).save(paths["fashion-mnist-sprite.png"])
    return paths, picture, labels | images


def test_fashion_mnist(tmp_path: Path) -> None:
    paths, picture, known = write_fashion(tmp_path)
    data = dataset("fashion_mnist").read(paths)
    pixels = np.rint(data["images"].values[:, 0] * 255).astype(np.uint8)
    np.testing.assert_array_equal(pixels[:100], known["x_train_preview"])
    np.testing.assert_array_equal(pixels[1000:], known["x_test"])
    np.testing.assert_array_equal(data["labels"].values[:100], known["train"][:100])
    np.testing.assert_array_equal(data["labels"].values[1000:], known["t10k"][:2000])
    # The tiles in turns: number 10 k + c is the k-th tile of class c, in the rows 3 c to 3 c + 2.
    for k, c in product((0, 29, 30, 89), range(10)):
        row, column = 3 * c + k // 30, k % 30
        np.testing.assert_array_equal(pixels[100 + 10 * k + c], picture[28 * row : 28 * row + 28, 28 * column : 28 * column + 28, 0])
        assert data["labels"].values[100 + 10 * k + c] == c
    origins, counts = np.unique(data["origin"].values, return_counts=True)
    assert dict(zip(origins.tolist(), counts.tolist(), strict=True)) == {"test": 2000, "tile": 900, "train": 100}
    part = dataset("fashion_mnist", n_train=130, n_test=5).read(paths)
    assert np.bincount(part["labels"].values[100:130]).tolist() == [3] * 10
    np.testing.assert_array_equal(part["images"].values[:130], data["images"].values[:130])
    np.testing.assert_array_equal(part["images"].values[130:], data["images"].values[1000:1005])
    assert "fashion-mnist-sprite.png" not in [file.name for file in dataset("fashion_mnist", n_train=100).files()]


def test_fashion_mnist_refuses_labels_in_another_order(tmp_path: Path) -> None:
    paths, _, known = write_fashion(tmp_path)
    np.savez_compressed(paths["neuralnetvis_y_test.npz"], np.roll(known["t10k"][:2000], 1))
    with pytest.raises(
        InputError, match=r"neuralnetvis_y_test.npz: \d+ labels differ from the official ones, the first at image \d+; the images may"
    ):
        dataset("fashion_mnist").read(paths)
    for values, told in {
        "shape": (np.zeros((3, 28, 28), np.uint8), "'arr_0' is 3 x 28 x 28, expected 100 x 28 x 28"),
        "dtype": (np.zeros((100, 28, 28), np.float32), "'arr_0' is float32, expected uint8"),
        "objects": (np.array([None]), "cannot be read as a numpy archive"),
    }.values():
        np.savez_compressed(paths["neuralnetvis_x_train_preview.npz"], values)
        with pytest.raises(InputError, match=told):
            dataset("fashion_mnist").read(paths)
    np.savez_compressed(paths["neuralnetvis_x_train_preview.npz"], images=np.zeros(3))
    with pytest.raises(InputError, match="holds no 'arr_0' but images"):
        dataset("fashion_mnist").read(paths)


CATEGORIES = ["human bodypart"] * 12 + ["human face"] * 12 + ["nonhuman bodypart"] * 12 + ["nonhuman face"] * 12
CATEGORIES += ["natural inanimate"] * 23 + ["artificial inanimate"] * 21


def structures(shape: tuple[int, ...], **fields: list[Any]) -> np.ndarray:
    """A MATLAB structure array."""
    array = np.empty(shape, dtype=[(name, object) for name in fields])
    for name, values in fields.items():
        column = np.empty(len(values), dtype=object)
        for place, value in enumerate(values):
            column[place] = value
        array[name] = column.reshape(shape)
    return array


def write_92(folder: Path, **changes: Any) -> dict[str, Path]:
    images = [np.full((175, 175, 3), number, np.uint8) for number in range(92)]
    images[7] = np.tile(np.array([10, 20, 30], np.uint8), (175, 175, 1))
    matrices = [np.full((92, 92), float(number), np.float32) for number in range(8)]
    stimuli = structures((1, 92), image=images, category=changes.get("categories", CATEGORIES))
    brain = structures((1, 4, 2), RDM=matrices, name=[f"hIT | {subject} | Session: {session}" for subject in "ABCD" for session in (1, 2)])
    names = ["animacy", "FaceBodyManmadeNatobj", "monkeyIT", "EVA", "HMAX", "V1", "Silhouette", "RADON"]
    models = structures((1, 8), RDM=[(10 + number) * np.eye(92) for number in range(8)], name=names)
    paths = {file.name: folder / file.name for file in dataset("images92").files()}
    savemat(paths["Kriegeskorte_Neuron2008_supplementalData.mat"], {changes.get("variable", "stimuli_92objs"): stimuli})
    savemat(paths["92_brainRDMs.mat"], {"RDMs": brain})
    savemat(paths["92_modelRDMs.mat"], {"Models": models})
    return paths


def test_images92(tmp_path: Path) -> None:
    data = dataset("images92").read(write_92(tmp_path))
    assert data["images"].shape == (92, 3, 175, 175)
    np.testing.assert_array_equal(data["images"].values[7, :, 3, 4] * np.float32(255), [10, 20, 30])
    assert [data.attrs["classes"][label] for label in data["labels"].values] == CATEGORIES
    assert (data["split"].values == "test").sum() == 23 == dataset("images92").sizes()["test"]
    assert data["matrix"].values[:3].tolist() == ["hIT | A | Session: 1", "hIT | A | Session: 2", "hIT | B | Session: 1"]
    assert data["dissimilarity"].dims == ("matrix", "image", "other_image")
    assert data["dissimilarity"].sel(matrix="hIT | C | Session: 2").values[3, 4] == 5.0
    assert data["dissimilarity"].sel(matrix="V1").values[3, 3] == 15.0
    assert data["measured"].values.tolist() == [True] * 8 + [False, False, True] + [False] * 5
    other = dataset("images92", seed=1, test_fraction=0.5).read(write_92(tmp_path))
    assert (other["split"].values == "test").sum() == dataset("images92", test_fraction=0.5).sizes()["test"] == 6 * 4 + 12 + 10


def test_images92_refuses_other_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no 'stimuli_92objs' but photographs"):
        dataset("images92").read(write_92(tmp_path, variable="photographs"))
    with pytest.raises(InputError, match="its classes are artificial inanimate, human bodypart, human face, natural inanimate, nonhuman"):
        dataset("images92").read(write_92(tmp_path, categories=[*CATEGORIES[:-1], "human face"]))
    paths = write_92(tmp_path)
    savemat(paths["92_brainRDMs.mat"], {"RDMs": structures((1, 4, 2), RDM=[np.eye(3)] * 8, name=["a"] * 8)})
    with pytest.raises(InputError, match="'RDM' is 3 x 3, expected 92 x 92"):
        dataset("images92").read(paths)
    savemat(paths["92_modelRDMs.mat"], {"Models": structures((1, 8), RDM=[np.eye(92)] * 8)})
    write_brain = write_92(tmp_path / "..")["92_brainRDMs.mat"]
    with pytest.raises(InputError, match=r"holds no 'Models\.name' but RDM"):
        dataset("images92").read(paths | {"92_brainRDMs.mat": write_brain})
