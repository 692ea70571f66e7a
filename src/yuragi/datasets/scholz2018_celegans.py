"""Whole-brain calcium activity of C. elegans while it moves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets._segments import longest, segments
from yuragi.datasets.base import Dataset, RemoteFile, remote_files
from yuragi.datasets.formats import check_shape, hdf5_member, missing_variable, open_hdf5

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

_FILES = remote_files(
    "https://raw.githubusercontent.com/OpenSourceBrain/NWBShowcase/68fbbc36d7f2c1f01dd50440d8066e61bd5cf7f0/ScholzEtAl2018",
    """
    ScholzEtAl2018.AML175_moving.BrainScanner20180223_142554.nwb 3936256 df74cf1eef8c6b52204678d62688116aff22d44ef696831bc11635ee4426e95b
    ScholzEtAl2018.AML175_moving.BrainScanner20180223_141721.nwb 2687805 ece2e33ba7bebf7ed51d538e968ec1d42f33f656e648046190b9625d90132ec1
    """,
)

FRAMES_AND_UNITS = {"BrainScanner20180223_141721": (2244, 666, 62), "BrainScanner20180223_142554": (3690, 684, 59)}
"""Frames, frames of the longest stretch without a pause, units."""


class Scholz2018Celegans(Dataset):
    """C. elegans, whole-brain calcium imaging while moving, 62 neurons x 2,244 frames or 59 x 3,690, about 6 volumes a second with pauses.

    The recordings are not continuous: there are 7 and 18 pauses of 1 to 41 s. ``time`` keeps the seconds of the file, the coordinate ``segment``
    numbers the stretches between the pauses, and ``sampling_interval`` is the median step (about 0.166 s). An analysis of time courses wants
    ``segment="longest"``.
    """

    kind: Literal["scholz2018_celegans"] = "scholz2018_celegans"
    session: Literal["BrainScanner20180223_141721", "BrainScanner20180223_142554"] = Field(
        "BrainScanner20180223_141721", description="name of the recording"
    )
    segment: Literal["all", "longest"] = Field("all", description="all frames, or only the longest stretch without a pause (666 and 684 frames)")

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "recording"
    licence: ClassVar = "none stated in the carrier repository (OSF mw5zs): for tests and benchmarks only, do not redistribute"
    citation: ClassVar = (
        "Scholz, Linder, Randi, Sharma, Yu, Shaevitz, Leifer (2018) Predicting natural behavior from whole-brain neural dynamics, "
        "bioRxiv, doi:10.1101/445643"
    )
    home: ClassVar = "https://github.com/OpenSourceBrain/NWBShowcase"

    def files(self) -> tuple[RemoteFile, ...]:
        return self.source_files(f"ScholzEtAl2018.AML175_moving.{self.session}.nwb")

    def sizes(self) -> dict[str, int]:
        frames, longest, units = FRAMES_AND_UNITS[self.session]
        return {"frames": longest if self.segment == "longest" else frames, "units": units}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self.files()[0].name]
        time, names, values = _read_series(path)
        interval, numbers = segments(time)
        kept = longest(numbers) if self.segment == "longest" else np.full(time.shape, True)
        return labelled.recording(
            values[kept],
            sampling_interval=round(interval, 3),
            units="none (as the file states)",
            attributes=self.provenance() | {"session": self.session, "pauses": int(np.unique(numbers[kept]).size - 1)},
            coordinates={"time": time[kept], "segment": ("time", numbers[kept]), "unit": names},
        )


def _read_series(
    path: Path,
) -> tuple[jaxtyping.Float[np.ndarray, " time"], list[str], jaxtyping.Float[np.ndarray, "time unit"]]:
    """Times in seconds, names and values of every neuron: one TimeSeries ``acquisition/Activity_XXXX`` each, as NWB 2.1 lays it out."""
    with open_hdf5(path) as file:
        acquisition = hdf5_member(file, "acquisition", path)
        names = sorted(name for name in acquisition if name.startswith("Activity_"))
        if not names:
            raise missing_variable(path, "acquisition/Activity_XXXX", sorted(map(str, acquisition)))
        time = hdf5_member(acquisition[names[0]], "timestamps", path)[()]
        columns = [hdf5_member(acquisition[name], "data", path)[()] for name in names]
    for name, column in zip(names, columns, strict=True):
        check_shape(path, f"acquisition/{name}/data", column.shape, time.shape)
    return time, [name.removeprefix("Activity_") for name in names], np.stack(columns, axis=1)
