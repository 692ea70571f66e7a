"""Calcium traces that CASCADE ships as examples: mouse V1 and the olfactory pallium of the zebrafish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, RemoteFile, remote_files
from yuragi.datasets.formats import check_shape, read_mat

np = lazy.load("numpy")
xr = lazy.load("xarray")

_ADDRESS = "https://raw.githubusercontent.com/PTRRupprecht/Cascade/5b80dc0a93b44ac9beed82827ce445ce7a4db26b/Example_datasets"
_FILES = remote_files(
    f"{_ADDRESS}/Allen-Brain-Observatory-Visual-Coding-30Hz",
    "Experiment_552195520_excerpt.mat 1649096 ba82413d65fc3dfac622da559fdef0e379f7ed072316b08b1980c7c7d4739f3b",
) + remote_files(
    f"{_ADDRESS}/Multiplane-OGB1-zf-pDp-Rupprecht-7.5Hz",
    """
    Calcium_traces_01.mat 2003453 7f07044fadb2eb62c3073b1b1f6bfdf2da00d016c29d078b65cb6cb59310a79d
    Calcium_traces_02.mat 2002570 260af0cc6ea63e1afde4ce8057942c528919ab02c0c1151a3882b3fac917f21a
    Calcium_traces_03.mat 2003423 ceac2ff264b553778a6cac3e2cdabb2d9e467967ec5a32de0f1d3ec7661f260c
    Calcium_traces_04.mat 2002310 2514059f65606b1407744837bb769a2975d1147a6db74f41a3061da2c309306a
    """,
)

MOUSE = ("Experiment_552195520_excerpt.mat", "V1", 30.0, (74, 6001))
RECORDINGS = {"mouse_v1": MOUSE} | {f"zebrafish_pdp_{trial}": (f"Calcium_traces_{trial:02d}.mat", "pDp", 7.5, (1005, 260)) for trial in (1, 2, 3, 4)}
"""File, area, frames a second and shape (cells, frames) of each recording."""


class CascadeExamples(Dataset):
    """Calcium imaging, mouse V1 with 74 cells x 6,001 frames at 30 Hz, or zebrafish pDp with 4 trials of 1,005 cells x 260 frames at 7.5 Hz.

    Relative fluorescence ΔF/F. The mouse is an excerpt of experiment 552195520 of the Allen Visual Coding set. Each trial of the fish is a recording
    of its own: the time between trials is not known, so that they must not be joined. Two cells of the fish (60 and 348) are NaN throughout:
    `yuragi.datasets.check_units` drops and counts them. The frame rates stand in the names of the source's folders, not in the files, and the
    files do not tell when a stimulus was shown: do not take them for spontaneous activity without asking the source.
    """

    kind: Literal["cascade_examples"] = "cascade_examples"
    recording: Literal["mouse_v1", "zebrafish_pdp_1", "zebrafish_pdp_2", "zebrafish_pdp_3", "zebrafish_pdp_4"] = Field(
        "mouse_v1", description="the mouse, or one of four trials of the fish"
    )

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "recording"
    licence: ClassVar = "GPL-3.0 (carrier repository); mouse: Allen Institute terms of use, non-commercial"
    citation: ClassVar = (
        "Rupprecht et al. (2021) A database and deep learning toolbox for noise-optimized, generalized spike inference from calcium imaging, "
        "Nature Neuroscience 24:1324-1337; mouse: de Vries et al. (2020) Nature Neuroscience 23:138-151"
    )
    home: ClassVar = "https://github.com/PTRRupprecht/Cascade"

    def files(self) -> tuple[RemoteFile, ...]:
        return self.source_files(RECORDINGS[self.recording][0])

    def sizes(self) -> dict[str, int]:
        cells, frames = RECORDINGS[self.recording][3]
        return {"frames": frames, "units": cells}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        name, area, rate, shape = RECORDINGS[self.recording]
        (traces,) = read_mat(paths[name], "dF_traces")
        check_shape(paths[name], "dF_traces", traces.shape, shape)
        return labelled.recording(
            np.ascontiguousarray(traces.T),
            sampling_interval=1 / rate,
            units="ΔF/F",
            attributes=self.provenance() | {"recording": self.recording},
            coordinates={"area": ("unit", np.full(len(traces), area))},
        )
