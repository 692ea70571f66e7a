"""fMRI of three people who saw natural images, of the study of deep image reconstruction."""

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


class DeepImageReconstruction(BrainDecoderDataset):
    """Human visual cortex, preprocessed fMRI while three people saw natural images, several repeats of each.

    Stimuli bear the index of the image in the file; ``session``, ``run`` and ``block`` of each presentation and the voxels' places are kept where
    the file has them.
    """

    kind: Literal["deep_image_reconstruction"] = "deep_image_reconstruction"
    subject: int = Field(1, ge=1, le=3, description="person, 1 to 3")
    part: Literal["training", "test"] = Field("test", description="the many images with few repeats, or the few with many")
    roi: str = Field("V1", description="region of interest, without ROI_; a wrong one is told with those that the file has")

    licence: ClassVar = "as the figshare page states"
    citation: ClassVar = (
        "Shen, Horikawa, Majima, Kamitani (2019) Deep image reconstruction from human brain activity, PLOS Computational Biology, "
        "https://doi.org/10.1371/journal.pcbi.1006633"
    )
    home: ClassVar = "https://figshare.com/articles/Deep_Image_Reconstruction/7033577"

    def listing(self) -> Listing:
        return Figshare(7033577, (self._file,))

    @property
    def _file(self) -> str:
        return f"sub-{self.subject:02d}_perceptionNaturalImage{self.part.capitalize()}_original_VC.h5"

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        return self._responses(paths, self._file, self.roi, None, {"subject": self.subject})
