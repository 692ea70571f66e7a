"""Resting-state fMRI of single voxels: one sagittal slice of two subjects of the Autism Brain Imaging Data Exchange."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import lazy_loader as lazy
from pydantic import BeforeValidator, Field

from yuragi.datasets import labelled
from yuragi.datasets._rda import read_rda
from yuragi.datasets.base import Dataset, RemoteFile, remote_files
from yuragi.datasets.formats import check_shape

xr = lazy.load("xarray")

_FILES = remote_files(
    "https://raw.githubusercontent.com/neuroconductor/fMRIscrub/6f93535e2c0b3dbdb697d732e8acd4a0c0b75576/data",
    """
    Dat1.rda 737907 987cba7a0d154953307976cdd7b1e08ee234cf968d5ed15215a02620cd1138d7
    Dat2.rda 526915 6c4f991f07211152c7db8a68235668cd7dc1c4cf3c5bb315e5d4ef2dfa38b6d0
    """,
)

VARIABLES = {"0050048": ("Dat1", 193, 4675), "0051479": ("Dat2", 145, 4679)}
"""The variable that holds each subject, its volumes and its voxels."""


class ABIDERestVoxels(Dataset):
    """Human resting-state fMRI, one sagittal slice of two subjects, 193 volumes x 4,675 voxels (many artefacts) and 145 x 4,679 (few).

    Corrected for slice timing, realigned, normalised to MNI space and linearly detrended by the source; the positions of the voxels are not in the
    file. 283 and 68 voxels never vary: `yuragi.datasets.check_units` drops and counts them. Subject 0050048 is for trying out what an analysis
    does with artefacts. The file does not tell the repetition time: without ``sampling_interval``, ``time`` counts volumes.
    """

    kind: Literal["abide_rest_voxels"] = "abide_rest_voxels"
    subject: Annotated[Literal["0050048", "0051479"], BeforeValidator(lambda value: f"{value:07d}" if type(value) is int else value)] = Field(
        "0051479", description="number of the subject in ABIDE I: 0050048 with many artefacts, 0051479 with few"
    )
    sampling_interval: float | None = Field(None, gt=0, description="repetition time in seconds, if you know it; the file does not tell")

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "recording"
    licence: ClassVar = "ABIDE I terms, non-commercial (carrier package GPL-3)"
    citation: ClassVar = (
        "Di Martino et al. (2014) The autism brain imaging data exchange, Molecular Psychiatry 19:659-667; slice distributed with the R package "
        "fMRIscrub (Mejia, Pham, Muschelli, McDonald)"
    )
    home: ClassVar = "https://github.com/neuroconductor/fMRIscrub"

    def files(self) -> tuple[RemoteFile, ...]:
        return self.source_files(f"{VARIABLES[self.subject][0]}.rda")

    def sizes(self) -> dict[str, int]:
        _, frames, voxels = VARIABLES[self.subject]
        return {"frames": frames, "units": voxels}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self.files()[0].name]
        variable, frames, voxels = VARIABLES[self.subject]
        values = read_rda(path, variable)
        check_shape(path, variable, values.shape, (frames, voxels))
        return labelled.recording(
            values,
            sampling_interval=float("nan") if self.sampling_interval is None else self.sampling_interval,
            units="a.u.",
            attributes=self.provenance() | {"subject": self.subject},
        )
