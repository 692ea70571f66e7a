"""Image sets of the mirror that are kept in pieces: what the real files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat
from scipy.spatial.distance import squareform

from yuragi.datasets.catalogue import dataset, load

pytestmark = pytest.mark.recordings


def test_fashion_mnist(mirror: Path, tmp_path: Path) -> None:
    data = load("fashion_mnist", cache=tmp_path, mirror=mirror)
    assert data["images"].shape == (3000, 1, 28, 28)
    assert data["images"].dtype == np.float32
    assert (float(data["images"].min()), float(data["images"].max())) == (0.0, 1.0)
    assert [int((data["split"] == part).sum()) for part in ("train", "test")] == list(dataset("fashion_mnist").sizes().values())
    assert data["labels"].values[:5].tolist() == [9, 0, 0, 3, 0]
    assert data["labels"].values[1000:1005].tolist() == [9, 2, 1, 1, 6]
    assert data.attrs["classes"][data["labels"].values[0]] == "Ankle boot"
    assert np.bincount(data["labels"].values[100:1000]).tolist() == [90] * 10


def test_fashion_labels_fit_the_images(mirror: Path, tmp_path: Path) -> None:
    """Labels by position cannot be checked image by image; but the classes' mean images of one source must recognise the images of the other."""
    data = load("fashion_mnist", cache=tmp_path, mirror=mirror)
    pixels, labels, origin = data["images"].values.reshape(3000, -1), data["labels"].values, data["origin"].values

    def recognised(source: str, images: str) -> float:
        means = np.stack([pixels[(origin == source) & (labels == label)].mean(axis=0) for label in range(10)])
        chosen = origin == images
        distances = np.square(means).sum(axis=1) - 2 * pixels[chosen] @ means.T
        return float((distances.argmin(axis=1) == labels[chosen]).mean())

    assert recognised("test", "tile") > 0.6
    assert recognised("tile", "test") > 0.6
    assert recognised("tile", "train") > 0.6
    rolled = np.roll(labels[origin == "test"], 1)
    assert (rolled == labels[origin == "test"]).mean() < 0.15


def test_fashion_images_are_all_different(mirror: Path, tmp_path: Path) -> None:
    data = load("fashion_mnist", cache=tmp_path, mirror=mirror)
    assert len({image.tobytes() for image in data["images"].values}) == 3000


def test_images92(mirror: Path, tmp_path: Path) -> None:
    data = load("images92", cache=tmp_path, mirror=mirror)
    assert data["images"].shape == (92, 3, 175, 175)
    np.testing.assert_array_equal(np.unique(np.rint(data["images"].values[0, :, 0, 0] * 255)), [128])
    assert np.bincount(data["labels"].values).tolist() == [12, 12, 12, 12, 23, 21]
    vectors = loadmat(mirror / "images92" / "Kriegeskorte_Neuron2008_supplementalData.mat", variable_names=["categoryVectors", "RDMs_mIT_hIT_fig1"])
    animate = vectors["categoryVectors"][:, 0] == 1
    assert (animate == (data["labels"].values < 4)).all()
    matrices = data["dissimilarity"]
    assert matrices.shape == (16, 92, 92)
    assert matrices["matrix"].values[[0, 1, 7]].tolist() == ["hIT | BE | Session: 1", "hIT | BE | Session: 2", "hIT | TI | Session: 2"]
    np.testing.assert_allclose(matrices.values, matrices.values.swapaxes(1, 2), atol=1e-12)
    assert np.abs(np.diagonal(matrices.values, axis1=1, axis2=2)).max() == 0.0
    assert int(matrices["measured"].sum()) == 9
    # The figure's matrices, kept in another file: human IT is the mean over subjects and sessions, monkey IT is the same.
    monkey, human = (squareform(row["RDM"].ravel()) for row in vectors["RDMs_mIT_hIT_fig1"].ravel())
    np.testing.assert_allclose(matrices[:8].mean("matrix").values, human, atol=1e-6)
    np.testing.assert_array_equal(matrices.sel(matrix="monkeyIT").values, monkey)


@pytest.mark.parametrize("name", ["fashion_mnist", "images92"])
def test_only_what_is_needed_is_fetched(mirror: Path, tmp_path: Path, name: str) -> None:
    load(name, cache=tmp_path, mirror=mirror, **({"n_train": 50} if name == "fashion_mnist" else {}))
    found = {path.name for path in (tmp_path / name).iterdir()}
    assert found == {file.name for file in dataset(name, **({"n_train": 50} if name == "fashion_mnist" else {})).files()}
    assert "fashion-mnist-sprite.png" not in found
