"""Which images land in which part, and which pixels become 1."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.datasets import load
from yuragi.errors import InputError
from yuragi.sampling import binarise, binary_images, one_hot
from yuragi.sampling.checks import binary_patterns
from yuragi.sampling.settings import BinaryImagesSettings
from yuragi.settings import validate


def planted() -> xr.Dataset:
    """Twelve images of 2 channels, 1 x 2 pixels, whose first pixel tells the image's number; parts in an order that is not sorted."""
    images = np.zeros((12, 2, 1, 2), dtype=np.float32)
    images[:, 0, 0, 0] = np.arange(12) / 16
    images[:, 1, 0, 1] = 0.5
    split = np.array(["test", "train", "train", "test", "train", "train", "train", "test", "train", "train", "test", "train"])
    return xr.Dataset(
        {"images": (("image", "channel", "height", "width"), images), "labels": ("image", np.arange(12) % 3)},
        coords={"split": ("image", split)},
        attrs={"classes": ["a", "b", "c"]},
    )


def test_parts_follow_each_other_in_the_order_of_the_set():
    dataset = planted()
    data = binary_images(dataset, threshold=0.25, train_images=4, validation_images=3, test_images=2)
    training, testing = np.array([1, 2, 4, 5, 6, 8, 9, 11]), np.array([0, 3, 7, 10])
    for part, numbers in ((data.train, training[:4]), (data.validation, training[4:7]), (data.test, testing[:2])):
        np.testing.assert_array_equal(part.labels, numbers % 3)
        # Strictly above: the image whose pixel is 4 / 16 is the threshold itself.
        np.testing.assert_array_equal(part.bits, np.stack([numbers / 16 > 0.25, 0 * numbers, 0 * numbers, 0 * numbers + 1], axis=1))
        assert part.bits.dtype == np.uint8
        assert part.labels.dtype == np.int64
    assert data.classes == 3
    assert data.image_shape == (2, 1, 2)


@pytest.mark.parametrize(("threshold", "ones"), [(0.0, 2), (0.49, 2), (0.5, 1), (0.9, 0)])
def test_a_higher_threshold_leaves_fewer_ones(threshold, ones):
    dataset = planted()
    dataset["images"][1, 0, 0, 0] = 0.6
    before = dataset.copy(deep=True)
    data = binary_images(dataset, threshold=threshold, train_images=1, validation_images=1, test_images=1)
    assert data.train.bits.sum() == ones
    xr.testing.assert_identical(dataset, before)


def test_no_digit_is_in_two_parts():
    data = binary_images(load("digits"), train_images=1000, validation_images=200, test_images=300)
    dataset = load("digits")
    pixels = dataset["images"].values[dataset["split"].values == "train"].reshape(-1, 64)
    np.testing.assert_array_equal(data.train.bits, pixels[:1000] > 0.5)
    np.testing.assert_array_equal(data.validation.bits, pixels[1000:1200] > 0.5)
    assert len(data.test.bits) == 300


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            {"train_images": 7, "validation_images": 3},
            r"train_images \+ validation_images = 10: the set has 8 training images; lower one of them by 2",
        ),
        ({"test_images": 5}, "test_images = 5: the set has 4 images"),
        ({"threshold": 1.0}, "threshold = 1"),
        ({"threshold": -0.1}, "threshold = -0.1"),
    ],
)
def test_what_a_set_does_not_have_is_told_in_one_line(asked, told):
    with pytest.raises(InputError, match=told) as caught:
        binary_images(planted(), **{"train_images": 2, "validation_images": 2, "test_images": 2} | asked)
    assert "\n" not in str(caught.value)


def test_pixels_outside_the_unit_interval_are_told():
    dataset = planted()
    dataset["images"][1, 0, 0, 0] = 1.5
    with pytest.raises(InputError, match=r"outside \[0, 1\]"):
        binary_images(dataset, train_images=2, validation_images=2, test_images=2)


@pytest.mark.parametrize(
    "values", [{"threshold": 1}, {"threshold": -0.5}, {"train_images": 0}, {"test_images": 0}, {"validation_images": 0}, {"tset_images": 3}]
)
def test_settings_without_sense_are_refused(values):
    with pytest.raises(InputError, match=next(iter(values))):
        validate(BinaryImagesSettings, values, "data")


@pytest.mark.parametrize("name", ["images", "labels", "split", "classes"])
def test_a_set_that_lacks_a_part_is_told(name):
    dataset = planted()
    if name == "classes":
        del dataset.attrs["classes"]
    else:
        dataset = dataset.drop_vars(name)
    with pytest.raises(InputError, match=f"'{name}'.*'ingest'") as caught:
        binary_images(dataset, train_images=2, validation_images=2, test_images=2)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    "read",
    [lambda values: binarise(values, "threshold"), lambda values: binary_patterns(values, 2, "values"), lambda values: one_hot(values, 2)],
    ids=["binarise", "binary_patterns", "one_hot"],
)
@pytest.mark.parametrize(
    ("values", "told"),
    [([[0, 1], [1]], "rows of different lengths"), ([["0", "1"]], "no numbers"), ([[None, 1]], "no numbers"), ([[1j, 0]], "no numbers")],
    ids=["ragged", "text", "nothing", "complex"],
)
def test_what_is_no_array_of_numbers_is_told(read, values, told):
    with pytest.raises(InputError, match=told) as caught:
        read(values)
    assert "\n" not in str(caught.value)
