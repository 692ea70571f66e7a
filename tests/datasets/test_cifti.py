"""CIFTI-2 series, dense and parcellated: times from the header or refused, structures, and other files told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import xarray as xr
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ParcelsAxis, ScalarAxis, SeriesAxis

from yuragi.datasets.catalogue import dataset, load
from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf

VALUES = np.random.default_rng(0).standard_normal((12, 9)).astype(np.float32)
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])


def grayordinates() -> BrainModelAxis:
    """Three vertices on the left, two on the right, four voxels of the left thalamus."""
    left = BrainModelAxis.from_surface([0, 4, 7], 10, name="CortexLeft")
    right = BrainModelAxis.from_surface([1, 2], 10, name="CortexRight")
    mask = np.zeros((91, 109, 91), dtype=bool)
    mask[40, 50, 30:34] = True
    return left + right + BrainModelAxis.from_mask(mask, name="ThalamusLeft", affine=AFFINE)


def parcels() -> ParcelsAxis:
    return ParcelsAxis.from_brain_models(
        [("left parcel", grayordinates()[:3]), ("right parcel", grayordinates()[3:5]), ("thalamus", grayordinates()[5:])]
    )


def write(path: Path, *axes: Any, values: np.ndarray = VALUES) -> Path:
    Cifti2Image(values, header=axes).to_filename(path)
    return path


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    return write(tmp_path / "rest.dtseries.nii", SeriesAxis(0, 0.72, 12), grayordinates())


def read(path: Path, **options: Any) -> xr.DataArray:
    return load("cifti_recording", path=str(path), **options)["recording"]


def test_dense(dense: Path, tmp_path: Path) -> None:
    found = read(dense)
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.dtype == np.float64
    assert found.attrs["sampling_interval"] == 0.72
    assert found.attrs["source"] == "rest.dtseries.nii"
    assert found["structure"].values.tolist() == ["CORTEX_LEFT"] * 3 + ["CORTEX_RIGHT"] * 2 + ["THALAMUS_LEFT"] * 4
    assert found["vertex"].values.tolist() == [0, 4, 7, 1, 2, -1, -1, -1, -1]
    np.testing.assert_array_equal(np.isnan(found["x"].values), [True] * 5 + [False] * 4)
    assert [found[axis].values[6].item() for axis in "xyz"] == [90 - 80, 2 * 50 - 126, 2 * 31 - 72]
    write_netcdf(found.to_dataset(), tmp_path / "recording.nc")
    assert read_netcdf(tmp_path / "recording.nc")["recording"].identical(found)


@pytest.mark.parametrize(
    ("structures", "columns"),
    [(["CORTEX_RIGHT"], [3, 4]), (["CIFTI_STRUCTURE_CORTEX_LEFT", "thalamus_left"], [0, 1, 2, 5, 6, 7, 8])],
)
def test_some_structures(dense: Path, structures: list[str], columns: list[int]) -> None:
    found = read(dense, structures=structures)
    np.testing.assert_array_equal(found.values, VALUES[:, columns])
    assert found["unit"].values.tolist() == columns


def test_parcels(tmp_path: Path) -> None:
    path = write(tmp_path / "rest.ptseries.nii", SeriesAxis(0, 2.0, 12), parcels(), values=VALUES[:, :3])
    found = read(path)
    np.testing.assert_array_equal(found.values, VALUES[:, :3])
    assert found["unit"].values.tolist() == ["left parcel", "right parcel", "thalamus"]
    assert found["structure"].values.tolist() == ["CORTEX_LEFT", "CORTEX_RIGHT", "volume"]
    assert read(path, structures=["volume"])["unit"].values.tolist() == ["thalamus"]
    assert "x" not in found.coords


def test_time_may_be_the_second_axis(tmp_path: Path) -> None:
    path = write(tmp_path / "turned.nii", parcels(), SeriesAxis(0, 2.0, 12), values=VALUES[:, :3].T)
    np.testing.assert_array_equal(read(path).values, VALUES[:, :3])


def edited(path: Path, **changes: Any) -> Path:
    """The file with another header of its series, as other programs leave it."""
    image = nib.load(path)
    series = image.header.get_index_map(0)
    for name, value in changes.items():
        setattr(series, name, value)
    new = path.with_name("edited.dtseries.nii")
    Cifti2Image(np.asarray(image.dataobj), header=image.header).to_filename(new)
    return new


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"series_step": 0.0}, "step 0.0 second"), ({"series_unit": "HERTZ"}, "step 0.72 hertz"), ({"series_step": -1.0}, "step -1.0 second")],
)
def test_no_repetition_time(dense: Path, changes: dict[str, Any], told: str) -> None:
    path = edited(dense, **changes)
    with pytest.raises(InputError, match=rf"its header tells no repetition time \({told}\); set 'repetition_time'"):
        read(path)
    assert read(path, repetition_time=2.5).attrs["sampling_interval"] == 2.5


def test_milliseconds(dense: Path) -> None:
    assert read(edited(dense, series_step=720.0, series_exponent=-3)).attrs["sampling_interval"] == 0.72


def test_a_given_repetition_time_wins(dense: Path) -> None:
    found = read(dense, repetition_time=0.8)
    assert found.attrs["sampling_interval"] == 0.8
    assert found["time"].values[10] == 8.0
    with pytest.raises(InputError, match="repetition_time"):
        dataset("cifti_recording", path="a.nii", repetition_time=-1)


def test_refusals(dense: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"brain structure 'CORTEX_LEFFT' does not exist; did you mean 'CORTEX_LEFT'\? Known: CORTEX_LEFT, CORTEX_RIGHT"
    ):
        read(dense, structures=["CORTEX_LEFFT"])
    scalars = write(tmp_path / "map.dscalar.nii", ScalarAxis([f"map {number}" for number in range(12)]), grayordinates())
    connectivity = write(tmp_path / "a.dconn.nii", grayordinates(), grayordinates(), values=np.eye(9, dtype=np.float32))
    volume = tmp_path / "bold.nii"
    nib.Nifti1Image(np.zeros((2, 2, 2, 5), np.float32), np.eye(4)).to_filename(volume)
    (tmp_path / "text.dtseries.nii").write_text("no image")
    (tmp_path / "half.dtseries.nii").write_bytes(dense.read_bytes()[:2000])
    for path, told in {
        scalars: "its axes are scalars x brain_models, expected a series",
        connectivity: "its axes are brain_models x brain_models",
        volume: "is a Nifti1Image, not CIFTI-2; give a .dtseries.nii or .ptseries.nii file",
        tmp_path / "text.dtseries.nii": "cannot be read as a CIFTI-2 file",
        tmp_path / "half.dtseries.nii": "cannot be read as a CIFTI-2 file",
        tmp_path / "absent.dtseries.nii": "no such file",
    }.items():
        with pytest.raises(InputError, match=told) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_rapidtide_wants_its_own_shape(tmp_path: Path) -> None:
    path = write(tmp_path / "rest.ptseries.nii", SeriesAxis(0, 2.0, 12), parcels(), values=VALUES[:, :3])
    chosen = dataset("rapidtide_rest_cifti")
    with pytest.raises(InputError, match="'series' is 12 x 3, expected 1200 x 419"):
        chosen.read({chosen.files()[0].name: path})
