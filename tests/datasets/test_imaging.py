"""From small images to labelled arrays, against plain indexing; what nilearn would do in silence is refused."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from yuragi.datasets.imaging import Processing, region_series, repetition_time, voxel_series
from yuragi.datasets.quality import check_units
from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf

from .images import AFFINE, random_series, saved, series, table, volume

RAW = Processing(detrend=False, standardise="none")


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def image(generator: np.random.Generator) -> nib.Nifti1Image:
    return random_series(generator)


@pytest.fixture
def mask() -> nib.Nifti1Image:
    inside = np.zeros((4, 5, 3), np.uint8)
    inside[1:3, 1:4, 1:] = 1
    inside[1, 1, 1] = 0
    return volume(inside)


@pytest.fixture
def labels() -> nib.Nifti1Image:
    """Regions 3, 7 and 20; the numbers are not in the order of the places."""
    regions = np.zeros((4, 5, 3), np.int16)
    regions[0], regions[1, :2], regions[2:, 3:, 1] = 7, 20, 3
    return volume(regions)


def places(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """The mm of every voxel, (axis, i, j, k)."""
    return np.einsum("ab,bijk->aijk", affine[:3, :3], np.indices(shape)) + affine[:3, 3, None, None, None]


def test_voxels_are_in_the_order_of_the_mask_with_their_places(image: nib.Nifti1Image, mask: nib.Nifti1Image, tmp_path: Path) -> None:
    found = voxel_series(image, mask, RAW, attributes={"source": "here"})
    inside = np.asarray(mask.dataobj) > 0
    data = found["recording"]
    np.testing.assert_array_equal(data.values, np.asarray(image.dataobj)[inside].T)
    assert data.dims == ("time", "unit")
    indices = np.stack([data[axis].values for axis in "ijk"])
    np.testing.assert_array_equal(indices, np.nonzero(inside))
    np.testing.assert_allclose(np.stack([data[axis].values for axis in "xyz"]), AFFINE[:3, :3] @ indices + AFFINE[:3, 3:])
    np.testing.assert_array_equal(data["time"], np.arange(80) * 2.0)
    assert (data.attrs["sampling_interval"], data.attrs["units"], data.attrs["source"]) == (2.0, "a.u.", "here")
    write_netcdf(found, tmp_path / "recording.nc")
    assert read_netcdf(tmp_path / "recording.nc").identical(found)


def test_only_the_voxels_asked_for_in_their_order(image: nib.Nifti1Image, mask: nib.Nifti1Image) -> None:
    wanted = [(2, 3, 1), (1, 2, 2)]
    found = voxel_series(image, mask, RAW, voxels=wanted)["recording"]
    np.testing.assert_array_equal(found.values, np.stack([np.asarray(image.dataobj)[voxel] for voxel in wanted], axis=1))
    np.testing.assert_array_equal(found["j"], [3, 2])
    with pytest.raises(InputError, match=r"2 of 3 lie outside the mask of .* \(\(1, 1, 1\), \(9, 0, 0\)\)"):
        voxel_series(image, mask, RAW, voxels=[(1, 1, 1), (2, 2, 2), (9, 0, 0)])
    with pytest.raises(InputError, match=r"\(0, -1, 0\)"):
        voxel_series(image, mask, RAW, voxels=[(0, -1, 0)])


def test_regions_are_means_over_their_voxels(image: nib.Nifti1Image, labels: nib.Nifti1Image) -> None:
    found = region_series(image, labels, RAW, names={7: "left", 3: "right", 99: "elsewhere"})["recording"]
    values, regions = np.asarray(image.dataobj), np.asarray(labels.dataobj)
    assert found["unit"].values.tolist() == ["right", "left", "20"]
    assert found["region"].values.tolist() == [3, 7, 20]
    np.testing.assert_allclose(found.values, np.stack([values[regions == label].mean(axis=0) for label in (3, 7, 20)], axis=1), rtol=1e-12)
    assert found["voxels"].values.tolist() == [(regions == label).sum() for label in (3, 7, 20)]
    centre = AFFINE[:3, :3] @ np.mean(np.nonzero(regions == 3), axis=1) + AFFINE[:3, 3]
    np.testing.assert_allclose([found[axis].values[0] for axis in "xyz"], centre)


def test_maps_are_weighted_by_least_squares(generator: np.random.Generator, image: nib.Nifti1Image, mask: nib.Nifti1Image) -> None:
    weights = generator.random((4, 5, 3, 3))
    inside = np.asarray(mask.dataobj) > 0
    found = region_series(image, volume(weights), RAW, names=["a", "b", "c"], mask=mask)["recording"]
    expected = np.linalg.lstsq(weights[inside], np.asarray(image.dataobj)[inside], rcond=None)[0].T
    np.testing.assert_allclose(found.values, expected, rtol=1e-8)
    assert found["unit"].values.tolist() == ["a", "b", "c"]
    with pytest.raises(InputError, match="2 names for 3 maps"):
        region_series(image, volume(weights), RAW, names=["a", "b"])


def test_cleaning_is_applied_with_the_headers_repetition_time(generator: np.random.Generator, mask: nib.Nifti1Image, tmp_path: Path) -> None:
    time = np.arange(200) * 0.8
    wave = np.sin(2 * np.pi * 0.05 * time) + np.sin(2 * np.pi * 0.4 * time)
    image = series(1000 + wave * generator.uniform(1, 2, (4, 5, 3, 1)), 800.0, unit="msec")
    found = voxel_series(image, mask, Processing(low=0.02, high=0.1, standardise="none"))["recording"]
    assert found.attrs["sampling_interval"] == pytest.approx(0.8)
    assert found.attrs["band_hz"] == [0.02, 0.1]
    power = np.abs(np.fft.rfft(found.values, axis=0)) ** 2
    frequency = np.fft.rfftfreq(200, 0.8)
    assert (power[np.abs(frequency - 0.4) < 0.01].sum(axis=0) < 1e-4 * power.sum(axis=0)).all()
    path = table(tmp_path / "c.tsv", {"drift": np.linspace(0, 1, 200), "slow": np.sin(2 * np.pi * 0.05 * time)})
    without = voxel_series(image, mask, Processing(standardise="none"), confounds=path, confound_columns=["slow"])["recording"]
    assert without.attrs["confounds"] == 1
    power = np.abs(np.fft.rfft(without.values, axis=0)) ** 2
    assert (power[np.abs(frequency - 0.05) < 0.01].sum(axis=0) < 1e-3 * power.sum(axis=0)).all()


def test_a_missing_value_spoils_a_voxel_but_not_its_region(generator: np.random.Generator, labels: nib.Nifti1Image, mask: nib.Nifti1Image) -> None:
    values = generator.normal(100, 1, (4, 5, 3, 40))
    values[2, 3, 1, 5], values[1, 1, 2] = np.nan, 500.0  # one voxel of region 3 is gone; one of region 20 never varies
    image = series(values)
    voxels = voxel_series(image, mask)["recording"]
    gone = (voxels["i"] == 2) & (voxels["j"] == 3) & (voxels["k"] == 1)
    assert np.isnan(voxels.values[:, gone.values]).all()
    checked = check_units(voxels)
    assert (checked.attrs["dropped_missing_units"], checked.attrs["dropped_constant_units"]) == (1, 1)
    regions = np.asarray(labels.dataobj) == 3
    regions[2, 3, 1] = False
    found = region_series(image, labels, RAW)["recording"]
    np.testing.assert_allclose(found.values[:, 0], values[regions].mean(axis=0), rtol=1e-12)
    assert found["voxels"].values[0] == regions.sum()


def test_another_grid_is_refused_unless_asked_for(generator: np.random.Generator, labels: nib.Nifti1Image) -> None:
    # Maps that are linear in the place, on a finer grid that reaches well beyond the image: splines give the same values anywhere inside.
    fine = AFFINE @ np.diag([0.8, 0.8, 0.8, 1])
    fine[:3, 3] -= fine[:3, :3] @ [12, 12, 12]
    ramps = volume(1 + 0.01 * np.moveaxis(places((30, 30, 30), fine), 0, -1), fine)
    image = random_series(generator)
    shifted = volume(np.asarray(labels.dataobj), AFFINE + np.eye(4, k=3) * 0.5)
    for atlas in (ramps, shifted):
        with pytest.raises(InputError, match=r"voxels of .* differs from the grid of .*set resample to true") as caught:
            region_series(image, atlas, RAW)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="resample to true"):
        voxel_series(image, shifted, RAW)
    asked = Processing(detrend=False, standardise="none", resample=True)
    found = region_series(image, ramps, asked)["recording"]
    weights = 1 + 0.01 * places((4, 5, 3), AFFINE).reshape(3, -1).T
    expected = np.linalg.lstsq(weights, np.asarray(image.dataobj).reshape(60, -1), rcond=None)[0].T
    np.testing.assert_allclose(found.values, expected, rtol=1e-4)
    nearest = region_series(image, shifted, asked)["recording"]
    assert nearest["region"].values.tolist() == [3, 7, 20]


def test_an_affine_off_by_rounding_is_the_same_grid(image: nib.Nifti1Image, mask: nib.Nifti1Image) -> None:
    nearly = volume(np.asarray(mask.dataobj), AFFINE + 1e-5)
    np.testing.assert_array_equal(voxel_series(image, nearly, RAW)["recording"], voxel_series(image, mask, RAW)["recording"])


def test_regions_without_voxels_are_refused_or_dropped(image: nib.Nifti1Image, labels: nib.Nifti1Image, mask: nib.Nifti1Image) -> None:
    names = {7: "left", 3: "right", 20: "middle"}
    with pytest.raises(InputError, match=r"1 of 3 regions have no voxel in mask and image .* \(left…\).*missing_regions") as caught:
        region_series(image, labels, RAW, names=names, mask=mask)
    assert "\n" not in str(caught.value)
    found = region_series(image, labels, RAW, names=names, mask=mask, missing_regions="drop")["recording"]
    assert found["unit"].values.tolist() == ["right", "middle"]
    assert found.attrs["dropped_regions"] == 1
    values, within = np.asarray(image.dataobj), (np.asarray(labels.dataobj) == 20) & (np.asarray(mask.dataobj) > 0)
    np.testing.assert_allclose(found.values[:, 1], values[within].mean(axis=0), rtol=1e-12)


def test_no_overlap_and_empty_masks_are_refused(image: nib.Nifti1Image, labels: nib.Nifti1Image) -> None:
    far = AFFINE + np.eye(4, k=3) * 500
    whole = np.ones((4, 5, 3), np.uint8)
    asked = Processing(resample=True)
    with pytest.raises(InputError, match="no overlap with"):
        voxel_series(image, volume(whole, far), asked)
    with pytest.raises(InputError, match="no overlap with"):
        region_series(image, volume(np.asarray(labels.dataobj), far), asked)
    with pytest.raises(InputError, match="the mask is empty"):
        voxel_series(image, volume(0 * whole))
    empty = np.asarray(image.dataobj).copy()
    empty[0] = 0  # where the scanner saw nothing
    first = np.zeros((4, 5, 3), np.uint8)
    first[0] = 1
    with pytest.raises(InputError, match="the image has no data inside"):
        voxel_series(series(empty), volume(first))


@pytest.mark.parametrize(
    ("interval", "unit", "told"),
    [
        (None, "sec", "the header states no repetition time; give repetition_time"),
        (2.0, "unknown", "the header states 2 without a unit of time"),
        (2000.0, "sec", "a repetition time of 2000 s lies outside"),
    ],
)
def test_an_unknown_repetition_time_is_refused_and_can_be_given(
    generator: np.random.Generator, mask: nib.Nifti1Image, tmp_path: Path, interval: float | None, unit: str, told: str
) -> None:
    image = series(generator.normal(size=(4, 5, 3, 30)), interval, unit=unit)
    path = saved(image, tmp_path / "bold.nii.gz")
    with pytest.raises(InputError, match=told) as caught:
        voxel_series(path, mask)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert voxel_series(path, mask, Processing(1.5))["recording"].attrs["sampling_interval"] == 1.5


@pytest.mark.parametrize(("unit", "interval", "seconds"), [("sec", 2.5, 2.5), ("msec", 720.0, 0.72), ("usec", 1.4e6, 1.4)])
def test_units_of_the_header(unit: str, interval: float, seconds: float) -> None:
    assert repetition_time(series(np.zeros((2, 2, 2, 5)), interval, unit=unit)) == seconds


def test_what_is_no_image_is_refused_in_one_line(tmp_path: Path, image: nib.Nifti1Image, mask: nib.Nifti1Image) -> None:
    whole = saved(image, tmp_path / "whole.nii.gz").read_bytes()
    (tmp_path / "broken.nii.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.nii.gz").write_text("<html>please log in</html>")
    for name, told in (("broken.nii.gz", "cannot be read as"), ("text.nii.gz", "cannot be read as"), ("none.nii.gz", "no such file")):
        with pytest.raises(InputError, match=told) as caught:
            voxel_series(tmp_path / name, mask)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="expected four dimensions"):
        voxel_series(mask, mask)
    with pytest.raises(InputError, match=r"holds 0\.5, but labels are whole numbers"):
        region_series(image, volume(np.full((4, 5, 3), 0.5)))
    with pytest.raises(InputError, match="80 frames but 79 rows of confounds"):
        voxel_series(image, mask, confounds=np.zeros((79, 1)))
