"""Spontaneous calcium activity of ten thousand neurons of mouse visual cortex, with the places of the cells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, Listing
from yuragi.datasets.formats import check_shape
from yuragi.datasets.matlab import read_variables
from yuragi.datasets.repositories import Figshare

np = lazy.load("numpy")
xr = lazy.load("xarray")

Session = Literal[
    "M150824_MP019_2016-04-05",
    "M160825_MP027_2016-12-12",
    "M160907_MP028_2016-09-26",
    "M161025_MP030_2016-11-20",
    "M161025_MP030_2017-06-16",
    "M161025_MP030_2017-06-23",
    "M170714_MP032_2017-08-04",
    "M170717_MP033_2017-08-18",
    "M170717_MP034_2017-08-25",
]


class Stringer2019Spontaneous(Dataset):
    """Mouse visual cortex in darkness, two-photon calcium imaging, about 10,000 neurons.

    Units carry the position ``x``, ``y``, ``z`` of the cell's centre as the file gives it. The file does not tell the frame interval, so time counts
    frames; the published analysis averages 3 frames, of recordings in ten planes 4, to bins of about 1.2 s: see the attribute ``frames_per_bin``.
    ``running_speed (time)`` is there where the file has it.
    """

    kind: Literal["stringer2019_spontaneous"] = "stringer2019_spontaneous"
    session: Session = Field("M160907_MP028_2016-09-26", description="mouse and day")
    drop_labelled: bool = Field(True, description="drop cells with the red label (GAD+ interneurons), where the recording has one")

    contents: ClassVar = "recording"
    licence: ClassVar = "as the figshare page states"
    citation: ClassVar = (
        "Stringer, Pachitariu, Steinmetz, Reddy, Carandini, Harris (2019) Spontaneous behaviors drive multidimensional, brainwide activity, "
        "Science, https://doi.org/10.1126/science.aav7893"
    )
    home: ClassVar = "https://figshare.com/articles/dataset/_/6163622"

    def listing(self) -> Listing:
        return Figshare(6163622, (self._file,))

    @property
    def _file(self) -> str:
        return f"spont_{self.session}.mat"

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self._file]
        found = read_variables(path, "Fsp", "med", optional=("stat.redcell", "beh.runSpeed", "db.nplanes"))
        values, centres = found["Fsp"], found["med"]
        units = len(values)
        check_shape(path, "Fsp", values.shape, (None, None))
        check_shape(path, "med", centres.shape, (units, 3))
        kept = np.ones(units, dtype=bool)
        if self.drop_labelled and "stat.redcell" in found:
            check_shape(path, "stat.redcell", found["stat.redcell"].shape, (units,))
            kept = ~found["stat.redcell"].astype(bool)
        planes = int(found["db.nplanes"].ravel()[0]) if "db.nplanes" in found and found["db.nplanes"].size else None
        known = {"planes": planes, "frames_per_bin": 4 if planes == 10 else 3} if planes else {}
        coordinates = {"unit": np.flatnonzero(kept)} | {axis: ("unit", centres[kept, place].astype(np.float64)) for place, axis in enumerate("xyz")}
        speed = found.get("beh.runSpeed", np.zeros(0)).ravel()
        if speed.size == values.shape[1]:
            coordinates["running_speed"] = ("time", speed.astype(np.float64))
        return labelled.recording(
            np.ascontiguousarray(values[kept].T, dtype=np.float32),
            sampling_interval=float("nan"),
            units="deconvolved fluorescence, arbitrary units",
            attributes=self.provenance(paths) | {"session": self.session} | known,
            coordinates=coordinates,
        )
