"""From images of a scanner to labelled time courses: of voxels inside a mask, or of the regions of an atlas.

Masking and averaging are nilearn's maskers', the time course is cleaned by `clean_series`. What nilearn does in silence is asked for here or
refused: another grid, a repetition time that nobody states, frequencies beyond Nyquist, regions without voxels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import lazy_loader as lazy

from yuragi.datasets import labelled
from yuragi.datasets._cleaning import Scale, clean_series
from yuragi.datasets._confounds import read_confounds
from yuragi.datasets._places import chosen_voxels, label_numbers, region_names, voxel_places
from yuragi.datasets._volumes import finite_voxels, on_grid, open_image, repetition_time, undisturbed, varying_or_set, volumes
from yuragi.datasets.formats import Location
from yuragi.errors import InputError

__all__ = ["Processing", "clean_series", "read_confounds", "region_series", "repetition_time", "voxel_series"]

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
nib = lazy.load("nibabel")
xr = lazy.load("xarray")

Remedy = Literal["refuse", "drop"]
UNITS: dict[Scale, str] = {"none": "a.u.", "zscore": "standard deviations", "percent": "percent signal change"}


@dataclass(frozen=True, slots=True)
class Processing:
    """How images become time courses.

    repetition_time
        seconds between volumes; None takes the header's
    detrend, low, high, standardise
        as in `clean_series`
    resample
        bring a mask or an atlas of another grid onto the image's: nearest neighbour for masks and labels, continuous for maps; else it is refused
    """

    repetition_time: float | None = None
    detrend: bool = True
    low: float | None = None
    high: float | None = None
    standardise: Scale = "zscore"
    resample: bool = False


def voxel_series(
    image: Location | nib.spatialimages.SpatialImage,
    mask: Location | nib.spatialimages.SpatialImage,
    processing: Processing = Processing(),
    *,
    confounds: Location | jaxtyping.Float[np.ndarray, "row confound"] | None = None,
    confound_columns: Sequence[str] = (),
    voxels: Sequence[Sequence[int]] = (),
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """The time courses of the voxels inside a mask, as a recording (time, unit).

    image
        four-dimensional NIfTI image or its path
    mask
        image or path; inside is what is finite and not zero
    processing
        what is done with the time courses
    confounds, confound_columns
        what is regressed out: a table as `read_confounds` takes it, or an array, one row a volume
    voxels
        indices (i, j, k), from 0: only these, in this order; one outside the mask is refused
    attributes
        what stands on the arrays: source, licence, …

    Units are in the order of ``numpy.nonzero`` over the mask (k runs fastest), with the coordinates ``i``, ``j``, ``k`` (indices) and ``x``, ``y``,
    ``z`` (mm, by the image's affine). A voxel with a value that is not finite in any volume is NaN throughout; `check_units` drops it.

    Raises `InputError` for a missing repetition time, a mask of another grid, an empty one, one that the image does not overlap, a voxel outside it,
    and for what `clean_series` and `read_confounds` refuse.

    >>> import nibabel as nib, numpy as np
    >>> values = np.random.default_rng(0).normal(100, 1, (4, 4, 3, 50))
    >>> image = nib.Nifti1Image(values, np.diag([3, 3, 3, 1]))
    >>> mask = nib.Nifti1Image((values[..., 0] > 100).astype(np.uint8), image.affine)
    >>> found = voxel_series(image, mask, Processing(repetition_time=2.0, high=0.1))
    >>> found["recording"].dims, float(found["recording"].time[-1])
    (('time', 'unit'), 98.0)
    """
    opened, where = open_image(image)
    interval = _interval(opened, processing, where)
    inside = _inside(mask, opened, where, processing.resample)
    chosen = chosen_voxels(voxels, inside, where)
    from nilearn.maskers import NiftiMasker

    grid = nib.Nifti1Image(inside.astype(np.uint8), opened.affine)
    with undisturbed():
        raw = NiftiMasker(mask_img=grid, standardize=None, reports=False).fit().transform(opened).astype(np.float64)
    raw[:, ~finite_voxels(opened)[inside]] = np.nan  # which the masker has set to zero
    indices = np.argwhere(inside)
    if chosen is not None:
        raw, indices = raw[:, chosen], indices[chosen]
    return _recording(raw, interval, processing, _confounds(confounds, confound_columns), where, attributes, voxel_places(indices, opened.affine))


def region_series(
    image: Location | nib.spatialimages.SpatialImage,
    atlas: Location | nib.spatialimages.SpatialImage,
    processing: Processing = Processing(),
    *,
    names: Mapping[int, str] | Sequence[str] | None = None,
    mask: Location | nib.spatialimages.SpatialImage | None = None,
    missing_regions: Remedy = "refuse",
    confounds: Location | jaxtyping.Float[np.ndarray, "row confound"] | None = None,
    confound_columns: Sequence[str] = (),
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """The time courses of the regions of an atlas, as a recording (time, unit).

    image, processing, confounds, confound_columns, attributes
        as in `voxel_series`
    atlas
        labels (three dimensions: a whole number a region, 0 outside; a region's series is the mean over its voxels) or maps (four dimensions: one
        weighted map a region; the series are the least-squares weights of the maps in each volume)
    names
        of labels: by their number; of maps: in their order. A region without a name goes by its number
    mask
        only voxels inside it count; None takes all that the image covers
    missing_regions
        what to do with regions that have no voxel in mask and image

    Voxels with a value that is not finite in any volume are left out of their region. Units bear the regions' names, with the coordinates
    ``region`` (number), ``voxels`` (how many count) and ``x``, ``y``, ``z`` (mm, the centre of those voxels).

    Raises `InputError` as `voxel_series` does, for an atlas of another grid or without whole numbers, and for regions without voxels.
    """
    opened, where = open_image(image)
    interval = _interval(opened, processing, where)
    parcels, atlas_name = open_image(atlas, "atlas")
    maps = len(parcels.shape) == 4
    if len(parcels.shape) not in (3, 4):
        raise InputError(f"{atlas_name}: an atlas has three dimensions (labels) or four (maps), not {len(parcels.shape)}; give another file")
    expected = np.arange(1, parcels.shape[3] + 1) if maps else label_numbers(parcels, atlas_name)
    target = on_grid(
        parcels, opened, resample=processing.resample, interpolation="continuous" if maps else "nearest", where=atlas_name, target_name=where
    )
    within = finite_voxels(opened) & varying_or_set(opened)
    if mask is not None:
        within &= _inside(mask, opened, where, processing.resample)
    weights = np.nan_to_num(np.asarray(target.dataobj).astype(np.float64)) * (within[..., None] if maps else within)
    counts = (weights != 0).sum(axis=(0, 1, 2)) if maps else np.array([(weights == label).sum() for label in expected])
    present = counts > 0
    titles = region_names(names, expected, maps, atlas_name)
    if not present.any():
        raise InputError(f"{atlas_name}: none of its {len(expected)} regions overlaps with {where}; give an atlas in the space of the image")
    if not present.all() and missing_regions == "refuse":
        lost = ", ".join(titles[~present][:5])
        raise InputError(
            f"{atlas_name}: {int((~present).sum())} of {len(expected)} regions have no voxel in mask and image {where} ({lost}…); "
            "set missing_regions to 'drop' to leave them out, or give another atlas"
        )
    if maps:
        from nilearn.maskers import NiftiMapsMasker

        grid = nib.Nifti1Image(weights[..., present], opened.affine)
        masker = NiftiMapsMasker(
            grid, mask_img=nib.Nifti1Image(within.astype(np.uint8), opened.affine), standardize=None, resampling_target=None, reports=False
        )
        parts = [np.abs(weights[..., index]) for index in np.flatnonzero(present)]
    else:
        from nilearn.maskers import NiftiLabelsMasker

        masker = NiftiLabelsMasker(nib.Nifti1Image(weights.astype(np.int32), opened.affine), standardize=None, resampling_target=None, reports=False)
        parts = [weights == label for label in expected[present]]
    with undisturbed():  # labels come in rising order, which is the order of `expected`
        raw = masker.fit().transform(_without_gaps(opened)).astype(np.float64)
    centres = np.stack([np.average(np.argwhere(part != 0), axis=0, weights=part[part != 0]) for part in parts])
    x, y, z = nib.affines.apply_affine(opened.affine, centres).T
    coordinates = {
        "unit": titles[present],
        "region": ("unit", expected[present]),
        "voxels": ("unit", counts[present]),
        "x": ("unit", x),
        "y": ("unit", y),
        "z": ("unit", z),
    }
    notes = {"dropped_regions": int((~present).sum())} | dict(attributes or {})
    return _recording(raw, interval, processing, _confounds(confounds, confound_columns), where, notes, coordinates)


def _interval(image: nib.spatialimages.SpatialImage, processing: Processing, where: str) -> float:
    volumes(image, where)
    return repetition_time(image, processing.repetition_time, where)


def _inside(
    mask: Location | nib.spatialimages.SpatialImage, image: nib.spatialimages.SpatialImage, where: str, resample: bool
) -> jaxtyping.Bool[np.ndarray, "i j k"]:
    """Where the mask is set, on the image's grid."""
    opened, name = open_image(mask, "mask")
    if len(opened.shape) == 4 and opened.shape[3] == 1:
        opened = nib.Nifti1Image(np.asarray(opened.dataobj)[..., 0], opened.affine)
    if len(opened.shape) != 3:
        raise InputError(f"{name}: {' x '.join(map(str, opened.shape))} values, but a mask has three dimensions; give another file")
    values = np.nan_to_num(np.asarray(opened.dataobj))
    if not values.any():
        raise InputError(f"{name}: the mask is empty; give one that is not zero inside")
    binary = nib.Nifti1Image((values != 0).astype(np.uint8), opened.affine)
    moved = on_grid(binary, image, resample=resample, interpolation="nearest", where=name, target_name=where)
    inside = np.asarray(moved.dataobj) > 0
    if not (inside & varying_or_set(image)).any():
        raise InputError(f"{name}: no overlap of mask and image {where}: the image has no data inside; give the mask of this image")
    return inside


def _without_gaps(image: nib.spatialimages.SpatialImage) -> nib.spatialimages.SpatialImage:
    """Values that are not finite become zeros, for the maskers; such voxels carry no label and no weight."""
    values = np.asanyarray(image.dataobj)
    if values.dtype.kind != "f" or finite_voxels(image).all():
        return image
    return nib.Nifti1Image(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0), image.affine)


