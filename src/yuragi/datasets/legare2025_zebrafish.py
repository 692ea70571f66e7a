"""Whole-brain calcium activity of a larval zebrafish, averaged over regions, with the structural connections between them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, remote_files
from yuragi.datasets.formats import check_shape, read_npy
from yuragi.errors import InputError

np = lazy.load("numpy")
xr = lazy.load("xarray")

_FILES = remote_files(
    "https://raw.githubusercontent.com/pdesrosiers/brain-connectivity-and-dynamics/6597270c57c1592b78052cffb11c1124ea19cbcf/data/zebrafish",
    """
    timeseries_regions_fish6.npy 499648 8619c0d085016754fceb84d757eb662e2120276c3685c327f81c2234ce3387ab
    SC.npy 39328 f88e6b194b608dbcd0cbe1df0b2ae2c3b40fc7e896165a35ce578be276d24a60
    region_names.npy 18608 140077a764fce3be0890a97a43fbb6d449f7c583ec29baddb9ae8a19ea08dc40
    region_acronyms.npy 2928 7f97c69a791d6c77ba7eb8b1f5dbc90c1628837551d4c8c3fbbbddb40b649dfb
    region_centroids.npy 3488 0278b67143bdced94f0441b32d8dd7030e482848a9552547a11bbd67c207b03c
    """,
)

SERIES, CONNECTIVITY, NAMES, ACRONYMS, CENTROIDS = (file.name for file in _FILES)
REGIONS, FRAMES, QUIET = 70, 892, 600


class Legare2025Zebrafish(Dataset):
    """Larval zebrafish, whole-brain two-photon calcium imaging, 70 region means x 892 frames, the first 600 of them spontaneous; CC BY 4.0.

    Units bear the acronyms of the mapZebrain regions; ``region`` is the whole name. Every region has two centroids, one a hemisphere, which differ
    in x only: ``x``, ``y``, ``z`` is the first in the file and ``x_opposite`` the other (atlas coordinates, unit not in the file). The variable
    ``structural_connectivity`` (unit, other_unit) is the directed, weighted matrix of the file, from 0 to 1; which axis is the source of a
    connection, the file does not tell. Three regions (RH, Pit, GG) never vary: `yuragi.datasets.check_units` drops and counts them.

    Not all of it is spontaneous: in the experiment ten minutes of constant light are followed by three minutes of dark flashes, and the tutorial
    of the same repository takes the first 600 of its 892 frames as rest. ``part="rest"``, the default, keeps those; the files themselves do not
    mark the flashes. Nor do they tell the frame rate: without ``sampling_interval``, ``time`` counts frames. 892 frames in 13 minutes would be
    0.87 s a frame.
    """

    kind: Literal["legare2025_zebrafish"] = "legare2025_zebrafish"
    part: Literal["rest", "all"] = Field("rest", description="the first 600 frames, before the dark flashes, or all 892")
    sampling_interval: float | None = Field(None, gt=0, description="seconds between frames, if you know them; the files do not tell (about 0.87)")

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "recording"
    licence: ClassVar = "CC BY 4.0"
    citation: ClassVar = (
        "Légaré et al. (2025) Structural and genetic determinants of zebrafish functional brain networks, Science Advances 11:eadv7576; "
        "data: doi:10.5683/SP3/IIVGOB"
    )
    home: ClassVar = "https://github.com/pdesrosiers/brain-connectivity-and-dynamics"

    def sizes(self) -> dict[str, int]:
        return {"frames": QUIET if self.part == "rest" else FRAMES, "units": REGIONS}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        shapes = {SERIES: (REGIONS, FRAMES), CONNECTIVITY: (REGIONS, REGIONS), NAMES: (REGIONS,), ACRONYMS: (REGIONS,), CENTROIDS: (2 * REGIONS, 3)}
        found = {name: read_npy(paths[name]) for name in shapes}
        for name, shape in shapes.items():
            check_shape(paths[name], name, found[name].shape, shape)
        for name in (NAMES, ACRONYMS):
            if found[name].dtype.kind != "U":
                raise InputError(f"{paths[name]}: holds {found[name].dtype}, expected names; delete it and fetch it again")
        here, opposite = found[CENTROIDS][:REGIONS], found[CENTROIDS][REGIONS:]
        positions = {"x": here[:, 0], "y": here[:, 1], "z": here[:, 2], "x_opposite": opposite[:, 0]}
        data = labelled.recording(
            np.ascontiguousarray(found[SERIES].T[: self.sizes()["frames"]]),
            sampling_interval=float("nan") if self.sampling_interval is None else self.sampling_interval,
            units="relative fluorescence",
            attributes=self.provenance() | {"part": self.part},
            coordinates={"unit": found[ACRONYMS], "region": ("unit", found[NAMES])}
            | {name: ("unit", position) for name, position in positions.items()},
        )
        data["structural_connectivity"] = (("unit", "other_unit"), found[CONNECTIVITY])
        return data.assign_coords(other_unit=found[ACRONYMS])
