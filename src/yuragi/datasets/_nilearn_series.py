"""What the data sets that nilearn fetches share: one subject's image, an atlas, and confounds by name."""

from __future__ import annotations

import csv
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets._image_dataset import ForeignImages
from yuragi.datasets.formats import missing_variable, parsing
from yuragi.datasets.imaging import region_series
from yuragi.errors import InputError

xr = lazy.load("xarray")

Atlas = Literal["msdl", "schaefer_2018", "aal"]
Parcels = Literal[100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]


class NilearnSeries(ForeignImages):
    """Time courses of the regions of an atlas, image and atlas fetched by nilearn."""

    atlas: Atlas = Field("msdl", description="msdl (39 weighted maps), schaefer_2018 (labels, 7 networks, 2 mm), aal (SPM12, 116 labels)")
    parcels: Parcels = Field(100, description="how many regions of schaefer_2018")
    resample: bool = Field(True, description="bring the atlas onto the image's grid, which is coarser; otherwise another grid is refused")

    contents: ClassVar = "recording"

    def variant(self) -> str:
        return f"{self.participant()}_{self.atlas}{self.parcels if self.atlas == 'schaefer_2018' else ''}"

    @abstractmethod
    def participant(self) -> str:
        """The subject, as part of a folder's name."""

    @abstractmethod
    def fetch_subject(self, folder: Path) -> Iterable[str]:
        """Let nilearn bring the subject's files into the folder; the paths of those that are read."""

    def download(self, folder: Path) -> None:
        with warnings.catch_warnings():  # notes of nilearn to those who call its fetchers
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            keep_only(folder, [*self.fetch_subject(folder), *fetch_atlas(self.atlas, self.parcels, folder)])

    def regions(
        self, paths: Mapping[str, Path], image: Path, confounds: Path, columns: tuple[str, ...], interval: float | None, notes: dict[str, object]
    ) -> xr.Dataset:
        """The recording, from the files that `download` brought."""
        maps, names = read_atlas(self.atlas, paths)
        return region_series(
            image,
            maps,
            self.processing(interval),
            names=names,
            missing_regions=self.missing_regions,
            confounds=confounds if columns else None,
            confound_columns=columns,
            attributes=self.provenance(paths) | {"atlas": self.variant().split("_", 1)[1]} | notes,
        )


def fetch_atlas(atlas: Atlas, parcels: int, folder: Path) -> list[str]:
    """Let nilearn bring an atlas; the paths of its image and its names."""
    from nilearn import datasets

    options = {"data_dir": folder, "verbose": 0}
    if atlas == "msdl":
        maps = Path(str(datasets.fetch_atlas_msdl(**options)["maps"]))
        return [str(maps), str(maps.with_name("msdl_rois_labels.csv"))]
    if atlas == "aal":
        maps = Path(str(datasets.fetch_atlas_aal(version="SPM12", **options)["maps"]))
        return [str(maps), str(maps.with_suffix(".xml"))]
    maps = Path(str(datasets.fetch_atlas_schaefer_2018(n_rois=parcels, resolution_mm=2, **options)["maps"]))
    return [str(maps), str(maps.with_name(f"Schaefer2018_{parcels}Parcels_7Networks_order.txt"))]


def read_atlas(atlas: Atlas, paths: Mapping[str, Path]) -> tuple[Path, dict[int, str] | list[str]]:
    """Where the atlas lies among the fetched files, and the names of its regions."""
    if atlas == "msdl":
        return only(paths, "msdl_rois.nii"), _msdl_names(only(paths, "msdl_rois_labels.csv"))
    if atlas == "aal":
        return only(paths, "AAL.nii"), _aal_names(only(paths, "AAL.xml"))
    names = only(paths, "Networks_order.txt")
    with parsing(names, "a table of parcels"), open(names, encoding="utf-8") as file:
        rows = [line.split("\t") for line in file if line.strip()]
        return only(paths, "_FSLMNI152_2mm.nii.gz"), {int(row[0]): row[1] for row in rows}


def _msdl_names(path: Path) -> list[str]:
    with parsing(path, "a table of maps"), open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        columns = {str(name).strip(): name for name in rows.fieldnames or []}
        if "name" not in columns:
            raise missing_variable(path, "name", list(columns))
        return [row[columns["name"]].strip() for row in rows]


def _aal_names(path: Path) -> dict[int, str]:
    # The parser of the standard library resolves no entity from outside, and the file comes with its hash from the first fetch.
    from xml.etree import ElementTree

    with parsing(path, "an XML list of regions"):
        labels = list(ElementTree.parse(path).getroot().iter("label"))
        return {int(label.findtext("index", "")): label.findtext("name", "") for label in labels}


def only(paths: Mapping[str, Path], end: str) -> Path:
    """The one file whose name ends so; nilearn's folders differ between its versions."""
    found = [path for name, path in paths.items() if name.endswith(end)]
    if len(found) != 1:
        there = ", ".join(sorted(paths)) or "nothing"
        raise InputError(f"{len(found)} fetched files end in '{end}', expected one (there are {there}); delete the folder and fetch it again")
    return found[0]


def keep_only(folder: Path, wanted: Iterable[str]) -> None:
    """Remove all files but these: archives, read-me files and other subjects."""
    kept = {Path(path).resolve() for path in wanted}
    for path in [path for path in folder.rglob("*") if path.is_file() and path.resolve() not in kept]:
        path.unlink()
