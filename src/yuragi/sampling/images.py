"""Image sets as a network of binary units takes them: pixels as bits, in three parts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from yuragi.datasets.splits import number_of_classes, split
from yuragi.errors import InputError
from yuragi.sampling.checks import binarise


@dataclass(frozen=True, eq=False)
class Part:
    """Binary images and their labels.

    bits
        (image, pixel) of 0 and 1, uint8; channel, row and column in that order
    labels
        (image,) int64
    """

    bits: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class BinaryImages:
    """The three parts of an image set.

    train, validation, test
        images that are learned, that settings are chosen on, and that results are told for
    classes
        number of classes
    image_shape
        (channel, height, width)
    """

    train: Part
    validation: Part
    test: Part
    classes: int
    image_shape: tuple[int, int, int]

    @property
    def pixels(self) -> int:
        """Bits of an image."""
        return math.prod(self.image_shape)


def binary_images(dataset: xr.Dataset, *, threshold: float = 0.5, train_images: int, validation_images: int, test_images: int) -> BinaryImages:
    """Pixels above the threshold become 1, all others 0.

    dataset
        an image set with the coordinate ``split``, pixels in [0, 1]
    threshold, train_images, validation_images, test_images
        as in `yuragi.sampling.settings.BinaryImagesSettings`

    Errors: `InputError` where the set has fewer images, or lacks its labels, parts or classes.

    >>> from yuragi.datasets import load
    >>> images = binary_images(load("digits"), train_images=1000, validation_images=200, test_images=300)
    >>> images.train.bits.shape, images.classes, images.image_shape
    ((1000, 64), 10, (1, 8, 8))
    """
    pixels, labels = split(dataset, "train")
    wanted = train_images + validation_images
    if wanted > len(labels):
        raise InputError(
            f"train_images + validation_images = {wanted}: the set has {len(labels)} training images; lower one of them by {wanted - len(labels)}"
        )
    image_shape = pixels.shape[1:]

    def part(images: np.ndarray, of: np.ndarray) -> Part:
        return Part(binarise(images.reshape(len(images), -1), "threshold", threshold=threshold), of)

    learned, held = slice(0, train_images), slice(train_images, wanted)
    test = part(*split(dataset, "test", test_images))
    return BinaryImages(part(pixels[learned], labels[learned]), part(pixels[held], labels[held]), test, number_of_classes(dataset), image_shape)
