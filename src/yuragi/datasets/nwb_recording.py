"""Your own NWB file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets._nwb import read_series
from yuragi.datasets._own_file import existing
from yuragi.datasets._segments import longest, segments
from yuragi.datasets.base import Dataset

np = lazy.load("numpy")
xr = lazy.load("xarray")


class NWBRecording(Dataset):
    """A time series of an NWB file of your own, version 2 or 1, as a recording.

    ``series`` is the path of a TimeSeries, RoiResponseSeries or ElectricalSeries in the file, such as
    ``processing/ophys/DfOverF/RoiResponseSeries``, or the end of that path where it is the only one that ends so; name something that is not there
    to see what is. ``acquisition/Activity_*`` puts several series of one unit side by side. In NWB 1 it is the group that holds ``data`` and
    ``timestamps``: ``processing/brain_observatory_pipeline/DfOverF/imaging_plane_1`` in files of the Allen Brain Observatory. Values are in the unit
    that the file states, its conversion factor and offset applied; units bear the numbers of the regions of interest or electrodes, with ``area`` and
    positions where the file has them.

    ``time`` keeps the seconds of the file; ``sampling_interval`` is the median step. Where steps are 1.5 times as long or longer there is a pause:
    ``segment`` (time) numbers the stretches and ``pauses`` counts them. An analysis of time courses wants ``segment="longest"``. The whole series is
    read into memory: this is for calcium traces, rates and envelopes, not for raw voltages.

    ``load("nwb_recording", path="mouse.nwb", series="RoiResponseSeries")``
    """

    kind: Literal["nwb_recording"] = "nwb_recording"
    path: str = Field(description="the file, such as mouse.nwb")
    series: str = Field(min_length=1, description="path of the series inside the file, or the end of it, or a pattern with wildcards")
    segment: Literal["all", "longest"] = Field("all", description="all frames, or only the longest stretch without a pause")

    contents: ClassVar = "recording"
    local: ClassVar = True
    example: ClassVar[Mapping[str, Any]] = {"path": "mouse.nwb", "series": "processing/ophys/DfOverF/RoiResponseSeries"}
    licence: ClassVar = "that of your file"
    citation: ClassVar = (
        "that of your file; Rübel et al. (2022) The Neurodata Without Borders ecosystem for neurophysiological data science, eLife 11:e78362"
    )
    home: ClassVar = "https://nwb.org"

    def local_files(self) -> tuple[Path, ...]:
        return (Path(self.path).expanduser(),)

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = existing(self.path)
        series = read_series(path, self.series)
        interval, numbers = segments(series.time)
        kept = longest(numbers) if self.segment == "longest" else np.full(series.time.shape, True)
        return labelled.recording(
            series.values[kept],
            # The steps of timestamps are not exact: 1e-9 relative is below any clock.
            sampling_interval=float(f"{interval:.9g}"),
            units=series.units,
            attributes=self.provenance() | {"source": path.name, "series": self.series, "pauses": int(np.unique(numbers[kept]).size - 1)},
            coordinates={"time": series.time[kept], "segment": ("time", numbers[kept])} | series.coordinates,
        )
