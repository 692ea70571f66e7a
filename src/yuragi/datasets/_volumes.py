"""Images of volumes: opened, their repetition time and grid checked, one brought onto the grid of another."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import lazy_loader as lazy

from yuragi.datasets._own_file import reading
from yuragi.datasets.formats import Location
from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
nib = lazy.load("nibabel")

SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
PLAUSIBLE = (0.01, 60.0)
"""Seconds. A repetition time outside is a wrong unit: 2000 s stands for 2000 ms."""
TOLERANCE = 1e-3
"""Of a voxel's size: affine matrices that differ by less name the same grid."""


def open_image(image: Location | nib.spatialimages.SpatialImage, what: str = "image") -> tuple[nib.spatialimages.SpatialImage, str]:
    """The image with its values in memory, and the name that messages call it by."""
    if not isinstance(image, (str, os.PathLike)):
        return image, image.get_filename() or f"the {what} given"
    if not Path(image).is_file():
        raise InputError(f"{image}: no such file; give the path of a NIfTI file as {what}")
    with reading(Path(image), f"a NIfTI image ({what})"):
        opened = nib.load(image)
        if not isinstance(opened, nib.spatialimages.SpatialImage):
            raise InputError(
                f"{image}: is a {type(opened).__name__}, which has no voxels; give a NIfTI file as {what} ('cifti_recording' reads CIFTI)"
            )
        values = np.asanyarray(opened.dataobj)  # read once: a compressed file is unpacked each time that it is asked
        if values.dtype.kind not in "iufb":
            told = "complex numbers" if values.dtype.kind == "c" else f"of the type {values.dtype}"
            raise InputError(f"{image}: its voxels are {told}, expected real numbers; give another file as {what}")
        held = nib.Nifti1Image(values, opened.affine, opened.header) if isinstance(opened, nib.Nifti1Image) else type(opened)(values, opened.affine)
    return held, str(image)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Inside, a collection of garbage passes over what was there before.

    nilearn asks for a full collection five times each time that a mask is applied, so that short runs take a tenth of a second for each million
    objects of the program around them, ten times as long as the work itself.
    """
    mine = gc.get_freeze_count() == 0
    if mine:
        gc.freeze()
    try:
        yield
    finally:
        if mine:
            gc.unfreeze()


def volumes(image: nib.spatialimages.SpatialImage, where: str) -> int:
    """How many volumes a series has; anything but four dimensions is refused."""
    if len(image.shape) != 4:
        raise InputError(f"{where}: {' x '.join(map(str, image.shape))} voxels, expected four dimensions, the last of them time; give a time series")
    return image.shape[3]


def header_interval(image: nib.spatialimages.SpatialImage) -> float | None:
    """The repetition time in seconds that the header states with a unit of time; None where it states none."""
    zooms = image.header.get_zooms()
    unit = image.header.get_xyzt_units()[1] if hasattr(image.header, "get_xyzt_units") else "unknown"
    if len(zooms) < 4 or unit not in SECONDS or not np.isfinite(zooms[3]) or zooms[3] <= 0:
        return None
    return round(float(zooms[3]) * SECONDS[unit], 9 if unit == "usec" else 6)


def repetition_time(image: nib.spatialimages.SpatialImage, given: float | None = None, where: str = "image") -> float:
    """Seconds between volumes: those given, else those of the header.

    Raises `InputError` where neither tells, where the header's number has no unit, and for a value outside 0.01 to 60 s.

    >>> import nibabel as nib, numpy as np
    >>> image = nib.Nifti1Image(np.zeros((2, 2, 2, 5), np.float32), np.eye(4))
    >>> image.header.set_zooms((1, 1, 1, 720)); image.header.set_xyzt_units("mm", "msec")
    >>> repetition_time(image)
    0.72
    """
    found = given if given is not None else header_interval(image)
    if found is None:
        zooms = image.header.get_zooms()
        stated = f"{zooms[3]:g} without a unit of time" if len(zooms) > 3 and zooms[3] > 0 else "no repetition time"
        raise InputError(f"{where}: the header states {stated}; give repetition_time in seconds, or mend the header")
    if not PLAUSIBLE[0] <= found <= PLAUSIBLE[1]:
        raise InputError(
            f"{where}: a repetition time of {found:g} s lies outside {PLAUSIBLE[0]:g} to {PLAUSIBLE[1]:g} s; give repetition_time in seconds"
        )
    return found


def same_grid(one: nib.spatialimages.SpatialImage, other: nib.spatialimages.SpatialImage) -> bool:
    """Whether two images have the same voxels at the same places, up to a thousandth of a voxel."""
    size = np.linalg.norm(other.affine[:3, :3], axis=0).min()
    return one.shape[:3] == other.shape[:3] and bool(np.allclose(one.affine, other.affine, rtol=0, atol=TOLERANCE * size))


def on_grid(
    image: nib.spatialimages.SpatialImage,
    target: nib.spatialimages.SpatialImage,
    *,
    resample: bool,
    interpolation: Literal["nearest", "continuous"],
    where: str,
    target_name: str,
) -> nib.spatialimages.SpatialImage:
    """The image with the target's voxels.

    nilearn's maskers resample in silence. Here another grid is refused unless ``resample`` asks for it: a mask in another space, or one made for
    another resolution, is more often a mistake than a wish.
    """
    if same_grid(image, target):
        return image
    if not resample:
        raise InputError(
            f"{where}: {_grid(image)} differs from the grid of {target_name}, {_grid(target)}; resample it to that grid, or set resample to true"
        )
    from nilearn.image import resample_to_img
    from nilearn.image.resampling import BoundingBoxError

    volume = nib.Nifti1Image(np.zeros(target.shape[:3], np.uint8), target.affine)
    source = nib.Nifti1Image(np.nan_to_num(np.asarray(image.dataobj).astype(np.float64)), image.affine)
    try:
        return resample_to_img(source, volume, interpolation=interpolation, force_resample=True, copy_header=True)
    except BoundingBoxError:
        raise InputError(f"{where}: no overlap with {target_name}, it lies wholly elsewhere; give one in the space of the image") from None


def _grid(image: nib.spatialimages.SpatialImage) -> str:
    sizes = " x ".join(f"{size:g}" for size in np.linalg.norm(image.affine[:3, :3], axis=0).round(3))
    origin = ", ".join(f"{value:g}" for value in image.affine[:3, 3].round(3))
    return f"{' x '.join(map(str, image.shape[:3]))} voxels of {sizes} mm from ({origin})"


def finite_voxels(image: nib.spatialimages.SpatialImage) -> jaxtyping.Bool[np.ndarray, "i j k"]:
    """Where every volume has a finite value. One volume at a time: a mask of all values would be as large as a quarter of them."""
    values = np.asanyarray(image.dataobj)
    finite = np.ones(values.shape[:3], dtype=bool)
    if values.dtype.kind == "f":
        for index in range(values.shape[3]):
            finite &= np.isfinite(values[..., index])
    return finite


def varying_or_set(image: nib.spatialimages.SpatialImage) -> jaxtyping.Bool[np.ndarray, "i j k"]:
    """Where any volume differs from zero: outside, the image has no data."""
    values = np.asanyarray(image.dataobj)
    there = np.zeros(values.shape[:3], dtype=bool)
    for index in range(values.shape[3]):
        there |= values[..., index] != 0
    return there
