"""Spike counts of macaque V4 neurons in response to natural images, with repeats or averaged over them, and the images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import lazy_loader as lazy
from pydantic import BeforeValidator, Field, model_validator

from yuragi.datasets import labelled
from yuragi.datasets._image_archive import read_jpeg_archive
from yuragi.datasets.base import Dataset, RemoteFile, remote_files
from yuragi.datasets.formats import check_shape, read_npy

np = lazy.load("numpy")
xr = lazy.load("xarray")

_FILES = remote_files(
    "https://raw.githubusercontent.com/cowleygroup/V4_compact_models/f4552ad9d34a466ebc66658f72a08a8e5038f1cf/data_V4_responses",
    """
    responses_raw/responses_210325.npy 2560128 4008dbbf31a47d9b1b8d8da609f4a7a3433c7071f0e45c611c220b217dd75b76
    responses_raw/responses_201016.npy 3936128 d04e4f21d546f29d17a999826f690a56bb0ef1730b184d14096d20b94237e2dd
    responses_repeat_averaged/responses_201025.npy 854528 f729f3dc0d29aa38bd380c0da9e39aba916f9e2580949929b65d1714e7217a8a
    responses_repeat_averaged/responses_210225.npy 528128 853f196247504fa2526b507f56ee5237711ed166f295f7cb23ec5441a7bf789b
    responses_repeat_averaged/responses_190923.npy 316928 741672d36541ce39930c8a3b5bd1cfd33c187aa47b1549c9c5569bc21aa97a28
    responses_repeat_averaged/responses_210224.npy 428928 4dbb7367707a5ca47ab4cea863bbf4e9765b8409cb30216693721bddfad7abfe
    images/images_210325.zip 1841475 992774eca3508a2ad01accb1a31f5f3e3d90248c49f4eec314f2a915a263e454
    images/images_201025.zip 4131376 3abb63679107665eab7220bdeaf7863832a1df943bf3d7792501f5082a55b2e8
    images/images_210225.zip 4137526 79bfb1066949a7f7bbd3c632ab420c2230b966b80cade76593d8745aea49b7f6
    images/images_190923.zip 4024034 e99a4df1c7476bdc4d565ff4408bc421976ecc3a22c41af6bfd0cfbddb508c0c
    images/images_210224.zip 2782116 e2690810bee34c2e2821e5dd504c7970f3441579bc57659f27d2c11678b52c6b
    """,
)

SIZES = {
    "201016": {"units": 82, "stimuli": 600, "repeats": 9},
    "210325": {"units": 50, "stimuli": 640, "repeats": 10},
    "201025": {"units": 89, "stimuli": 1200, "repeats": 1},
    "210225": {"units": 55, "stimuli": 1200, "repeats": 1},
    "190923": {"units": 33, "stimuli": 1200, "repeats": 1},
    "210224": {"units": 67, "stimuli": 800, "repeats": 1},
}
COLUMNS = 10
"""Repeats that a file of single repeats has room for, whether or not any image had so many."""
WITHOUT_IMAGES = "201016"
PIXELS = (112, 112)
"""Height and width of the images."""

Session = Literal["201016", "210325", "201025", "210225", "190923", "210224"]


class Cowley2023V4(Dataset):
    """Macaque V4, spike counts in 100 ms: 82 neurons x 600 images x up to 9 repeats, 50 x 640 x up to 10, or averages for up to 1200 images.

    The sessions 201016 and 210325 have single repeats, between 5 and 10 of an image; a missing repeat is NaN. Of the others only the average over
    repeats is public: a single "repeat", from which no noise can be told, so no cross-validated spectrum either. Stimuli are numbered in
    the order of the file. ``images`` adds the variable ``images (stimulus, channel, height, width)``: red, green and blue as decoded from JPEG, 112 x
    112 pixels from 0 to 255. Those of 210325 are grey: their three channels are equal.
    """

    kind: Literal["cowley2023_v4"] = "cowley2023_v4"
    session: Annotated[Session, BeforeValidator(str)] = Field(
        "201016", description="recording session, as year, month, day; 201016 and 210325 have repeats, the others are averages over them"
    )
    images: bool = Field(False, description="read the images too, which were shown; those of session 201016 are not public")

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "responses"
    licence: ClassVar = "GPL-3.0"
    citation: ClassVar = (
        "Cowley, Stan, Pillow, Smith (2023) Compact deep neural network models of visual cortex, bioRxiv, doi:10.1101/2023.11.22.568315"
    )
    home: ClassVar = "https://github.com/cowleygroup/V4_compact_models"

    @model_validator(mode="after")
    def _images_are_public(self) -> Cowley2023V4:
        if self.images and self.session == WITHOUT_IMAGES:
            raise ValueError(f"images = true: those of session {self.session} are not public; set false, or choose another session, such as 210325")
        return self

    def files(self) -> tuple[RemoteFile, ...]:
        folder = "responses_repeat_averaged" if SIZES[self.session]["repeats"] == 1 else "responses_raw"
        images = [f"images/images_{self.session}.zip"] if self.images else []
        return self.source_files(f"{folder}/responses_{self.session}.npy", *images)

    def sizes(self) -> dict[str, int]:
        return dict(SIZES[self.session])

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self.files()[0].name]
        counts, sizes = read_npy(path), SIZES[self.session]
        repeats = (COLUMNS,) if sizes["repeats"] > 1 else ()
        check_shape(path, path.name, counts.shape, (sizes["units"], sizes["stimuli"], *repeats))
        counts = counts.reshape(*counts.shape[:2], -1)
        # A repeat that no image had is no repeat.
        shown = np.isfinite(counts).any(axis=(0, 1))
        values = np.ascontiguousarray(counts[:, :, shown].transpose(2, 1, 0), dtype=np.float64)
        data = labelled.responses(
            values,
            units="spikes in 100 ms",
            attributes=self.provenance() | {"session": self.session},
            coordinates={"area": ("unit", np.full(counts.shape[0], "V4"))},
        )
        if not self.images:
            return data
        names = [f"image{number:04d}.jpg" for number in range(1, sizes["stimuli"] + 1)]
        pixels = read_jpeg_archive(paths[self.files()[1].name], names, PIXELS)
        told = {"long_name": "images that were shown", "units": "1 / 255 of the full scale", "channels": "red, green, blue"}
        return data.assign(images=(("stimulus", "channel", "height", "width"), pixels, told))
