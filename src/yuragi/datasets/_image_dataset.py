"""The options that data sets made from images share."""

from __future__ import annotations

from pydantic import Field, model_validator

from yuragi.datasets._cleaning import Scale
from yuragi.datasets.base import Dataset
from yuragi.datasets.imaging import Processing, Remedy


class ImageDataset(Dataset):
    """A data set whose series are taken from images by `yuragi.datasets.imaging`."""

    detrend: bool = Field(True, description="subtract each series' mean and straight line")
    low: float | None = Field(None, gt=0, description="lower edge of the band that is kept, Hz; none keeps all slow changes")
    high: float | None = Field(None, gt=0, description="upper edge of the band that is kept, Hz; none keeps all fast changes")
    standardise: Scale = Field("zscore", description="none, zscore (standard deviation 1), or percent (of the mean)")

    @model_validator(mode="after")
    def _band_is_not_empty(self) -> ImageDataset:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"the band from low = {self.low:g} to high = {self.high:g} Hz is empty; give low < high")
        return self

    def processing(self) -> Processing:
        """What is done with the series."""
        return Processing(detrend=self.detrend, low=self.low, high=self.high, standardise=self.standardise)


class ForeignImages(ImageDataset):
    """Images that this package does not know byte by byte: their headers and grids may need help."""

    repetition_time: float | None = Field(None, gt=0, description="seconds between volumes, in place of what the files state")
    resample: bool = Field(False, description="bring a mask or atlas of another grid onto the image's; otherwise it is refused")
    missing_regions: Remedy = Field("refuse", description="regions of an atlas without a voxel in the image: refuse or drop")

    def processing(self, interval: float | None = None) -> Processing:
        """What is done with the series; ``interval`` is the repetition time where something other than the header tells it."""
        given = self.repetition_time if self.repetition_time is not None else interval
        return Processing(given, self.detrend, self.low, self.high, self.standardise, self.resample)
