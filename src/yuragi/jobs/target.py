"""Build a brain target from fitted spectra and a model of spontaneous activity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, PositiveFloat, model_validator

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Name, Settings

if TYPE_CHECKING:
    import xarray as xr

    from yuragi.spectra.power_law import PowerLawFit


class Spec(Settings):
    stages: dict[Name, Name] = Field({}, description="stages of the hierarchy: for each, the name of the responses that give its exponent")
    file: str | None = Field(None, description="a brain target that is there already, for instance written by hand; then the other keys stay empty")
    spontaneous: Name | None = Field(None, description="name of the recording that gives the model of spontaneous activity")
    variance_ratio: Name | PositiveFloat | None = Field(
        None,
        description="variance of ongoing over stimulus-driven activity: a number, or the name of responses whose repeats measure it",
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Spec:
        if self.file is not None and (self.stages or self.spontaneous is not None or self.variance_ratio is not None):
            raise ValueError(f"file = '{self.file}': a target that is there already says everything; remove the other keys")
        return self


def run(
    target: OutputPath, *, spec: Spec, spectra: list[InputPath] | None = None, model: InputPath | None = None, written: InputPath | None = None
) -> None:
    """Write the target; the files of spectra are told apart by their names. A file that is there already is checked and copied."""
    from yuragi.errors import InputError, unknown
    from yuragi.files import read_netcdf
    from yuragi.spontaneous.var import VARFit
    from yuragi.targets import BrainTarget

    if written is not None:
        BrainTarget.read(written).write(target)
        return
    files = {path.stem: path for path in spectra or []}
    for name in (*spec.stages.values(), *([spec.variance_ratio] if isinstance(spec.variance_ratio, str) else [])):
        if name not in files:
            raise unknown("spectrum", name, files)
    measured = {name: read_netcdf(path, "alpha") for name, path in files.items()}
    provenance = {stage: f"cvPCA of {_origin(name, measured[name])}" for stage, name in spec.stages.items()}
    ratio = spec.variance_ratio
    if isinstance(ratio, str):
        provenance["variance_ratio"] = f"trial-to-trial over stimulus-driven variance of {_origin(ratio, measured[ratio])}"
        ratio = float(measured[ratio]["variance_ratio"])
        if not ratio > 0:
            raise InputError(f"{files[spec.variance_ratio]}: the variance ratio {ratio:.3g} is not positive; give a number as target.variance_ratio")
    elif ratio is not None:
        provenance["variance_ratio"] = "a number in the configuration"
    spontaneous = None
    if model is not None:
        dataset = read_netcdf(model, "coefficients")
        spontaneous = VARFit.from_dataset(dataset)
        provenance["spontaneous"] = f"vector autoregression of {_origin(model.stem, dataset)}"
    fits = {stage: _fit(measured[name]) for stage, name in spec.stages.items()}
    BrainTarget.from_fits(fits, spontaneous=spontaneous, variance_ratio=ratio, provenance=provenance).write(target)


def _origin(name: str, dataset: xr.Dataset) -> str:
    """The recording's name in the configuration, and where its file came from."""
    known = [f"{key} {dataset.attrs[key]}" for key in ("source", "sha256") if key in dataset.attrs]
    return f"'{name}' ({', '.join(known)})" if known else f"'{name}'"


def _fit(spectra: xr.Dataset) -> PowerLawFit:
    """The power law that the spectra job fitted to the cross-validated spectrum."""
    import numpy as np

    from yuragi.spectra.power_law import PowerLawFit

    dataset = spectra.sel(estimator="cvpca")
    interval = (float(dataset["alpha_low"]), float(dataset["alpha_high"]))
    return PowerLawFit(
        alpha=float(dataset["alpha"]),
        alpha_interval=None if np.isnan(interval).any() else interval,
        ranks=(int(dataset.attrs["first_rank"]), int(dataset.attrs["last_rank"])),
        r_squared=float(dataset["r_squared"]),
        intercept=float(dataset["intercept"]),
        negative_ranks=int(dataset["negative_ranks"]),
    )
