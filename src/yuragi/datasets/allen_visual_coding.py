"""Responses of mouse visual cortex to natural scenes in the Allen Brain Observatory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import _allensdk, labelled
from yuragi.datasets.base import Dataset
from yuragi.datasets.formats import check_shape
from yuragi.files import read_netcdf

np = lazy.load("numpy")
xr = lazy.load("xarray")

FILE = "natural_scenes.nc"


class AllenVisualCoding(Dataset):
    """Mouse visual areas, two-photon calcium imaging of the Allen Brain Observatory: dF/F in response to 118 natural scenes x 50 repeats.

    A response is the mean dF/F over twice the length of a presentation, from its onset, as in the SDK's own analysis; blank presentations are left
    out. Only experiments of session type ``three_session_B`` show the scenes. The SDK runs in an environment of its own (``make allensdk``) when the
    data set is fetched, and hands over NetCDF.
    """

    kind: Literal["allen_visual_coding"] = "allen_visual_coding"
    experiment: int = Field(501498760, ge=1, description="number of the ophys experiment")

    contents: ClassVar = "responses"
    licence: ClassVar = "terms of use of the Allen Institute"
    citation: ClassVar = "Allen Institute for Brain Science, Allen Brain Observatory: Visual Coding, two-photon calcium imaging"
    home: ClassVar = "https://observatory.brain-map.org/visualcoding"

    def variant(self) -> str:
        return f"experiment-{self.experiment}"

    def download(self, folder: Path) -> None:
        _allensdk.export(folder / FILE, self.experiment, "natural_scenes")

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        data = read_netcdf(paths[FILE], "responses")
        array = data["responses"]
        check_shape(paths[FILE], "responses", array.transpose("repeat", "stimulus", "unit").shape, (None, None, data.sizes["unit"]))
        return labelled.responses(
            array.transpose("repeat", "stimulus", "unit").values.astype(np.float32),
            units="dF/F",
            attributes={**data.attrs, **self.provenance(paths), "experiment": self.experiment},
            coordinates={"stimulus": data["stimulus"].values, "unit": data["cell"].values}
            | {"area": ("unit", np.full(data.sizes["unit"], str(data.attrs.get("targeted_structure", "unknown"))))},
        )
