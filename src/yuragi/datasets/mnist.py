"""Hand-written digits, 28 x 28 pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, RemoteFile, remote_files
from yuragi.datasets.formats import read_idx, read_png

np = lazy.load("numpy")
xr = lazy.load("xarray")

_TRAINING_IMAGES = remote_files(
    "https://raw.githubusercontent.com/karpathy/convnetjs/b9683e9374fa90b08b1c977544597ab191b31399/demo/mnist",
    """
    mnist_batch_0.png 495297 54d39dfaf0057158346bcabe733a4a93a8a02595adf2496abe8123c7eed85457
    mnist_batch_1.png 498109 de5ff3ee0fb8052d80c8124a61dbd9896a10cec11237ceae61cd4d8053288bb0
    mnist_batch_2.png 491559 14578a89cd497e00403c345c7b6523995f84f7a30561de28b238483364f6c1cd
    mnist_batch_3.png 491048 2d6161d591840118584158b98df72203b16373a92602a1597d837333181de55b
    mnist_batch_4.png 495116 cd84689bd8dfc3737b821097fc604d3b7e8bc125d3cd6a3bb30a7507ef4d7ce5
    mnist_batch_5.png 492209 abf32f587873280bb38c1593d4555b74eac743156569a2e380effd944732102c
    mnist_batch_6.png 491444 20ae1fc9d7381ae9f3f8e93e6f717a829b9c5f2648ab90d859359c34f6df370b
    mnist_batch_7.png 496313 b601118422f7c8cbea0a8daf008b10bbe10c17a3e3162d69db7068bd0f81aadb
    mnist_batch_8.png 482615 b4f82b66b9f155c7ee00e1265ad3f6d6fa10dcf48134f5b7ec650a719e0c07b9
    mnist_batch_9.png 492964 3578cf8893f90d94909250faa124d26df2a015a936bf38e93c8294ea262c74f4
    mnist_batch_10.png 492631 0e115b0b2618bd472aec7aca32a0614ff6804a00c91414ca1ab8926bec1d9d82
    mnist_batch_11.png 493716 47b3c7da91a1a6f6d2be559b7b34144a2b7098dc6e131432b0bed4607f95e5cb
    mnist_batch_12.png 497610 708bb164b1a0fb3ab07ebc57e63ba324af3f311d57f0849a1e105f4ae90f11ad
    mnist_batch_13.png 490679 708bffa630556b78d1954b66198bbb706afefce7c96268970b67c69c1a71968e
    mnist_batch_14.png 495981 1dae86b58155d10c39c9a1103851cc3e830ae4f1d6d8d436dcc8aea24f99eff8
    mnist_batch_15.png 497969 f4e1ba671eaa6cde349d21be84b53967aba199e51dc43358b4ee0defb62a4018
    mnist_batch_16.png 493644 1a6e9e424fab5c1ab0f6df455e8dbda94a132db99a199f27c576babc15b21317
    mnist_batch_17.png 497062 bc37aca4047ce38258e1cce2357d0267dd2bdce930743dd111ee9944081b5cd4
    mnist_batch_18.png 488368 c1a0167b5a8489408ec955a5c3b82f8b9238174ba63006758bd1d8352dac2b98
    mnist_batch_19.png 500873 dcc5166de8a1155640ea4afd5bd4cfef547608d3dea82aeade74bc5e03927dcd
    """,
)
_OTHERS = remote_files(
    "https://raw.githubusercontent.com/patrick-kidger/equinox/9336d820b2ef66b360fc6cb3611b3da5cefbb14d/docs/examples/MNIST/MNIST/raw",
    """
    t10k-images-idx3-ubyte.gz 1648877 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
    t10k-labels-idx1-ubyte.gz 4542 f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6
    train-labels-idx1-ubyte.gz 28881 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c
    """,
)

BATCH = 3000
"""Training images in one PNG, one a row."""


class MNIST(Dataset):
    """Hand-written digits, 60,000 training and 10,000 test images of 28 x 28 pixels.

    The first ``n_train`` and ``n_test`` images in the order of the source, training images first. The training images are kept as lossless PNGs.
    """

    kind: Literal["mnist"] = "mnist"
    n_train: int = Field(60_000, ge=1, le=60_000, description="training images; only the files that hold them are fetched")
    n_test: int = Field(10_000, ge=1, le=10_000, description="test images")

    SOURCES: ClassVar = _TRAINING_IMAGES + _OTHERS
    contents: ClassVar = "images"
    licence: ClassVar = "CC BY-SA 3.0 (usual)"
    citation: ClassVar = (
        "LeCun, Bottou, Bengio, Haffner (1998) Gradient-based learning applied to document recognition, Proceedings of the IEEE 86:2278-2324"
    )
    home: ClassVar = "http://yann.lecun.com/exdb/mnist"

    def sizes(self) -> dict[str, int]:
        return {"train": self.n_train, "test": self.n_test}

    def files(self) -> tuple[RemoteFile, ...]:
        batches = -(-self.n_train // BATCH)
        return _TRAINING_IMAGES[:batches] + _OTHERS

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        batches = [file.name for file in self.files() if file.name.endswith(".png")]
        train = np.concatenate([read_png(paths[name], "L", BATCH, 784) for name in batches])[: self.n_train]
        test = read_idx(paths["t10k-images-idx3-ubyte.gz"], (10_000, 28, 28))[: self.n_test]
        train_labels = read_idx(paths["train-labels-idx1-ubyte.gz"], (60_000,))[: self.n_train]
        test_labels = read_idx(paths["t10k-labels-idx1-ubyte.gz"], (10_000,))[: self.n_test]
        return labelled.image_set(
            np.concatenate([train.reshape(-1, 1, 28, 28), test[:, None]]),
            np.concatenate([train_labels, test_labels]),
            np.repeat(["train", "test"], [self.n_train, self.n_test]),
            maximum=255,
            classes=[str(digit) for digit in range(10)],
            attributes=self.provenance(),
        )
