"""The file format of BrainDecoderToolbox2 and bdpy, in HDF5: one matrix of samples by columns, and what each column is.

``dataset`` (sample, column) holds voxels, labels and the design side by side; ``metadata`` tells with ``key``, ``description`` and ``value``
(key, column) what the columns are: 1 where a column belongs to the key, a number where the key is a property of the column (such as ``voxel_x``),
and NaN elsewhere. Older files write ``dataSet`` and ``metaData``. Source: the format's specification in bdpy's README.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import lazy_loader as lazy

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset
from yuragi.datasets.formats import check_shape, hdf5_member, missing_variable, open_hdf5
from yuragi.errors import InputError

h5py = lazy.load("h5py")
jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

IDENTITIES = ("image_index", "stimulus_id", "Label")
"""Keys that tell which image a sample shows, the first that is there counts."""


class BrainDecoderFile:
    """One such file, open for reading.

    >>> with open_hdf5("sub-01_perceptionNaturalImageTest_original_VC.h5") as opened:  # doctest: +SKIP
    ...     BrainDecoderFile(opened, "sub-01_perceptionNaturalImageTest_original_VC.h5").select("ROI_V1").shape
    (1200, 1004)
    """

    def __init__(self, file: h5py.File, path: Path | str) -> None:
        self.path = path
        self.matrix = _either(file, "dataset", "dataSet", path)
        told = _either(file, "metadata", "metaData", path)
        self.keys = [_text(key) for key in hdf5_member(told, "key", path)[()]]
        self._values = hdf5_member(told, "value", path)[()]
        check_shape(path, "dataset", self.matrix.shape, (None, None))
        check_shape(path, "metadata/value", self._values.shape, (len(self.keys), self.matrix.shape[1]))

    def columns(self, key: str) -> jaxtyping.Bool[np.ndarray, " column"]:
        """Which columns belong to a key."""
        return self.property(key) == 1

    def property(self, key: str) -> jaxtyping.Float[np.ndarray, " column"]:
        """The value of a key for every column; NaN where it has none."""
        if key not in self.keys:
            raise missing_variable(self.path, key, sorted(self.keys))
        return self._values[self.keys.index(key)].astype(np.float64)

    def select(self, key: str) -> jaxtyping.Float[np.ndarray, "sample chosen"]:
        """The columns of a key, all samples."""
        chosen = np.flatnonzero(self.columns(key))
        if chosen.size == 0:
            raise InputError(f"{self.path}: no column belongs to '{key}'; choose another key")
        first, last = int(chosen[0]), int(chosen[-1])
        # One slice: picking single columns from HDF5 is far slower than reading what lies between them too.
        return self.matrix[:, first : last + 1][:, chosen - first]

    def labels(self, key: str) -> jaxtyping.Float[np.ndarray, " sample"]:
        """A key of one column: one number for each sample."""
        found = self.select(key)
        check_shape(self.path, key, found.shape, (None, 1))
        return found[:, 0].astype(np.float64)

    def regions(self) -> list[str]:
        """The regions of interest, without ``ROI_``."""
        return sorted(key.removeprefix("ROI_") for key in self.keys if key.startswith("ROI_"))


class BrainDecoderDataset(Dataset):
    """Base of the data sets in this format: one region's voxels, presentations sorted by the image they show."""

    contents: ClassVar = "responses"

    def _responses(self, paths: Mapping[str, Path], name: str, roi: str, part: float | None, extra: dict[str, Any]) -> xr.Dataset:
        """The labelled responses.

        part
            only samples whose ``DataType`` is this; all where None
        """
        path = paths[name]
        with open_hdf5(path) as opened:
            file = BrainDecoderFile(opened, path)
            if roi not in file.regions():
                raise InputError(f"{path}: roi = '{roi}' is not there; choose one of {', '.join(file.regions()) or 'none'}")
            key = next((key for key in IDENTITIES if key in file.keys), None)
            if key is None:
                raise missing_variable(path, IDENTITIES[0], sorted(file.keys))
            kept = np.ones(file.matrix.shape[0], dtype=bool) if part is None else file.labels("DataType") == part
            if not kept.any():
                raise InputError(f"{path}: no sample has DataType {part:g}; this is not the file that the data set names")
            columns = file.columns(f"ROI_{roi}")
            voxels = file.select(f"ROI_{roi}")[kept].astype(np.float32)
            values, shown, place = by_stimulus(voxels, file.labels(key)[kept])
            design = {name: file.labels(name)[kept] for name in ("Session", "Run", "Block") if name in file.keys}
            where = {name: file.property(name)[columns] for name in ("voxel_x", "voxel_y", "voxel_z") if name in file.keys}
        coordinates: dict[str, Any] = {"stimulus": shown, "area": ("unit", np.full(values.shape[2], roi))}
        coordinates |= {name[-1]: ("unit", position) for name, position in where.items()}
        for name, numbers in design.items():
            coordinates[name.lower()] = (("repeat", "stimulus"), _placed(numbers[:, None], place, values.shape[:2])[..., 0])
        return labelled.responses(
            values, units="fMRI amplitude as the file gives it", attributes=self.provenance(paths) | extra | {"roi": roi}, coordinates=coordinates
        )


def by_stimulus(
    samples: jaxtyping.Float[np.ndarray, "sample unit"], identities: jaxtyping.Float[np.ndarray, " sample"]
) -> tuple[jaxtyping.Float[np.ndarray, "repeat stimulus unit"], jaxtyping.Float[np.ndarray, " stimulus"], jaxtyping.Integer[np.ndarray, "sample 2"]]:
    """Samples sorted by the stimulus that they show, the repeats in the order of the file; NaN where a stimulus has fewer than another.

    Returns the responses, the stimuli in rising order, and for each sample its repeat and its stimulus.
    """
    shown, stimulus, counts = np.unique(identities, return_inverse=True, return_counts=True)
    repeat = np.empty(len(samples), dtype=np.int64)
    repeat[np.argsort(stimulus, kind="stable")] = np.arange(len(samples)) - np.repeat(np.cumsum(counts) - counts, counts)
    place = np.stack([repeat, stimulus], axis=1)
    return _placed(samples, place, (int(counts.max(initial=0)), len(shown))), shown, place


def _placed(rows: np.ndarray, place: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    found = np.full((*shape, rows.shape[1]), np.nan, dtype=rows.dtype)
    found[place[:, 0], place[:, 1]] = rows
    return found


def _either(file: h5py.File, new: str, old: str, path: Path | str) -> Any:
    return file[old] if new not in file and old in file else hdf5_member(file, new, path)


def _text(key: Any) -> str:
    return key.decode("utf-8") if isinstance(key, bytes) else str(key)
