"""Small colour photographs of ten kinds of things."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, RemoteFile, remote_files
from yuragi.datasets.formats import check_shape, read_javascript_integers, read_png

np = lazy.load("numpy")
xr = lazy.load("xarray")

_FILES = remote_files(
    "https://raw.githubusercontent.com/veleialei/686_Project1_CNNVIS/29a5a6eb763112cfd0487ebe01cc7cffd4465011/cifar10",
    """
    cifar10_batch_0.png 2318456 0614720d69293a033786d5fe2924c4e9a9b48874f19ca4627c4662a864ee9f2d
    cifar10_batch_1.png 2326379 2927e26ea68602e34a7424826b76b7336ce36b8f6bcc2e9fce0c05568ff6b4c1
    cifar10_batch_2.png 2312906 0b2759e307bb405bb1a6531f8a0f557eaec46d7546050612fdb836f0fa60eae0
    cifar10_batch_3.png 2328590 a4530ff15c83886058a97c352f53f38be07d191de8f410e998e91786b5900a26
    cifar10_batch_4.png 2303320 6368e6cf9ded682f69919f391510b73ac16058592013789501caea14cd6f15e2
    cifar10_batch_5.png 2303313 b8d480bb9e1fceddf958efbe7fa0613e42b36d77f2dd839040b6bb5c3fb4fd1c
    cifar10_batch_6.png 2326638 fcc06b274a20361573764fa885fa6e40cd50b2e6eb95656690d4f5125f295e14
    cifar10_batch_7.png 2314475 e7b8d6e916b2d5c9e6b9a3b6fc3161ccecb5142ce1d3d5a05e465f090daeb417
    cifar10_batch_8.png 2309737 4c582a8c638f2333a544526d3f24d0d85d108b3587d4b44cabc0cbc66dd269ac
    cifar10_batch_9.png 2296835 218b20c7526f88c0d79b485167147ebc3ace9ef3d3b8561358bd9f667164a0a8
    cifar10_batch_10.png 2299407 2b31fb8431f2b9a7870e5ff41cee102fdba5ccced08e651f7f6b456770014476
    cifar10_batch_11.png 2312697 140e4b9b97ecf75761490f3ee32d75bfc5e8bd9253afd4cbd5e4f60bbe9ff34e
    cifar10_batch_50.png 2315890 5cea9e8fb7933540a2236a4bb25c1ed3a8447f345c55ae659143a95a5d8dac5e
    cifar10_labels.js 153013 f482175c1417531377e189c7fa35093727845396ca86e225af7a3dc594b101f8
    """,
)

BATCH = 1000
"""Images in one PNG, one a row."""
TEST_BATCH = 50
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class CIFAR10(Dataset):
    """Colour photographs of 32 x 32 pixels in ten classes, the first 12,000 training images and the first 1,000 test images.

    A part of the whole set (50,000 and 10,000), kept as lossless PNGs.
    """

    kind: Literal["cifar10"] = "cifar10"
    n_train: int = Field(12_000, ge=1, le=12_000, description="training images; only the files that hold them are fetched")
    n_test: int = Field(1000, ge=1, le=1000, description="test images")

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "images"
    licence: ClassVar = "none stated; cite Krizhevsky 2009"
    citation: ClassVar = "Krizhevsky (2009) Learning multiple layers of features from tiny images, technical report, University of Toronto"
    home: ClassVar = "https://www.cs.toronto.edu/~kriz/cifar.html"

    def sizes(self) -> dict[str, int]:
        return {"train": self.n_train, "test": self.n_test}

    def files(self) -> tuple[RemoteFile, ...]:
        batches = (*range(-(-self.n_train // BATCH)), TEST_BATCH)
        return self.source_files(*(f"cifar10_batch_{batch}.png" for batch in batches), "cifar10_labels.js")

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        *batches, last = (file.name for file in self.files())
        labels = read_javascript_integers(paths[last], "labels")
        check_shape(paths[last], "labels", labels.shape, ((TEST_BATCH + 1) * BATCH,))
        pixels = np.empty((self.n_train + self.n_test, 32, 32, 3), np.uint8)
        for start, name in zip(range(0, self.n_train, BATCH), batches[:-1], strict=True):
            part = pixels[start : min(start + BATCH, self.n_train)]
            part[:] = read_png(paths[name], "RGB", BATCH, 1024).reshape(-1, 32, 32, 3)[: len(part)]
        pixels[self.n_train :] = read_png(paths[batches[-1]], "RGB", BATCH, 1024).reshape(-1, 32, 32, 3)[: self.n_test]
        return labelled.image_set(
            pixels.transpose(0, 3, 1, 2),
            np.concatenate([labels[: self.n_train], labels[TEST_BATCH * BATCH :][: self.n_test]]),
            np.repeat(["train", "test"], [self.n_train, self.n_test]),
            maximum=255,
            classes=CLASSES,
            attributes=self.provenance(),
        )
