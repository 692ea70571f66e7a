"""Resting-state fMRI of one subject of the Human Connectome Project in parcels, as rapidtide ships it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.datasets import labelled
from yuragi.datasets._cifti import read_series
from yuragi.datasets.base import Dataset, remote_files
from yuragi.datasets.formats import check_shape

xr = lazy.load("xarray")

_FILES = remote_files(
    "https://raw.githubusercontent.com/bbfrederick/rapidtide/a78341f3e00097649f024c73e7708b1e9694cbc2/rapidtide/data/examples/databundle",
    "sub-RAPIDTIDETEST_cifti.ptseries.nii 2700672 ba3d27403096b38cfb54a322a16234550f1b39d3bd0b322930c11dc977458b2a",
)


class RapidtideRestCIFTI(Dataset):
    """Human resting-state fMRI, one subject, 1,200 volumes at 0.72 s, 400 cortical parcels (Schaefer, 17 networks) and 19 below the cortex.

    Units bear the names of the parcels, such as ``17Networks_LH_VisCent_ExStr_1``. ``structure`` is ``CORTEX_LEFT``, ``CORTEX_RIGHT`` or, for
    parcels of voxels, ``volume``. The repetition time stands in the header.
    """

    kind: Literal["rapidtide_rest_cifti"] = "rapidtide_rest_cifti"

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "recording"
    licence: ClassVar = "Apache-2.0 (carrier repository); HCP Open Access Data Use Terms"
    citation: ClassVar = (
        "Frederick, rapidtide, example data; Van Essen et al. (2013) The WU-Minn Human Connectome Project: an overview, NeuroImage 80:62-79"
    )
    home: ClassVar = "https://github.com/bbfrederick/rapidtide"

    def sizes(self) -> dict[str, int]:
        return {"frames": 1200, "units": 419}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self.files()[0].name]
        series = read_series(path)
        check_shape(path, "series", series.values.shape, (1200, 419))
        return labelled.recording(
            series.values,
            sampling_interval=series.repetition_time,
            units="a.u.",
            attributes=self.provenance(),
            coordinates=series.coordinates,
        )
