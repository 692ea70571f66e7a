"""Spontaneous activity of mouse visual cortex in the Allen Brain Observatory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import _allensdk, labelled
from yuragi.datasets.base import Dataset
from yuragi.files import read_netcdf

np = lazy.load("numpy")
xr = lazy.load("xarray")

FILE = "spontaneous.nc"


class AllenVisualCodingSpontaneous(Dataset):
    """Mouse visual areas, two-photon calcium imaging of the Allen Brain Observatory: dF/F in the longest stretch without a stimulus.

    Time is that of the session, in seconds. The SDK runs in an environment of its own (``make allensdk``) when the data set is fetched, and hands
    over NetCDF.
    """

    kind: Literal["allen_visual_coding_spontaneous"] = "allen_visual_coding_spontaneous"
    experiment: int = Field(501498760, ge=1, description="number of the ophys experiment")

    contents: ClassVar = "recording"
    licence: ClassVar = "terms of use of the Allen Institute"
    citation: ClassVar = "Allen Institute for Brain Science, Allen Brain Observatory: Visual Coding, two-photon calcium imaging"
    home: ClassVar = "https://observatory.brain-map.org/visualcoding"

    def variant(self) -> str:
        return f"experiment-{self.experiment}"

    def download(self, folder: Path) -> None:
        _allensdk.export(folder / FILE, self.experiment, "spontaneous")

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        data = read_netcdf(paths[FILE], "recording")
        times = data["time"].values
        return labelled.recording(
            data["recording"].transpose("time", "unit").values.astype(np.float32),
            sampling_interval=float(np.median(np.diff(times))),
            units="dF/F",
            attributes={**data.attrs, **self.provenance(paths), "experiment": self.experiment},
            coordinates={"time": times, "unit": data["cell"].values}
            | {"area": ("unit", np.full(data.sizes["unit"], str(data.attrs.get("targeted_structure", "unknown"))))},
        )
