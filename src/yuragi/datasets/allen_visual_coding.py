"""Responses of mouse visual cortex to natural scenes in the Allen Brain Observatory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.datasets import labelled
from yuragi.datasets._allensdk import AllenDataset

np = lazy.load("numpy")
xr = lazy.load("xarray")


class AllenVisualCoding(AllenDataset):
    """Mouse visual areas, two-photon calcium imaging of the Allen Brain Observatory: dF/F in response to natural scenes, many repeats of each.

    A response is the mean dF/F over twice the length of a presentation, from its onset, as in the SDK's own analysis; blank presentations are left
    out. Only experiments of session type ``three_session_B`` show the scenes. The SDK runs in an environment of its own (``make allensdk``) when the
    data set is fetched, and hands over NetCDF.
    """

    kind: Literal["allen_visual_coding"] = "allen_visual_coding"

    contents: ClassVar = "responses"
    stimulus: ClassVar = "natural_scenes"

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        data, attributes, units = self._exported(paths, "responses")
        values = data["responses"].transpose("repeat", "stimulus", "unit").values.astype(np.float32)
        return labelled.responses(values, units="dF/F", attributes=attributes, coordinates={"stimulus": data["stimulus"].values} | units)
