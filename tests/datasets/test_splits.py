"""The parts of an image set, and one line where it lacks them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.datasets.splits import number_of_classes, split
from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf


def planted(**attributes: object) -> xr.Dataset:
    """Four images of one pixel that tells their number; two of them are for training."""
    return xr.Dataset(
        {"images": (("image", "channel", "height", "width"), np.arange(4.0).reshape(4, 1, 1, 1) / 4), "labels": ("image", [0, 1, 1, 0])},
        coords={"split": ("image", ["test", "train", "test", "train"])},
        attrs=attributes,
    )


def test_a_part_is_in_the_order_of_the_set():
    for part, numbers in (("train", [1, 3]), ("test", [0, 2])):
        images, labels = split(planted(), part)
        assert (images.ravel() * 4).tolist() == numbers
        assert (images.dtype, labels.dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(labels, planted()["labels"].values[numbers])
    assert len(split(planted(), "test", 1)[0]) == 1


@pytest.mark.parametrize("name", ["images", "labels", "split"])
def test_what_a_set_lacks_is_told_with_what_it_holds(name):
    others = [each for each in ("images", "labels", "split") if each != name]
    with pytest.raises(InputError, match=f"the image set holds no '{name}' but .*'ingest'") as caught:
        split(planted().drop_vars(name), "train")
    assert all(each in str(caught.value) for each in others)
    assert "\n" not in str(caught.value)


def test_a_part_or_images_that_are_not_there_are_told():
    with pytest.raises(InputError, match="did you mean 'train'"):
        split(planted(), "trian")
    with pytest.raises(InputError, match="test_images = 3: the set has 2 images"):
        split(planted(), "test", 3)


@pytest.mark.parametrize("classes", [["cat"], ["cat", "dog"]])
def test_classes_are_counted_in_memory_and_in_a_file(classes, tmp_path):
    write_netcdf(planted(classes=classes), tmp_path / "images.nc")
    for dataset in (planted(classes=classes), read_netcdf(tmp_path / "images.nc")):
        assert number_of_classes(dataset) == len(classes)
    with pytest.raises(InputError, match="no attribute 'classes'"):
        number_of_classes(planted())
