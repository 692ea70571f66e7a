"""Calcium responses of ten thousand neurons of mouse V1 to 2,800 natural images, each shown twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, Listing
from yuragi.datasets.formats import check_shape
from yuragi.datasets.matlab import read_variables
from yuragi.datasets.preprocessing import remove_spontaneous_subspace, repeats_by_halves, subtract_mean_over_trials, zscore_by_spontaneous
from yuragi.datasets.repositories import Figshare
from yuragi.errors import InputError

np = lazy.load("numpy")
xr = lazy.load("xarray")

Session = Literal[
    "M160825_MP027_2016-12-14",
    "M161025_MP030_2017-05-29",
    "M170604_MP031_2017-06-28",
    "M170714_MP032_2017-08-07",
    "M170714_MP032_2017-09-14",
    "M170717_MP033_2017-08-20",
    "M170717_MP034_2017-09-11",
]


class Stringer2019Natimg2800(Dataset):
    """Mouse V1, two-photon calcium imaging, about 10,000 neurons x 2,800 natural images x 2 repeats.

    Presentations of the gray screen (the highest number) are left out, missing values count as zero, and what is left runs through the steps of
    `yuragi.datasets.preprocessing` in the published order; the two repeats are the first and the second half of an image's presentations. Stimuli
    bear the numbers of the images, from 1; units carry the position ``x``, ``y``, ``z`` of the cell's centre as the file gives it.
    """

    kind: Literal["stringer2019_natimg2800"] = "stringer2019_natimg2800"
    session: Session = Field("M170714_MP032_2017-09-14", description="mouse and day")
    zscore: bool = Field(True, description="divide by each unit's spontaneous fluctuation, after its spontaneous mean was taken off")
    spontaneous_components: int = Field(32, ge=0, description="leading dimensions of spontaneous activity that are taken out; 0 for none")
    subtract_mean: bool = Field(True, description="take each unit's mean over all trials off")
    drop_labelled: bool = Field(True, description="drop cells with the red label (GAD+ interneurons), where the recording has one")

    contents: ClassVar = "responses"
    licence: ClassVar = "as the figshare page states"
    citation: ClassVar = (
        "Stringer, Pachitariu, Steinmetz, Carandini, Harris (2019) High-dimensional geometry of population responses in visual cortex, "
        "Nature 571:361-365, https://doi.org/10.1038/s41586-019-1346-5; data https://doi.org/10.25378/janelia.6845348"
    )
    home: ClassVar = "https://figshare.com/articles/dataset/_/6845348"

    def listing(self) -> Listing:
        return Figshare(6845348, (self._file,))

    @property
    def _file(self) -> str:
        return f"natimg2800_{self.session}.mat"

    def sizes(self) -> dict[str, int]:
        return {"repeats": 2}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self._file]
        found = read_variables(path, "stim.resp", "stim.istim", "stim.spont", "med", optional=("stat.redcell",))
        trials, spontaneous, centres = found["stim.resp"], found["stim.spont"], found["med"]
        identities = found["stim.istim"].ravel().astype(np.int64)
        check_shape(path, "stim.resp", trials.shape, (identities.size, None))
        units = trials.shape[1]
        check_shape(path, "stim.spont", spontaneous.shape, (None, units))
        check_shape(path, "med", centres.shape, (units, 3))
        kept = np.ones(units, dtype=bool)
        if self.drop_labelled and "stat.redcell" in found:
            check_shape(path, "stat.redcell", found["stat.redcell"].shape, (units,))
            kept = ~found["stat.redcell"].astype(bool)
        shown = identities < identities.max(initial=0)
        if not shown.any():
            raise InputError(f"{path}: 'stim.istim' holds nothing but the gray screen; this is not the file that the data set names")
        values = np.nan_to_num(trials[np.ix_(shown, kept)].astype(np.float32, copy=False), nan=0.0)
        repeats, images = repeats_by_halves(self._preprocessed(values, spontaneous[:, kept].astype(np.float32, copy=False)), identities[shown])
        return labelled.responses(
            repeats,
            units="spontaneous standard deviations" if self.zscore else "deconvolved fluorescence, arbitrary units",
            attributes=self.provenance(paths) | {"session": self.session},
            coordinates={"stimulus": images, "unit": np.flatnonzero(kept)}
            | {"area": ("unit", np.full(int(kept.sum()), "V1"))}
            | {axis: ("unit", centres[kept, place].astype(np.float64)) for place, axis in enumerate("xyz")},
        )

    def _preprocessed(self, values: np.ndarray, spontaneous: np.ndarray) -> np.ndarray:
        """The chosen steps, in the published order."""
        if self.zscore:
            values, spontaneous = zscore_by_spontaneous(values, spontaneous), zscore_by_spontaneous(spontaneous, spontaneous)
        if self.spontaneous_components:
            values = remove_spontaneous_subspace(values, spontaneous, self.spontaneous_components)
        return subtract_mean_over_trials(values) if self.subtract_mean else values
