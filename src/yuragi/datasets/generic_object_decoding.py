"""fMRI of five people who saw object images, of the study of generic object decoding."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets.base import Listing
from yuragi.datasets.brain_decoder import BrainDecoderDataset
from yuragi.datasets.repositories import Figshare

xr = lazy.load("xarray")

DATA_TYPES = {"training": 1.0, "test": 2.0}
"""What the column ``DataType`` says; 3 is imagery, which shows no image."""


class GenericObjectDecoding(BrainDecoderDataset):
    """Human visual cortex, preprocessed fMRI while five people saw images of objects, the test images with many repeats.

    Stimuli bear the index of the image in the file. The samples of imagery are left out.
    """

    kind: Literal["generic_object_decoding"] = "generic_object_decoding"
    subject: int = Field(1, ge=1, le=5, description="person, 1 to 5")
    part: Literal["training", "test"] = Field("test", description="training images, or test images seen again and again")
    roi: str = Field("V1", description="region of interest, without ROI_; a wrong one is told with those that the file has")

    licence: ClassVar = "as the figshare page states"
    citation: ClassVar = (
        "Horikawa, Kamitani (2017) Generic decoding of seen and imagined objects using hierarchical visual features, Nature Communications 8:15037"
    )
    home: ClassVar = "https://figshare.com/articles/Generic_Object_Decoding/7387130"

    def listing(self) -> Listing:
        return Figshare(7387130, (self._file,))

    @property
    def _file(self) -> str:
        return f"Subject{self.subject}.h5"

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        return self._responses(paths, self._file, self.roi, DATA_TYPES[self.part], {"subject": self.subject})
