"""V1 of two people of the Natural Scenes Dataset, in the subset that the scale-free spectra of Gauthaman et al. are demonstrated with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, Listing
from yuragi.datasets.repositories import OpenScience
from yuragi.errors import InputError
from yuragi.files import read_netcdf

np = lazy.load("numpy")
xr = lazy.load("xarray")

LABELS = ("stimulus", "repetition")


class NsdV1(Dataset):
    """Human V1, 7 T fMRI, z-scored single-trial amplitudes of two people x about 1,350 voxels x 1,000 images that both saw twice.

    Each file is one person's array (presentation, neuroid) with the coordinates ``stimulus`` and ``repetition`` of a presentation, ``x``, ``y``,
    ``z`` of a voxel and the attribute ``subject``. Stimuli bear the numbers of the images; a missing repeat is NaN.
    """

    kind: Literal["nsd_v1"] = "nsd_v1"
    subject: int | None = Field(None, ge=0, description="the person's number in the files, from 0; the lowest where not given")
    images: Literal["shared", "all"] = Field("shared", description="images that every person saw that often, or all that this person did")
    repeats: int = Field(2, ge=2, le=3, description="presentations of an image that are used; images with fewer are left out")

    contents: ClassVar = "responses"
    licence: ClassVar = "as the OSF page and the terms of the Natural Scenes Dataset state"
    citation: ClassVar = (
        "Allen et al. (2022) A massive 7T fMRI dataset to bridge cognitive neuroscience and artificial intelligence, Nature Neuroscience; "
        "subset of Gauthaman, Menard, Bonner, arXiv:2409.06843"
    )
    home: ClassVar = "https://osf.io/ft8b5"

    def listing(self) -> Listing:
        return OpenScience("ft8b5", ("*.nc",))

    def sizes(self) -> dict[str, int]:
        return {"repeats": self.repeats}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        everyone: dict[int, xr.DataArray] = {}
        for name in sorted(paths):
            array = _array(paths[name])
            everyone[int(array.attrs.get("subject", len(everyone)))] = array
        number = min(everyone) if self.subject is None else self.subject
        if number not in everyone:
            raise InputError(f"subject = {number}: not in the files; choose one of {', '.join(map(str, sorted(everyone)))}")
        array = everyone[number]
        chosen = self._seen_often(array)
        if self.images == "shared":
            for other in everyone.values():
                chosen = np.intersect1d(chosen, self._seen_often(other))
        if chosen.size == 0:
            raise InputError(f"repeats = {self.repeats}: no image was seen that often; ask for fewer, or for images = all")
        stimulus, repetition = (np.asarray(array[name].values) for name in LABELS)
        used = np.isin(stimulus, chosen) & (repetition < self.repeats)
        values = np.full((self.repeats, len(chosen), array.sizes["neuroid"]), np.nan, dtype=np.float32)
        values[repetition[used].astype(int), np.searchsorted(chosen, stimulus[used])] = array.values[used]
        coordinates: dict[str, Any] = {"stimulus": chosen.astype(np.int64), "area": ("unit", np.full(values.shape[2], "V1"))}
        coordinates |= {axis: ("unit", np.asarray(array[axis].values).astype(np.int64)) for axis in "xyz" if axis in array.coords}
        return labelled.responses(
            values,
            units="z-scored amplitude" if _true(array.attrs.get("z_score", True)) else "amplitude",
            attributes=self.provenance(paths) | {"subject": number},
            coordinates=coordinates,
        )

    def _seen_often(self, array: xr.DataArray) -> np.ndarray:
        """Images with every repetition that is asked for."""
        stimulus, repetition = (np.asarray(array[name].values) for name in LABELS)
        shown, counts = np.unique(stimulus[repetition < self.repeats], return_counts=True)
        return shown[counts == self.repeats]


def _array(path: Path) -> xr.DataArray:
    """The array of one person, presentations first."""
    data = read_netcdf(path)
    found = [array for array in data.data_vars.values() if {"presentation", "neuroid"} <= set(array.dims)]
    if len(found) != 1 or found[0].ndim != 2 or not all(name in data.coords or name in data for name in LABELS):
        there = "; ".join(f"{name} ({', '.join(map(str, array.dims))})" for name, array in data.variables.items())
        raise InputError(
            f"{path}: expected one array (presentation, neuroid) with stimulus and repetition, found {there or 'nothing'}; fetch it again"
        )
    return found[0].assign_coords({name: data[name] for name in LABELS}).transpose("presentation", "neuroid")


def _true(value: object) -> bool:
    """NetCDF keeps truth as a number or as text."""
    return str(value) in ("True", "1")
