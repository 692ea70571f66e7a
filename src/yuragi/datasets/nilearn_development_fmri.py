"""Human fMRI while a film is watched, children and adults, as nilearn distributes it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets._nilearn_series import NilearnSeries, only
from yuragi.errors import InputError

xr = lazy.load("xarray")

TR = 2.0
"""Seconds, the value that nilearn's fetcher returns for every subject."""
IMAGE = "_task-pixar_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
CONFOUNDS = "_task-pixar_desc-confounds_regressors.tsv"


class NilearnDevelopmentFMRI(NilearnSeries):
    """Human fMRI while a short film is watched, 33 adults and 122 children, regions of an atlas, 2 s, fetched by nilearn.

    Preprocessed with fMRIPrep and brought to 4 mm. A film is not rest. nilearn fetches subjects in the order of its list: for the tenth, ten are
    fetched and nine removed again. The default confounds are motion, white matter, cerebrospinal fluid and six anatomical components.
    """

    kind: Literal["nilearn_development_fmri"] = "nilearn_development_fmri"
    age_group: Literal["adult", "child"] = Field("adult", description="33 adults (18 to 39 years) or 122 children (3 to 12 years)")
    subject: int = Field(1, ge=1, le=122, description="number in the group, in the order of participants.tsv")
    confounds: tuple[str, ...] = Field(
        (
            *("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z", "csf", "white_matter"),
            *(f"a_comp_cor_{number:02d}" for number in range(6)),
        ),
        description="columns of fMRIPrep's table that are regressed out; none where empty",
    )

    licence: ClassVar = "none stated; usage is unrestricted for non-commercial research purposes (nilearn)"
    citation: ClassVar = (
        "Richardson, Lisandrelli, Riobueno-Naylor, Saxe (2018) Development of the social brain from age three to twelve years, "
        "Nature Communications 9:1027"
    )
    home: ClassVar = "https://osf.io/5hju4/"

    def participant(self) -> str:
        return f"{self.age_group}{self.subject:03d}"

    def fetch_subject(self, folder: Path) -> list[str]:
        from nilearn.datasets import fetch_development_fmri

        fetch_development_fmri(n_subjects=self.subject, age_group=self.age_group, reduce_confounds=False, data_dir=folder, verbose=0)
        (participants,) = folder.rglob("participants.tsv")
        with open(participants, newline="", encoding="utf-8") as file:
            group = [row["participant_id"] for row in csv.DictReader(file, delimiter="\t") if row["Child_Adult"] == self.age_group]
        if self.subject > len(group):
            raise InputError(f"{self.kind}: subject = {self.subject}, but the group '{self.age_group}' has {len(group)}; choose one of them")
        name = group[self.subject - 1]
        return [str(path) for end in (IMAGE, CONFOUNDS) for path in folder.rglob(name + end)]

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        image = only(paths, IMAGE)
        notes = {"subject": image.name.split("_")[0], "age_group": self.age_group}
        return self.regions(paths, image, only(paths, CONFOUNDS), self.confounds, TR, notes)
