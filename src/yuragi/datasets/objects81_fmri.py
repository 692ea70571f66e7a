"""Human fMRI responses to 81 object categories, averaged over presentations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, remote_files
from yuragi.datasets.formats import check_shape, missing_variable
from yuragi.datasets.restricted import read_pickle
from yuragi.errors import InputError

np = lazy.load("numpy")
xr = lazy.load("xarray")

_FILES = remote_files(
    "https://raw.githubusercontent.com/QuantumMatter/cracking-the-code-dw1/68f7c3b6ac79daa1ea037bcd1dd529edf4bb2207",
    """
    python_roi_data.pickle 233870 1a9592767eafe8c24edf050d4d0202f6d66ace326b75cf99401bd994df916360
    """,
)

VARIABLES = ("betas", "conds", "indices", "rois")


class Objects81FMRI(Dataset):
    """Human fMRI, regression weights of 81 object categories x 696 voxels in seven visual areas; averages without repeats.

    Areas: EVC, OPA, PPA, LOC, PFS, OFA, FFA, about 100 voxels each. Without repeats nothing tells signal from noise: what needs two repeats
    refuses these data. The file is a pickle; it is read by `yuragi.datasets.restricted.read_pickle`, which runs nothing in it.
    """

    kind: Literal["objects81_fmri"] = "objects81_fmri"

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "responses"
    licence: ClassVar = "none stated: for tests and benchmarks only, do not redistribute"
    citation: ClassVar = "none stated by the carrier repository QuantumMatter/cracking-the-code-dw1"
    home: ClassVar = "https://github.com/QuantumMatter/cracking-the-code-dw1"

    def sizes(self) -> dict[str, int]:
        return {"repeats": 1, "stimuli": 81, "units": 696}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self.files()[0].name]
        contents = read_pickle(path)
        if not isinstance(contents, dict):
            raise InputError(f"{path}: holds a {type(contents).__name__}, expected a dictionary; this is not the file that the data set names")
        for name in VARIABLES:
            if name not in contents:
                raise missing_variable(path, name, sorted(map(str, contents)))
        betas, conditions, indices, areas = (np.asarray(contents[name]) for name in VARIABLES)
        check_shape(path, "betas", betas.shape, (81, 696))
        check_shape(path, "conds", conditions.shape, (81, 1))
        check_shape(path, "indices", indices.shape, (1, 696))
        names = np.array([area.item() for area in areas.ravel()])
        if indices.min() < 1 or indices.max() > names.size:
            raise InputError(f"{path}: 'indices' runs from {indices.min()} to {indices.max()}, expected 1 to {names.size}; fetch the file again")
        return labelled.responses(
            betas[None].astype(np.float64),
            units="regression weight",
            attributes=self.provenance(),
            coordinates={"stimulus": np.array([condition.item() for condition in conditions.ravel()]), "area": ("unit", names[indices.ravel() - 1])},
        )