def _confounds(
    given: Location | jaxtyping.Float[np.ndarray, "row confound"] | None, columns: Sequence[str]
) -> jaxtyping.Float[np.ndarray, "row confound"] | None:
    return given if given is None or isinstance(given, np.ndarray) else read_confounds(given, columns)


def _recording(
    raw: jaxtyping.Float[np.ndarray, "time unit"],
    interval: float,
    processing: Processing,
    confounds: jaxtyping.Float[np.ndarray, "row confound"] | None,
    where: str,
    attributes: Mapping[str, Any] | None,
    coordinates: Mapping[str, Any],
) -> xr.Dataset:
    cleaned = clean_series(
        raw,
        sampling_interval=interval,
        detrend=processing.detrend,
        low=processing.low,
        high=processing.high,
        confounds=confounds,
        standardise=processing.standardise,
        where=where,
    )
    band = [np.nan if edge is None else edge for edge in (processing.low, processing.high)]
    steps = {"detrended": int(processing.detrend), "band_hz": band, "confounds": 0 if confounds is None else confounds.shape[1]}
    found = labelled.recording(
        cleaned, sampling_interval=interval, units=UNITS[processing.standardise], attributes=steps | dict(attributes or {}), coordinates=coordinates
    )
    for axis in "xyz":
        found[axis].attrs["units"] = "mm"
    return found
