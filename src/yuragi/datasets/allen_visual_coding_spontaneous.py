"""Spontaneous activity of mouse visual cortex in the Allen Brain Observatory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.datasets import labelled
from yuragi.datasets._allensdk import AllenDataset

np = lazy.load("numpy")
xr = lazy.load("xarray")


class AllenVisualCodingSpontaneous(AllenDataset):
    """Mouse visual areas, two-photon calcium imaging of the Allen Brain Observatory: dF/F in the longest stretch without a stimulus.

    Time is that of the session, in seconds. The SDK runs in an environment of its own (``make allensdk``) when the data set is fetched, and hands
    over NetCDF.
    """

    kind: Literal["allen_visual_coding_spontaneous"] = "allen_visual_coding_spontaneous"

    contents: ClassVar = "recording"
    stimulus: ClassVar = "spontaneous"

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        data, attributes, units = self._exported(paths, "recording")
        times = data["time"].values
        return labelled.recording(
            data["recording"].transpose("time", "unit").values.astype(np.float32),
            sampling_interval=float(np.median(np.diff(times))),
            units="dF/F",
            attributes=attributes,
            coordinates={"time": times} | units,
        )
