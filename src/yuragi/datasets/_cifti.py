"""Time series in CIFTI-2 files, dense (.dtseries.nii) or parcellated (.ptseries.nii), through nibabel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lazy_loader as lazy

from yuragi.datasets._own_file import reading
from yuragi.errors import InputError, unknown

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
nib = lazy.load("nibabel")

PREFIX = "CIFTI_STRUCTURE_"
VOXELS_ONLY = "volume"
"""The structure of a parcel that consists of voxels: CIFTI gives parcels of voxels no structure."""


@dataclass(frozen=True, slots=True)
class Series:
    """A time series: values (time, unit), seconds between frames, and labels of the units."""

    values: jaxtyping.Float[np.ndarray, "time unit"]
    repetition_time: float
    coordinates: dict[str, Any]


def read_series(path: Path, repetition_time: float | None = None, structures: tuple[str, ...] = ()) -> Series:
    """The series in a CIFTI-2 file.

    path
        a file with one axis of time and one of grayordinates or parcels, in either order
    repetition_time
        seconds between frames, instead of what the header says
    structures
        brain structures to keep, such as ``CORTEX_LEFT``, with or without ``CIFTI_STRUCTURE_``; all where empty

    Raises `InputError` for another kind of file, for one without an axis of time, without a repetition time in the header and in the argument, and
    for structures that it does not hold.
    """
    with reading(path, "a CIFTI-2 file"):
        image = nib.load(path)
        if not isinstance(image, nib.Cifti2Image):
            raise InputError(f"{path}: is a {type(image).__name__}, not CIFTI-2; give a .dtseries.nii or .ptseries.nii file")
        mappings = [image.header.get_index_map(number) for number in range(image.ndim)]
        kinds = [mapping.indices_map_to_data_type.removeprefix("CIFTI_INDEX_TYPE_").lower() for mapping in mappings]
        if sorted(kinds) not in (["brain_models", "series"], ["parcels", "series"]):
            raise InputError(
                f"{path}: its axes are {' x '.join(kinds)}, expected a series of brain models or parcels; give a .dtseries.nii or .ptseries.nii"
            )
        time = kinds.index("series")
        interval = _header_interval(mappings[time]) if repetition_time is None else repetition_time
        if interval is None:
            told = f"step {mappings[time].series_step} {(mappings[time].series_unit or 'without unit').lower()}"
            raise InputError(f"{path}: its header tells no repetition time ({told}); set 'repetition_time' to the seconds between frames")
        labels = _labels(image.header.get_axis(1 - time))
        kept = _kept(path, labels["structure"][1], structures)
        values = np.asarray(image.dataobj)
        values = (values if time == 0 else values.T)[:, kept].astype(np.float64)
    return Series(values, interval, {name: label[kept] if name == "unit" else (label[0], label[1][kept]) for name, label in labels.items()})


def _header_interval(mapping: nib.cifti2.Cifti2MatrixIndicesMap) -> float | None:
    """Seconds between frames as the header has them, None where it does not tell or where the series is none in time."""
    if mapping.series_unit != "SECOND" or not mapping.series_step:
        return None
    interval = float(mapping.series_step) * 10.0 ** (mapping.series_exponent or 0)
    # The product of a step in milliseconds and its exponent is not the number that was meant: 720 x 10^-3 is 0.7200000000000001.
    return float(f"{interval:.12g}") if 0 < interval < float("inf") else None


def _labels(axis: nib.cifti2.BrainModelAxis | nib.cifti2.ParcelsAxis) -> dict[str, Any]:
    """What is known about each unit: its name or number, its structure, and for grayordinates the vertex or the position."""
    if isinstance(axis, nib.cifti2.ParcelsAxis):
        surfaces = [", ".join(sorted(name.removeprefix(PREFIX) for name in parcel)) or VOXELS_ONLY for parcel in axis.vertices]
        return {"unit": np.array(axis.name, dtype=str), "structure": ("unit", np.array(surfaces))}
    labels = {
        "unit": np.arange(len(axis)),
        "structure": ("unit", np.array([str(name).removeprefix(PREFIX) for name in axis.name])),
        "vertex": ("unit", np.where(axis.surface_mask, axis.vertex, -1)),
    }
    if axis.volume_mask.any():
        positions = np.full((len(axis), 3), np.nan)
        positions[axis.volume_mask] = nib.affines.apply_affine(axis.affine, axis.voxel[axis.volume_mask])
        labels |= {name: ("unit", positions[:, column]) for column, name in enumerate("xyz")}
    return labels


def _kept(path: Path, there: jaxtyping.Shaped[np.ndarray, " unit"], wanted: tuple[str, ...]) -> jaxtyping.Bool[np.ndarray, " unit"]:
    """Which units belong to the wanted structures."""
    known = sorted(set(there.tolist()))
    names = [name.upper().removeprefix(PREFIX) if name != VOXELS_ONLY else name for name in wanted]
    for name in names:
        if name not in known:
            raise InputError(f"{path}: {unknown('brain structure', name, known)}")
    return np.isin(there, names) if names else np.full(there.shape, True)
