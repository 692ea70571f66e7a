"""Hand-written digits, 8 x 8 pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset
from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

CONTENT_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
IMAGES_PER_CLASS = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)


class Digits(Dataset):
    """1,797 hand-written digits of 8 x 8 pixels, shipped with scikit-learn; small enough for every test and demonstration.

    The classes are split in the same proportion, by chance but the same for the same seed. Images keep the order of the source.
    """

    kind: Literal["digits"] = "digits"
    test_fraction: float = Field(0.25, gt=0, lt=1, description="part of each class that is kept for testing")
    seed: int = Field(0, ge=0, description="seed of the split")

    contents: ClassVar = "images"
    embedded: ClassVar = True
    licence: ClassVar = "shipped with scikit-learn (BSD-3-Clause); from the UCI Machine Learning Repository"
    citation: ClassVar = "E. Alpaydin, C. Kaynak (1998) Cascading Classifiers, Kybernetika"
    home: ClassVar = "https://scikit-learn.org/stable/datasets/toy_dataset.html"

    def sizes(self) -> dict[str, int]:
        test = sum(held_out(self.test_fraction, images) for images in IMAGES_PER_CLASS)
        return {"train": sum(IMAGES_PER_CLASS) - test, "test": test}

    def sha256(self, paths: Mapping[str, Path] | None = None) -> str:
        return CONTENT_SHA256

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        from sklearn.datasets import load_digits

        found = load_digits()
        images, labels = found.images.astype(np.uint8), found.target.astype(np.uint8)
        digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
        if digest != CONTENT_SHA256:
            raise InputError(f"scikit-learn's digits: wrong hash, sha256 {digest} found and {CONTENT_SHA256} expected; reinstall scikit-learn")
        split = stratified_split(labels, self.test_fraction, np.random.default_rng(self.seed))
        return labelled.image_set(
            images[:, None], labels, split, maximum=16, classes=[str(digit) for digit in range(10)], attributes=self.provenance()
        )


def held_out(test_fraction: float, images: int) -> int:
    """How many images of one class are kept for testing."""
    return round(test_fraction * images)


def stratified_split(
    labels: jaxtyping.Integer[np.ndarray, " image"], test_fraction: float, generator: np.random.Generator
) -> jaxtyping.Shaped[np.ndarray, " image"]:
    """``"train"`` or ``"test"`` for each image, the same fraction of each class up to rounding.

    >>> import numpy as np
    >>> (stratified_split(np.array([0, 0, 0, 0, 1, 1]), 0.5, np.random.default_rng(0)) == "test").sum()
    np.int64(3)
    """
    split = np.full(labels.shape, "train")
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        split[generator.permutation(members)[: held_out(test_fraction, members.size)]] = "test"
    return split
