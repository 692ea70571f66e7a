"""Spike counts of macaque V4 neurons in response to natural images, with repeats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import lazy_loader as lazy
from pydantic import BeforeValidator, Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, RemoteFile, remote_files
from yuragi.datasets.formats import check_shape, read_npy

np = lazy.load("numpy")
xr = lazy.load("xarray")

_FILES = remote_files(
    "https://raw.githubusercontent.com/cowleygroup/V4_compact_models/f4552ad9d34a466ebc66658f72a08a8e5038f1cf/data_V4_responses",
    """
    responses_raw/responses_210325.npy 2560128 4008dbbf31a47d9b1b8d8da609f4a7a3433c7071f0e45c611c220b217dd75b76
    responses_raw/responses_201016.npy 3936128 d04e4f21d546f29d17a999826f690a56bb0ef1730b184d14096d20b94237e2dd
    """,
)

SIZES = {"201016": {"units": 82, "stimuli": 600, "repeats": 9}, "210325": {"units": 50, "stimuli": 640, "repeats": 10}}
COLUMNS = 10
"""Repeats that the file has room for, whether or not any image had so many."""


class Cowley2023V4(Dataset):
    """Macaque V4, spike counts in 100 ms, 82 neurons x 600 images x up to 9 repeats, or 50 x 640 x up to 10.

    Images have between 5 and 10 repeats; a missing repeat is NaN. Stimuli are numbered in the order of the file.
    """

    kind: Literal["cowley2023_v4"] = "cowley2023_v4"
    session: Annotated[Literal["201016", "210325"], BeforeValidator(str)] = Field("201016", description="recording session, as year, month, day")

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "responses"
    licence: ClassVar = "GPL-3.0"
    citation: ClassVar = (
        "Cowley, Stan, Pillow, Smith (2023) Compact deep neural network models of visual cortex, bioRxiv, doi:10.1101/2023.11.22.568315"
    )
    home: ClassVar = "https://github.com/cowleygroup/V4_compact_models"

    def files(self) -> tuple[RemoteFile, ...]:
        return self.source_files(f"responses_raw/responses_{self.session}.npy")

    def sizes(self) -> dict[str, int]:
        return dict(SIZES[self.session])

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self.files()[0].name]
        counts = read_npy(path)
        check_shape(path, path.name, counts.shape, (SIZES[self.session]["units"], SIZES[self.session]["stimuli"], COLUMNS))
        # A repeat that no image had is no repeat.
        shown = np.isfinite(counts).any(axis=(0, 1))
        values = np.ascontiguousarray(counts[:, :, shown].transpose(2, 1, 0), dtype=np.float64)
        return labelled.responses(
            values,
            units="spikes in 100 ms",
            attributes=self.provenance() | {"session": self.session},
            coordinates={"area": ("unit", np.full(counts.shape[0], "V4"))},
        )
