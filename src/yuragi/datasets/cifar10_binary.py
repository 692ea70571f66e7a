"""All of CIFAR-10, from the files of its binary version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets._own_file import reading, some
from yuragi.datasets.base import Dataset
from yuragi.datasets.cifar10 import CIFAR10, CLASSES
from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

RECORDS = 10_000
"""Images in one file."""
RECORD = 1 + 3 * 32 * 32
"""Bytes of one image: its label, and red, green and blue, each row by row."""
TEST_FILE = "test_batch.bin"


class CIFAR10Binary(Dataset):
    """All of CIFAR-10, 50,000 training and 10,000 test photographs of 32 x 32 pixels, from the folder of its binary version.

    The folder is what the archive of the binary version unpacks to, with ``data_batch_1.bin`` … ``data_batch_5.bin`` and ``test_batch.bin``: 10,000
    records each of one byte for the label and 3,072 for the pixels, channel by channel (red, green, blue), row by row. The first ``n_train`` and
    ``n_test`` images in the order of the files, of which only those that hold them are read. Held as float32 the whole set takes 737 MB, and a
    quarter more while it is read.

    ``load("cifar10_binary", path="cifar-10-batches-bin", n_train=20_000)``
    """

    kind: Literal["cifar10_binary"] = "cifar10_binary"
    path: str = Field(min_length=1, description="folder in which data_batch_1.bin … data_batch_5.bin and test_batch.bin lie")
    n_train: int = Field(50_000, ge=1, le=50_000, description="training images; only the files that hold them are read")
    n_test: int = Field(10_000, ge=1, le=10_000, description="test images")

    contents: ClassVar = "images"
    local: ClassVar = True
    example: ClassVar[Mapping[str, Any]] = {"path": "cifar-10-batches-bin"}
    licence: ClassVar = CIFAR10.licence
    citation: ClassVar = CIFAR10.citation
    home: ClassVar = CIFAR10.home

    def sizes(self) -> dict[str, int]:
        return {"train": self.n_train, "test": self.n_test}

    def local_files(self) -> tuple[Path, ...]:
        batches = range(1, 1 + -(-self.n_train // RECORDS))
        return tuple(Path(self.path).expanduser() / name for name in (*(f"data_batch_{batch}.bin" for batch in batches), TEST_FILE))

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        *training, test = self.local_files()
        pixels = np.empty((self.n_train + self.n_test, 3, 32, 32), np.uint8)
        labels = np.empty(len(pixels), np.uint8)
        for start, stop, path in [
            *((first, min(first + RECORDS, self.n_train), path) for first, path in zip(range(0, self.n_train, RECORDS), training, strict=True)),
            (self.n_train, len(pixels), test),
        ]:
            labels[start:stop], pixels[start:stop] = (part[: stop - start] for part in read_batch(path))
        return labelled.image_set(
            pixels,
            labels,
            np.repeat(["train", "test"], [self.n_train, self.n_test]),
            maximum=255,
            classes=CLASSES,
            attributes=self.provenance(),
        )


def read_batch(path: Path) -> tuple[jaxtyping.UInt8[np.ndarray, " image"], jaxtyping.UInt8[np.ndarray, "image 3 32 32"]]:
    """Labels 0 … 9 and pixels 0 … 255 of one file; an `InputError` where it is not there, has another size or a label beyond 9."""
    if not path.is_file():
        there = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
        told = f"its folder has {some(there, most=6)}" if there else "its folder is missing or empty"
        raise InputError(f"{path}: no such file, {told}; unpack the archive of CIFAR-10's binary version and set 'path' to the folder that it makes")
    if (size := path.stat().st_size) != RECORDS * RECORD:
        raise InputError(
            f"{path}: {size} bytes, expected {RECORDS * RECORD}, {RECORDS} records of {RECORD}; unpack the archive of CIFAR-10's binary version again"
        )
    with reading(path, "a file of CIFAR-10's binary version"):
        records = np.fromfile(path, np.uint8).reshape(RECORDS, RECORD)
    if (wrong := np.flatnonzero(records[:, 0] >= len(CLASSES))).size:
        raise InputError(
            f"{path}: record {wrong[0]} has the label {records[wrong[0], 0]}, expected 0 to {len(CLASSES) - 1}; "
            "this is no file of CIFAR-10's binary version: unpack its archive again"
        )
    return records[:, 0], records[:, 1:].reshape(-1, 3, 32, 32)
