"""Spontaneous calcium activity in the tectum of a larval zebrafish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, remote_files
from yuragi.datasets.formats import check_shape, read_mat

np = lazy.load("numpy")
xr = lazy.load("xarray")

_FILES = remote_files(
    "https://raw.githubusercontent.com/OpenSourceBrain/NWBShowcase/be2920012f0e007b597b1149bb2e87b24a507b96/TriplettEtAl2018/data/zf_20151104-f1",
    """
    zf_20151104-f1.mat 3705424 014a4ed61f8a9514b2873886ff99346b3af5bb390ff01918926b7152d519d360
    """,
)


class Triplett2018Tectum(Dataset):
    """Larval zebrafish tectum, spontaneous two-photon calcium imaging, 114 cells x 4,245 frames with cell positions.

    The file does not tell the frame rate: ``time`` counts frames and ``sampling_interval`` is NaN. ``x`` and ``y`` are the positions of the cells.
    """

    kind: Literal["triplett2018_tectum"] = "triplett2018_tectum"

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "recording"
    licence: ClassVar = "none stated in the carrier repository (figshare 6943265): for tests and benchmarks only, do not redistribute"
    citation: ClassVar = (
        "Triplett, Avitan, Goodhill (2018) Emergence of spontaneous assembly activity in developing neural networks without afferent input, "
        "PLoS Computational Biology 14:e1006421"
    )
    home: ClassVar = "https://github.com/OpenSourceBrain/NWBShowcase"

    def sizes(self) -> dict[str, int]:
        return {"frames": 4245, "units": 114}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self.files()[0].name]
        activity, positions = read_mat(path, "activity_matrix", "cell_coordinates")
        check_shape(path, "activity_matrix", activity.shape, (114, None))
        check_shape(path, "cell_coordinates", positions.shape, (114, 2))
        return labelled.recording(
            np.ascontiguousarray(activity.T),
            sampling_interval=float("nan"),
            units="relative fluorescence",
            attributes=self.provenance(),
            coordinates={"x": ("unit", positions[:, 0]), "y": ("unit", positions[:, 1]), "area": ("unit", np.full(len(positions), "tectum"))},
        )
