"""Your own CIFTI-2 time series."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets._cifti import read_series
from yuragi.datasets._own_file import existing
from yuragi.datasets.base import Dataset

xr = lazy.load("xarray")


class CIFTIRecording(Dataset):
    """A CIFTI-2 time series of your own, dense (.dtseries.nii) or parcellated (.ptseries.nii), as a recording.

    Units of a parcellated file bear the names of the parcels; grayordinates of a dense file are numbered, with ``structure``, ``vertex`` (-1 for
    voxels) and, where there are voxels, ``x``, ``y``, ``z`` in mm. The repetition time comes from the header; a header without one is refused unless
    ``repetition_time`` is given. Nothing is filtered, detrended or regressed out. The whole file is held in memory as float64: a dense run of the
    Human Connectome Project (91,282 x 1,200) is 0.9 GB; ``structures`` keeps a part.

    ``load("cifti_recording", path="rest.dtseries.nii", structures=("CORTEX_LEFT", "CORTEX_RIGHT"))``
    """

    kind: Literal["cifti_recording"] = "cifti_recording"
    path: str = Field(description="the file, such as rest.ptseries.nii")
    repetition_time: float | None = Field(None, gt=0, description="seconds between frames, instead of what the header says")
    structures: tuple[str, ...] = Field((), description="brain structures to keep, such as CORTEX_LEFT; all where empty")

    contents: ClassVar = "recording"
    local: ClassVar = True
    example: ClassVar[Mapping[str, Any]] = {"path": "rest.ptseries.nii"}
    licence: ClassVar = "that of your file"
    citation: ClassVar = "that of your file; CIFTI-2 is read by nibabel"
    home: ClassVar = "https://www.nitrc.org/projects/cifti"

    def local_files(self) -> tuple[Path, ...]:
        return (Path(self.path).expanduser(),)

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = existing(self.path)
        series = read_series(path, self.repetition_time, self.structures)
        return labelled.recording(
            series.values,
            sampling_interval=series.repetition_time,
            units="a.u.",
            attributes=self.provenance() | {"source": path.name},
            coordinates=series.coordinates,
        )
