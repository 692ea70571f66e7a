"""A short resting-state fMRI recording that nitime ships."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset
from yuragi.datasets.formats import check_shape, parsing
from yuragi.errors import InputError
from yuragi.files import sha256_of

np = lazy.load("numpy")
xr = lazy.load("xarray")

FILE_SHA256 = "b272a7a8e1981d1b4542e739e5244be41c1bfee8a8d3cd224b87605ec72c2ffd"
NUISANCE = ("WM", "Vent", "Brain")
TR = 1.89
"""Seconds; the file does not tell, the value is the one in nitime's own examples."""


class NitimeRest(Dataset):
    """Human resting-state fMRI, 250 volumes of 31 series, shipped with nitime; for demonstrations, not for conclusions.

    Three of the series are no brain regions but means over the white matter, the ventricles and the whole brain; they vary most. The coordinate
    ``tissue`` tells them apart and the option ``nuisance`` leaves them out. nitime's maintainers know little of how the series were made and advise
    against answering research questions with them (https://github.com/nipy/nitime/issues/166).
    """

    kind: Literal["nitime_rest"] = "nitime_rest"
    nuisance: bool = Field(True, description="keep the means over white matter, ventricles and whole brain beside the 28 regions")

    contents: ClassVar = "recording"
    embedded: ClassVar = True
    licence: ClassVar = "BSD-3-Clause (nitime)"
    citation: ClassVar = "Series provided by Beth Mormino (about 2008), distributed with nitime"
    home: ClassVar = "https://github.com/nipy/nitime"

    def sizes(self) -> dict[str, int]:
        return {"frames": 250, "units": 31 if self.nuisance else 31 - len(NUISANCE)}

    def sha256(self, paths: Mapping[str, Path] | None = None) -> str:
        return FILE_SHA256

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = shipped_file()
        found = sha256_of(path)
        if found != FILE_SHA256:
            raise InputError(f"{path}: wrong hash, sha256 {found} found and {FILE_SHA256} expected; reinstall nitime")
        with parsing(path, "a table of series"):
            with open(path, newline="", encoding="ascii") as file:
                rows = list(csv.reader(file))
            names, values = np.array(rows[0]), np.array(rows[1:], dtype=np.float64)
        check_shape(path, "table", values.shape, (250, 31))
        tissue = np.where(np.isin(names, NUISANCE), "nuisance", "region")
        kept = np.full(names.shape, True) if self.nuisance else tissue == "region"
        return labelled.recording(
            values[:, kept],
            sampling_interval=TR,
            units="a.u.",
            attributes=self.provenance(),
            coordinates={"unit": names[kept], "tissue": ("unit", tissue[kept])},
        )


def shipped_file() -> Path:
    """Where nitime keeps the series, found without importing nitime."""
    specification = importlib.util.find_spec("nitime")
    if specification is None or not specification.submodule_search_locations:
        raise InputError("nitime_rest: the package nitime is not installed; install it with 'pip install nitime'")
    path = Path(specification.submodule_search_locations[0], "data", "fmri_timeseries.csv")
    if not path.exists():
        raise InputError(f"{path}: no such file in the installed nitime; install nitime 0.12.1 or newer")
    return path
