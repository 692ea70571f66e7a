"""Human resting-state fMRI of the ADHD-200 sample, as nilearn distributes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets._nilearn_series import NilearnSeries, only
from yuragi.datasets._volumes import header_interval
from yuragi.datasets.formats import parsing

nib = lazy.load("nibabel")
xr = lazy.load("xarray")

TR = 2.0
"""Seconds, the value that nilearn's fetcher returns; it counts where the header states none, since the sites of the sample differed."""
IMAGE = "_rest_tshift_RPI_voreg_mni.nii.gz"
CONFOUNDS = "_regressors.csv"


class NilearnADHD(NilearnSeries):
    """Human resting-state fMRI, 40 subjects of the ADHD-200 sample, regions of an atlas, fetched by nilearn.

    nilearn fetches subjects in the order of its list: for the tenth, ten are fetched and nine removed again. The default confounds are motion,
    white matter, cerebrospinal fluid and five components of noise.
    """

    kind: Literal["nilearn_adhd"] = "nilearn_adhd"
    subject: int = Field(1, ge=1, le=40, description="number in nilearn's list")
    confounds: tuple[str, ...] = Field(
        (
            *(f"motion-{name}" for name in ("x", "y", "z", "pitch", "roll", "yaw")),
            *("wm", "csf"),
            *(f"compcor{number}" for number in range(1, 6)),
        ),
        description="columns of the table of regressors that are regressed out; none where empty",
    )

    licence: ClassVar = "usage is unrestricted for non-commercial research purposes (nilearn)"
    citation: ClassVar = (
        "ADHD-200 Consortium (2012) The ADHD-200 Consortium: a model to advance the translational potential of neuroimaging in clinical "
        "neuroscience, Frontiers in Systems Neuroscience 6:62"
    )
    home: ClassVar = "https://fcon_1000.projects.nitrc.org/indi/adhd200/"

    def participant(self) -> str:
        return f"subject{self.subject:02d}"

    def fetch_subject(self, folder: Path) -> list[str]:
        from nilearn.datasets import fetch_adhd

        found = fetch_adhd(n_subjects=self.subject, data_dir=folder, verbose=0)
        return [str(found["func"][-1]), str(found["confounds"][-1])]

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        image = only(paths, IMAGE)
        with parsing(image, "a NIfTI image"):
            interval = header_interval(nib.load(image)) or TR
        return self.regions(paths, image, only(paths, CONFOUNDS), self.confounds, interval, {"subject": image.name.split("_")[0]})
