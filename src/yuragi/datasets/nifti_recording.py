"""A recording from a NIfTI image of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field, model_validator

from yuragi.datasets._image_dataset import ForeignImages
from yuragi.datasets._region_names import read_region_names
from yuragi.datasets.imaging import region_series, voxel_series

xr = lazy.load("xarray")

Index = Annotated[int, Field(ge=0)]


class NiftiRecording(ForeignImages):
    """A recording from a NIfTI image of your own: the voxels inside a mask, or the regions of an atlas.

    Give ``mask`` for voxels, ``atlas`` for regions, both for regions inside the mask. The repetition time is the header's; where it states none,
    give it.
    """

    kind: Literal["nifti_recording"] = "nifti_recording"
    path: str = Field(min_length=1, description="the image, four dimensions")
    mask: str = Field("", description="image that is not zero inside")
    atlas: str = Field("", description="image of labels (three dimensions) or maps (four)")
    names: str = Field("", description="table with the columns index and name for the labels of the atlas")
    voxels: tuple[tuple[Index, Index, Index], ...] = Field((), description="indices (i, j, k), from 0, of the only voxels to take; all where empty")
    confounds: str = Field("", description="table of confounds, one row a volume")
    confound_columns: tuple[str, ...] = Field((), description="columns of the table that are regressed out; all where empty")

    contents: ClassVar = "recording"
    local: ClassVar = True
    example: ClassVar = {"path": "sub-01_task-rest_bold.nii.gz", "mask": "sub-01_mask.nii.gz"}
    licence: ClassVar = "that of your own data"
    citation: ClassVar = "read with nilearn (doi:10.5281/zenodo.8397156) and nibabel (doi:10.5281/zenodo.591597)"
    home: ClassVar = "https://nifti.nimh.nih.gov/"

    @model_validator(mode="after")
    def _mask_or_atlas(self) -> NiftiRecording:
        if not self.mask and not self.atlas:
            raise ValueError("neither mask nor atlas is given; give a mask for voxels, or an atlas for regions")
        if self.voxels and self.atlas:
            raise ValueError("voxels are taken from a mask, but an atlas is given; leave out one of the two")
        if self.names and not self.atlas:
            raise ValueError("names are those of an atlas, but none is given; give the atlas, or leave the names out")
        if self.confound_columns and not self.confounds:
            raise ValueError("confound_columns are those of a table, but none is given; give confounds, or leave the columns out")
        return self

    def local_files(self) -> tuple[Path, ...]:
        return tuple(Path(name) for name in (self.path, self.mask, self.atlas, self.names, self.confounds) if name)

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        common = {"confounds": self.confounds or None, "confound_columns": self.confound_columns}
        if not self.atlas:
            found = voxel_series(self.path, self.mask, self.processing(), voxels=self.voxels, **common)
        else:
            names = read_region_names(self.names) if self.names else None
            mask = self.mask or None
            found = region_series(self.path, self.atlas, self.processing(), names=names, mask=mask, missing_regions=self.missing_regions, **common)
        notes = self.provenance()  # after reading: a file that is not there is told by the reader
        found["recording"].attrs.update(notes)
        return found.assign_attrs(notes)
