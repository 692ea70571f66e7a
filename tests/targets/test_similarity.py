"""Stimuli and similarities in a target: checked, written, read back, written by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.files import sha256_of, write_netcdf
from yuragi.targets import BrainTarget, Stage, StimulusSimilarity
from yuragi.targets.similarity import reduced_images


def similarities(count: int = 5, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((count, 20))
    values -= values.mean(axis=0)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values @ values.T


def photographs(count: int = 5, channels: int = 3, size: int = 4) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, channels, size, size), dtype=np.uint8)


@pytest.mark.parametrize("images", [photographs(), photographs(channels=1) / 255])
def test_a_target_of_similarities_survives_its_file_and_gives_the_same_bytes(tmp_path, images):
    told = {"similarity": "recording D"}
    target = BrainTarget({"V1": Stage(1.04)}, similarity=StimulusSimilarity(images, similarities()), provenance=told)
    target.write(tmp_path / "first.nc")
    back = BrainTarget.read(tmp_path / "first.nc")
    back.write(tmp_path / "second.nc")
    assert sha256_of(tmp_path / "first.nc") == sha256_of(tmp_path / "second.nc")
    np.testing.assert_array_equal(back.similarity.images, target.similarity.images)
    assert back.similarity.images.dtype == target.similarity.images.dtype
    np.testing.assert_array_equal(back.similarity.similarity, target.similarity.similarity)
    assert back.provenance == told
    assert back.show() == target.show()
    assert "5 stimuli" in back.show()
    assert "from recording D" in back.show()
    assert "similarity of 5 stimuli" in repr(back)


def test_it_needs_no_other_part(tmp_path):
    BrainTarget(similarity=StimulusSimilarity(photographs(), similarities())).write(tmp_path / "target.nc")
    back = BrainTarget.read(tmp_path / "target.nc")
    assert (back.stages, back.spontaneous) == ({}, None)
    for name in ("images", "similarity"):
        assert back.to_dataset()[name].attrs["description"]


def test_arrays_are_copied_read_only_and_in_pixel_units():
    images, matrix = photographs(), similarities()
    target = StimulusSimilarity(images, matrix)
    expected = images / np.float32(255)
    images[:], matrix[:] = 0, 0
    np.testing.assert_array_equal(target.pixels(), expected)
    assert target.pixels().dtype == np.float32
    assert not target.similarity.flags.writeable
    assert target.similarity[0, 0] == pytest.approx(1.0)


def by_hand():
    """Stimuli and similarities as a person would write them in a notebook."""
    return xr.Dataset(
        {
            "images": (("stimulus", "channel", "height", "width"), photographs() / 255),
            "similarity": (("stimulus", "other_stimulus"), similarities()),
        }
    )


def test_they_can_be_written_by_hand(tmp_path):
    write_netcdf(by_hand().transpose("width", "height", "other_stimulus", "channel", "stimulus"), tmp_path / "hand.nc")
    found = BrainTarget.read(tmp_path / "hand.nc").similarity
    np.testing.assert_allclose(found.pixels(), photographs() / 255, atol=1e-6)
    np.testing.assert_allclose(found.similarity, similarities(), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_vars("images"), "the similarity lacks images; variables present: similarity"),
        (lambda d: d.drop_vars("similarity"), "the similarity lacks similarity; variables present: images"),
        (lambda d: d.rename(stimulus="image"), r"images has dimensions \(image, channel, height, width\); \(stimulus, channel"),
        (lambda d: d.isel(stimulus=[0, 1, 2]), r"similarity has shape \(3, 5\); 3 images need \(3, 3\)"),
        (lambda d: d.isel(stimulus=[0, 1], other_stimulus=[0, 1]), "images: 2 stimuli; similarities of responses need 3 or more"),
        (lambda d: d.isel(channel=[0, 1]), r"images has shape \(5, 2, 4, 4\); .* with 1 or 3 channels"),
        (lambda d: d.assign(images=255 * d.images), "images: values from .*; give numbers in"),
        (lambda d: d.assign(images=d.images * np.nan), "images: values from nan to nan"),
        (lambda d: d.assign(similarity=d.similarity * np.nan), "similarity has 25 values that are not finite"),
        (lambda d: d.assign(similarity=d.similarity + np.triu(np.ones((5, 5)), 1) * 0.01), "similarity is not symmetric"),
        (lambda d: d.assign(similarity=0.9 * d.similarity), "similarity: the diagonal is not 1"),
        (lambda d: d.assign(similarity=d.similarity + 2 * (1 - np.eye(5))), "similarity: values from .* cosines lie between -1 and 1"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, change, message):
    write_netcdf(change(by_hand()), tmp_path / "hand.nc")
    with pytest.raises(InputError, match=message) as caught:
        BrainTarget.read(tmp_path / "hand.nc")
    assert str(caught.value).startswith(str(tmp_path / "hand.nc"))
    assert "\n" not in str(caught.value)


def test_images_are_reduced_by_averages():
    gradient = np.broadcast_to(np.arange(0, 224, 2, dtype=np.uint8), (1, 3, 112, 112))
    small = reduced_images(gradient, 28)
    assert small.shape == (1, 1, 28, 28), "channels that are equal are one"
    np.testing.assert_allclose(small[0, 0, 0, 1:-1], np.arange(3, 224, 8)[1:-1], atol=1)
    assert reduced_images(photographs(size=8), 4).shape == (5, 3, 4, 4)
    np.testing.assert_array_equal(reduced_images(photographs(), 4), photographs())
    checkered = np.indices((1, 1, 64, 64)).sum(axis=0).astype(np.uint8) % 2 * 200
    np.testing.assert_allclose(reduced_images(checkered, 16)[..., 2:-2, 2:-2], 100, atol=2)
    with pytest.raises(InputError, match="size = 5: the images have 4 x 4 pixels only; give at most 4"):
        reduced_images(photographs(), 5)
