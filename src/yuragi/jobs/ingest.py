"""Read one data set from the cache into labelled arrays, with unusable units dropped or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from yuragi.datasets.base import Dataset
from yuragi.jobs.base import OutputPath
from yuragi.plugins import any_of
from yuragi.settings import Settings

Remedy = Literal["drop", "refuse"]


class Quality(Settings):
    """What to do with units that carry no information."""

    constant: Remedy = Field("drop", description="units that never vary: drop them and count them, or refuse the recording")
    missing: Remedy = Field("drop", description="units or stimuli with missing values that no repeat fills: drop and count, or refuse")


class Spec(Settings):
    dataset: any_of("yuragi.datasets", Dataset) = Field(description="the data set and its options")
    quality: Quality = Field(Quality(), description="what to do with units that carry no information")


def run(data: OutputPath, *, spec: Spec, cache: str | None = None) -> None:
    """Read, check and write as NetCDF."""
    from yuragi.datasets.fetching import locate
    from yuragi.datasets.quality import check_units
    from yuragi.files import write_netcdf

    dataset = spec.dataset.read(locate(spec.dataset, cache=Path(cache) if cache else None))
    if spec.dataset.contents != "images":
        name = spec.dataset.contents
        # Averages over repeats are a single one; what needs two refuses them itself.
        repeats = min(2, spec.dataset.sizes().get("repeats", 2))
        checked = check_units(dataset[name], constant=spec.quality.constant, missing=spec.quality.missing, repeats=repeats)
        others = dataset.drop_vars(name).data_vars
        if checked.shape != dataset[name].shape:
            # What else a file tells, such as planted coefficients, speaks of all units: it goes when some were dropped. Images are of stimuli.
            others = {key: value.sel(stimulus=checked["stimulus"]) for key, value in others.items() if key == "images"}
        dataset = checked.to_dataset(name=name).assign(others).assign_attrs({**dataset.attrs, **checked.attrs})
    write_netcdf(dataset, data)
