"""Small photographs of clothes: the part of Fashion-MNIST that lies in public repositories without loss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, RemoteFile, remote_files
from yuragi.datasets.formats import check_shape, missing_variable, parsing, read_idx, read_png
from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

_OFFICIAL = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141"
_CARRIER = "https://raw.githubusercontent.com/daniel-marcus/neuralnetvis/8f6eeeecd1aad46df833cf884d3450dcd6c9d498/public/data/fashion_mnist_20k"


def _renamed(address: str, name: str, size: int, sha256: str) -> RemoteFile:
    return RemoteFile(f"neuralnetvis_{name}", f"{address}/{name}", sha256, size)


_FILES = (
    *remote_files(f"{_OFFICIAL}/doc/img", "fashion-mnist-sprite.png 790450 a7de0a151f8c68e6e96f157a018ac290d1f6b0e7845892c3d7d85cb64961c3cb"),
    *remote_files(
        f"{_OFFICIAL}/data/fashion",
        """
        t10k-labels-idx1-ubyte.gz 5148 67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5
        train-labels-idx1-ubyte.gz 29515 a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845
        """,
    ),
    _renamed(_CARRIER, "x_test.npz", 884806, "f6200e96cd04e1dd59788c3e2332ff3c95a5545992a8f9c1d9fda1130a390c87"),
    _renamed(_CARRIER, "y_test.npz", 1258, "ab317ff2b2d39fb8c3ff8b23edb52d4fe2a5e29edca7b5e7245da6b7a3b87570"),
    _renamed(_CARRIER, "x_train_preview.npz", 43774, "3a3bf946b232904eef914248150c3a9e417089eb0d3427f7baf82ced4cd02e27"),
    _renamed(_CARRIER, "y_train_preview.npz", 285, "dc1a94cbb97c16a3afdddd13888e4a3f085e7412d47fe5228dca1c6e4ede093a"),
)

TEST, FIRST, TILES = 2000, 100, 900
"""Test images, first images of the training part, and images of the sprite."""
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class FashionMNIST(Dataset):
    """Photographs of clothes, 28 x 28 pixels, ten classes: 1,000 images to train on and the first 2,000 test images; a part of the whole set.

    The whole set is 60,000 and 10,000. Without loss there are: the first 100 training images and the first 2,000 test images, and the 900 tiles of
    the picture in the authors' repository, 90 of each class, of which nobody tells which images of the set they are. None of the tiles is one of
    the other 2,100 images, bit for bit. So little to train on is enough for a demonstration; accuracies do not compare with published ones.

    The training part is the first 100 training images, then the tiles, the classes in turn. ``origin`` (image) says which: ``train``, ``tile``,
    ``test``. The labels are the official ones, by position, and for a tile by its row: three rows a class. The labels that came with the images
    are checked against the official ones.
    """

    kind: Literal["fashion_mnist"] = "fashion_mnist"
    n_train: int = Field(FIRST + TILES, ge=1, le=FIRST + TILES, description="training images: the first 100 of the set, then tiles")
    n_test: int = Field(TEST, ge=1, le=TEST, description="test images")

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "images"
    licence: ClassVar = "MIT"
    citation: ClassVar = (
        "Xiao, Rasul, Vollgraf (2017) Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms, arXiv:1708.07747"
    )
    home: ClassVar = "https://github.com/zalandoresearch/fashion-mnist"

    def sizes(self) -> dict[str, int]:
        return {"train": self.n_train, "test": self.n_test}

    def files(self) -> tuple[RemoteFile, ...]:
        return _FILES if self.n_train > FIRST else _FILES[1:]

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        train, train_labels = _checked(paths, "train_preview", "train-labels-idx1-ubyte.gz", (FIRST, 60_000))
        test, test_labels = _checked(paths, "test", "t10k-labels-idx1-ubyte.gz", (TEST, 10_000))
        first = min(self.n_train, FIRST)
        images, labels = [train[:first]], [train_labels[:first]]
        if self.n_train > FIRST:
            tiles, tile_labels = _tiles(paths["fashion-mnist-sprite.png"])
            images.append(tiles[: self.n_train - FIRST])
            labels.append(tile_labels[: self.n_train - FIRST])
        counts = [first, self.n_train - first, self.n_test]
        data = labelled.image_set(
            np.concatenate([*images, test[: self.n_test]])[:, None],
            np.concatenate([*labels, test_labels[: self.n_test]]),
            np.repeat(["train", "train", "test"], counts),
            maximum=255,
            classes=CLASSES,
            attributes=self.provenance(),
        )
        return data.assign_coords(origin=("image", np.repeat(["train", "tile", "test"], counts)))


def _checked(
    paths: Mapping[str, Path], part: str, official: str, counts: tuple[int, int]
) -> tuple[jaxtyping.UInt8[np.ndarray, "image height width"], jaxtyping.UInt8[np.ndarray, " image"]]:
    """Images and the official labels of the same positions, after a comparison with the labels that came with the images."""
    images = _read_npz(paths[f"neuralnetvis_x_{part}.npz"], (counts[0], 28, 28))
    beside = _read_npz(paths[f"neuralnetvis_y_{part}.npz"], (counts[0],))
    labels = read_idx(paths[official], (counts[1],))[: counts[0]]
    wrong = np.flatnonzero(labels != beside)
    if wrong.size:
        raise InputError(
            f"{paths[f'neuralnetvis_y_{part}.npz']}: {wrong.size} labels differ from the official ones, the first at image {wrong[0]}; "
            "the images may be in another order: delete the file and fetch it again"
        )
    return images, labels


def _read_npz(path: Path, shape: tuple[int, ...]) -> jaxtyping.UInt8[np.ndarray, ...]:
    """The only array of a numpy archive; objects are refused."""
    with parsing(path, "a numpy archive"), np.load(path, allow_pickle=False) as archive:
        if "arr_0" not in archive:
            raise missing_variable(path, "arr_0", sorted(archive))
        found = archive["arr_0"]
    check_shape(path, "arr_0", found.shape, shape)
    if found.dtype != np.uint8:
        raise InputError(f"{path}: 'arr_0' is {found.dtype}, expected uint8; this is not the file that the data set names")
    return found


def _tiles(path: Path) -> tuple[jaxtyping.UInt8[np.ndarray, "image height width"], jaxtyping.UInt8[np.ndarray, " image"]]:
    """The 30 x 30 tiles of the picture, of which a class has three rows; the classes in turn, so that a part of them is balanced."""
    grey = read_png(path, "RGBA", 840, 840)[..., 0].reshape(30, 28, 30, 28).transpose(0, 2, 1, 3)
    turns = grey.reshape(10, TILES // 10, 28, 28).swapaxes(0, 1)
    return np.ascontiguousarray(turns).reshape(TILES, 28, 28), np.tile(np.arange(10, dtype=np.uint8), TILES // 10)
