"""A recording from a folder of BIDS derivatives, such as fMRIPrep's."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import lazy_loader as lazy
from pydantic import BeforeValidator, Field, model_validator

from yuragi.datasets import _bids
from yuragi.datasets._image_dataset import ForeignImages
from yuragi.datasets._region_names import read_region_names
from yuragi.datasets._volumes import header_interval, open_image
from yuragi.datasets.imaging import Processing, read_confounds, region_series, voxel_series
from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
nib = lazy.load("nibabel")
xr = lazy.load("xarray")

Label = Annotated[str, BeforeValidator(str), Field(pattern=r"^[A-Za-z0-9+]*$")]
Component = Literal["motion", "wm_csf", "global_signal", "compcor", "high_pass"]
AGREEMENT = 1e-3
"""Relative difference up to which header and sidecar state the same repetition time: headers keep it in single precision."""


class BIDSDerivatives(ForeignImages):
    """A recording from BIDS derivatives on disk, such as fMRIPrep's: one run of one subject, voxels of a mask or regions of an atlas.

    Read is the series ``…_desc-preproc_bold.nii.gz``. The repetition time is that of the JSON sidecar beside it, else of the header; where both
    state one they must agree. Confounds are named either as ``columns`` of the table beside the series or by the components of nilearn's
    ``load_confounds`` (``strategy``), whose parameters are its defaults. Volumes from before the steady state, which fMRIPrep marks, are no part of
    a stationary recording: with a strategy, those at the start are dropped before anything else is done.
    """

    kind: Literal["bids_derivatives"] = "bids_derivatives"
    path: str = Field(min_length=1, description="folder in which the folders sub-… lie")
    subject: Label = Field(min_length=1, description="label after sub-")
    session: Label = Field("", description="label after ses-; needed where there are several")
    task: Label = Field("", description="label after task-; needed where there are several")
    run: Label = Field("", description="label after run-; needed where there are several")
    space: Label = Field("", description="label after space-; needed where there are several")
    resolution: Label = Field("", description="label after res-; needed where there are several")
    mask: str = Field("", description="image that is not zero inside; where empty, the brain mask beside the series")
    atlas: str = Field("", description="image of labels (three dimensions) or maps (four); where empty, the voxels of the mask are read")
    names: str = Field("", description="table with the columns index and name for the labels of the atlas")
    strategy: tuple[Component, ...] = Field((), description="components of confounds, as nilearn's load_confounds has them")
    columns: tuple[str, ...] = Field((), description="columns of the table of confounds, in place of a strategy")

    contents: ClassVar = "recording"
    local: ClassVar = True
    example: ClassVar = {"path": "derivatives/fmriprep", "subject": "01", "task": "rest"}
    licence: ClassVar = "that of your own data"
    citation: ClassVar = (
        "Gorgolewski et al. (2016) The brain imaging data structure, Scientific Data 3:160044; read with nilearn (doi:10.5281/zenodo.8397156)"
    )
    home: ClassVar = "https://bids-specification.readthedocs.io/"

    @model_validator(mode="after")
    def _one_way_to_name_confounds(self) -> BIDSDerivatives:
        if self.strategy and self.columns:
            raise ValueError("strategy and columns both name confounds; give one of the two")
        if self.names and not self.atlas:
            raise ValueError("names are those of an atlas, but none is given; give the atlas, or leave the names out")
        return self

    def image(self) -> Path:
        """The series that the options name."""
        folder = Path(self.path)
        wanted = {"ses": self.session, "task": self.task, "run": self.run, "space": self.space, "res": self.resolution}
        return _bids.choose_run(_bids.preprocessed_runs(folder, self.subject), wanted, folder)

    def local_files(self) -> tuple[Path, ...]:
        if not Path(self.path).is_dir():
            return (Path(self.path),)  # the reader says what is wrong with it
        image = self.image()
        table = _bids.confounds_of(image) if self.strategy or self.columns else None
        about = table.with_suffix(".json") if table is not None and self.strategy and table.with_suffix(".json").is_file() else None
        given = [Path(name) for name in (self.mask, self.atlas, self.names) if name]
        beside = [image, _bids.sidecar_of(image), table, about, None if self.mask else _bids.mask_of(image)]
        return (*(path for path in beside if path is not None), *given)

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        image = self.image()
        opened, _ = open_image(image)
        interval = self._interval(image, header_interval(opened))
        confounds, dropped = self._confounds(image)
        if dropped:
            opened = opened.slicer[..., dropped:]
        opened.set_filename(str(image))
        series = self._series(opened, image, self.processing(interval), confounds)
        notes = {"subject": self.subject, "image": image.name, "dropped_volumes": dropped} | self.provenance()
        series["recording"].attrs.update(notes)
        return series.assign_attrs(notes)

    def _series(
        self,
        opened: nib.spatialimages.SpatialImage,
        image: Path,
        processing: Processing,
        confounds: jaxtyping.Float[np.ndarray, "row confound"] | None,
    ) -> xr.Dataset:
        mask = self.mask or _bids.mask_of(image)
        if self.atlas:
            names = read_region_names(self.names) if self.names else None
            remedy = self.missing_regions
            return region_series(opened, self.atlas, processing, names=names, mask=mask, missing_regions=remedy, confounds=confounds)
        if mask is None:
            raise InputError(f"{image}: no brain mask (…_desc-brain_mask.nii.gz) lies beside it; give a mask or an atlas")
        return voxel_series(opened, mask, processing, confounds=confounds)

    def _interval(self, image: Path, header: float | None) -> float | None:
        """The repetition time of the sidecar; None leaves the header's, or the refusal, to what comes."""
        sidecar = _bids.sidecar_of(image)
        stated = None if sidecar is None else _bids.sidecar_interval(sidecar)
        if stated is not None and header is not None and abs(stated - header) > AGREEMENT * stated and self.repetition_time is None:
            raise InputError(f"{sidecar}: RepetitionTime {stated:g} s, but the header of {image.name} states {header:g} s; give repetition_time")
        return stated

    def _confounds(self, image: Path) -> tuple[jaxtyping.Float[np.ndarray, "row confound"] | None, int]:
        """The confounds of the volumes that are kept, and how many at the start are not."""
        if not self.strategy and not self.columns:
            return None, 0
        table = _bids.confounds_of(image)
        if table is None:
            raise InputError(f"{image}: no table …_desc-confounds_timeseries.tsv lies beside it; make one, or name no confounds")
        if self.columns:
            return read_confounds(table, self.columns), 0
        return _by_strategy(image, table, self.strategy)


def _by_strategy(image: Path, table: Path, strategy: tuple[Component, ...]) -> tuple[jaxtyping.Float[np.ndarray, "row confound"], int]:
    from nilearn.interfaces.fmriprep import load_confounds

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on what else one might load
            # centring is left to the regression: nilearn centres before volumes are dropped
            loaded, kept = load_confounds(str(image), strategy=strategy, demean=False)
    except Exception as error:  # of several kinds: a component without columns, a table without its JSON
        reason = " ".join((str(error) or type(error).__name__).split())
        raise InputError(f"{table}: strategy {', '.join(strategy)} cannot be loaded ({reason}); choose other components, or name columns") from error
    values = loaded.to_numpy(dtype=np.float64)
    if kept is None:
        return values, 0
    kept = np.flatnonzero(kept) if np.asarray(kept).dtype == bool else np.asarray(kept)
    dropped = int(kept[0])
    if not np.array_equal(kept, np.arange(dropped, len(values))):
        raise InputError(f"{table}: volumes within the run are marked as not in the steady state; name columns in place of a strategy")
    return values[dropped:], dropped
