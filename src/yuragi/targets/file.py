"""The brain target as a dataset: variables that explain themselves, and what is wrong with those that a person wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import lazy_loader as lazy
import numpy as np

from yuragi.errors import InputError
from yuragi.targets.similarity import StimulusSimilarity
from yuragi.targets.spontaneous_model import SpontaneousModel
from yuragi.targets.stage import Stage, named_stage

xr = lazy.load("xarray")

DESCRIPTION = (
    "What a network is asked to share with the brain. Per stage: the exponent alpha of the covariance spectrum, variance at rank n proportional to "
    "n^-alpha. Spontaneous activity z along its own principal components, total variance 1: z(t) = sum over lags of coefficients(lag) z(t - lag) + "
    "e(t), with e Gaussian of covariance innovation_covariance. Similarity: images, and how alike the responses to each pair of them are. Written by "
    "hand it needs only alpha (stage), or the three arrays of the spontaneous model, or the two of the similarity."
)


PARTS = ("spontaneous", "variance_ratio", "similarity")
"""What a target holds beside its stages; each may have an entry in its provenance."""


class Variable(NamedTuple):
    """A variable of the file, in words; texts have no units."""

    dims: tuple[str, ...]
    long_name: str
    description: str
    units: str | None = "1"


STAGES = {
    "alpha": Variable(("stage",), "exponent of the covariance spectrum", "variance at rank n is proportional to n^-alpha"),
    "alpha_low": Variable(("stage",), "lower end of the interval of alpha", "NaN where the interval is unknown"),
    "alpha_high": Variable(("stage",), "upper end of the interval of alpha", "NaN where the interval is unknown"),
    "first_rank": Variable(("stage",), "first rank of the power-law fit", "counted from 1, inclusive; NaN where unknown"),
    "last_rank": Variable(("stage",), "last rank of the power-law fit", "counted from 1, inclusive; NaN where unknown"),
    "r_squared": Variable(("stage",), "R squared of the power-law fit", "in log-log coordinates; NaN where unknown"),
}
SPONTANEOUS = {
    "eigenvalues": Variable(
        ("component",),
        "variance of each component of spontaneous activity",
        "eigenvalues of the stationary covariance, descending, all above 0, sum 1",
    ),
    "coefficients": Variable(
        ("lag", "component", "other_component"),
        "autoregressive coefficients",
        "influence of other_component, lag frames ago, on component; the process they give is stable",
    ),
    "innovation_covariance": Variable(
        ("component", "other_component"),
        "covariance of the innovations",
        "the noise that enters in each frame, on the scale where the total stationary variance is 1",
    ),
}
SIMILARITY = {
    "images": Variable(
        ("stimulus", "channel", "height", "width"), "stimuli", "bytes from 0 to 255, or numbers in [0, 1]; one channel for grey, or red, green, blue"
    ),
    "similarity": Variable(
        ("stimulus", "other_stimulus"),
        "similarity of the responses to two stimuli",
        "cosine of the angle between them, each unit's mean over stimuli subtracted; symmetric, from -1 to 1, ones on the diagonal",
    ),
}
INTERVALS = {
    "eigenvalues_low": Variable(("component",), "lower end of the interval of each eigenvalue", "absent where the intervals are unknown"),
    "eigenvalues_high": Variable(("component",), "upper end of the interval of each eigenvalue", "absent where the intervals are unknown"),
    "spectral_radius_low": Variable((), "lower end of the interval of the spectral radius", "absent where the interval is unknown"),
    "spectral_radius_high": Variable((), "upper end of the interval of the spectral radius", "absent where the interval is unknown"),
    "variance_ratio_low": Variable((), "lower end of the interval of the variance ratio", "absent where the interval is unknown"),
    "variance_ratio_high": Variable((), "upper end of the interval of the variance ratio", "absent where the interval is unknown"),
}
OTHERS = {
    "provenance": Variable(("stage",), "source of alpha", "where the numbers of the stage come from", None),
    "sampling_interval": Variable((), "time between frames", "duration of one lag; NaN where unknown", "s"),
    "spontaneous_provenance": Variable((), "source of the spontaneous model", "where the spontaneous model comes from", None),
    "variance_ratio": Variable(
        (),
        "variance of ongoing activity over stimulus-driven variance",
        "each summed over units; where it comes from repeats of stimuli, ongoing activity is measured as trial-to-trial variability",
    ),
    "alignment": Variable(
        (),
        "alignment of spontaneous activity with responses",
        "spontaneous variance along the leading directions of responses, over that along its own leading directions; between 0 and 1",
    ),
    "variance_ratio_provenance": Variable((), "source of the variance ratio", "where the variance ratio comes from", None),
    "similarity_provenance": Variable((), "source of the similarity", "where stimuli and responses come from, and how reliable the latter are", None),
}


class Contents(NamedTuple):
    """What a file holds; see `BrainTarget`."""

    stages: Mapping[str, Stage]
    spontaneous: SpontaneousModel | None
    variance_ratio: float | None
    provenance: Mapping[str, str]
    variance_ratio_interval: tuple[float, float] | None = None
    similarity: StimulusSimilarity | None = None
    alignment: float | None = None


def dataset_of(contents: Contents) -> xr.Dataset:
    """The dataset that holds a target."""
    stages, model, variance_ratio, provenance, ratio_interval, similarity, alignment = contents
    values: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    if stages:
        rows = [(stage.alpha, *(stage.alpha_interval or (None, None)), *(stage.ranks or (None, None)), stage.r_squared) for stage in stages.values()]
        values |= dict(zip(STAGES, np.array(rows, dtype=np.float64).T, strict=True))
        values["provenance"] = np.array([provenance.get(name, "") for name in stages], dtype=object)
        coords["stage"] = np.array(list(stages), dtype=object)
    if model is not None:
        values |= {name: getattr(model, name) for name in (*SPONTANEOUS, "sampling_interval")}
        if model.eigenvalue_intervals is not None:
            values |= dict(zip(("eigenvalues_low", "eigenvalues_high"), model.eigenvalue_intervals.T, strict=True))
        values |= _ends("spectral_radius", model.spectral_radius_interval)
        numbers = np.arange(1, model.n_components + 1)
        coords |= {"lag": np.arange(1, model.order + 1), "component": numbers, "other_component": numbers}
    values |= {f"{part}_provenance": np.array(provenance[part], dtype=object) for part in PARTS if part in provenance}
    if variance_ratio is not None:
        values["variance_ratio"] = variance_ratio
        values |= _ends("variance_ratio", ratio_interval)
    if alignment is not None:
        values["alignment"] = alignment
    if similarity is not None:
        values |= {name: getattr(similarity, name) for name in SIMILARITY}
    described = {name: _described(name, value) for name, value in values.items()}
    return xr.Dataset(described, coords=coords, attrs={"contents": "brain target", "description": DESCRIPTION})


def contents_of(data: xr.Dataset) -> Contents:
    """What a dataset holds; ``alpha``, or the arrays of the spontaneous model or of the similarity, are enough. An `InputError` tells what is
    wrong."""
    present = ", ".join(map(str, data.data_vars)) or "none"
    missing = [name for name in SPONTANEOUS if name not in data]
    missing_images = [name for name in SIMILARITY if name not in data]
    if "alpha" not in data and len(missing) == len(SPONTANEOUS) and len(missing_images) == len(SIMILARITY):
        raise InputError(f"holds neither alpha (stage) nor {', '.join(SPONTANEOUS)} nor {', '.join(SIMILARITY)}; variables present: {present}")
    if 0 < len(missing) < len(SPONTANEOUS):
        raise InputError(f"the spontaneous model lacks {', '.join(missing)}; variables present: {present}")
    if len(missing_images) == 1:
        raise InputError(f"the similarity lacks {missing_images[0]}; variables present: {present}")
    stages = _read_stages(data) if "alpha" in data else {}
    provenance = {}
    if stages and "provenance" in data:
        provenance = {name: str(text) for name, text in zip(stages, _array(data, "provenance", OTHERS["provenance"].dims), strict=True) if text}
    model = None
    if not missing:
        arrays = {name: _array(data, name, variable.dims) for name, variable in SPONTANEOUS.items()}
        interval = _scalar(data, "sampling_interval")
        ends = [_array(data, name, ("component",)) for name in ("eigenvalues_low", "eigenvalues_high") if name in data]
        model = SpontaneousModel(
            **arrays,
            sampling_interval=math.nan if interval is None else interval,
            eigenvalue_intervals=np.stack(ends, axis=1) if len(ends) == 2 else None,
            spectral_radius_interval=_interval(data, "spectral_radius"),
        )
    provenance |= {part: str(data[f"{part}_provenance"].item()) for part in PARTS if f"{part}_provenance" in data}
    arrays = {name: _array(data, name, variable.dims) for name, variable in SIMILARITY.items()} if not missing_images else None
    similarity = None if arrays is None else StimulusSimilarity(**arrays)
    ratio_interval = _interval(data, "variance_ratio")
    return Contents(stages, model, _scalar(data, "variance_ratio"), provenance, ratio_interval, similarity, _scalar(data, "alignment"))


def _ends(name: str, interval: tuple[float, float] | None) -> dict[str, float]:
    return {} if interval is None else dict(zip((f"{name}_low", f"{name}_high"), interval, strict=True))


def _interval(data: xr.Dataset, name: str) -> tuple[float, float] | None:
    low, high = (_scalar(data, f"{name}_{end}") for end in ("low", "high"))
    if (low is None) != (high is None):
        raise InputError(f"{name}_low and {name}_high go together; give both or neither")
    return None if low is None or high is None else (low, high)


def _described(name: str, value: Any) -> tuple[tuple[str, ...], Any, dict[str, str]]:
    variable = (STAGES | SPONTANEOUS | SIMILARITY | INTERVALS | OTHERS)[name]
    units = {} if variable.units is None else {"units": variable.units}
    return variable.dims, value, {"long_name": variable.long_name, **units, "description": variable.description}


def _read_stages(data: xr.Dataset) -> dict[str, Stage]:
    columns = {name: _array(data, name, variable.dims) for name, variable in STAGES.items() if name in data}
    if "stage" not in data.coords:
        raise InputError("alpha has no coordinate 'stage'; give the names of the stages, for instance data.assign_coords(stage=['V1', 'V4'])")
    names = [str(name) for name in data["stage"].values]
    if len(set(names)) < len(names):
        raise InputError(f"stage holds a name twice ({', '.join(names)}); each stage needs its own")
    unknown = np.full(len(names), math.nan)
    stages = {}
    for name, alpha, *row in zip(names, *(columns.get(column, unknown) for column in STAGES), strict=True):
        low, high, first, last, r_squared = (None if math.isnan(value) else float(value) for value in row)
        if (low is None) != (high is None) or (first is None) != (last is None):
            raise InputError(f"stage {name}: alpha_low and alpha_high, and first_rank and last_rank, go in pairs; give both or neither")
        interval = None if low is None else (low, high)
        stages[name] = named_stage(name, float(alpha), interval, None if first is None else (int(first), int(last)), r_squared)
    return stages


def _array(data: xr.Dataset, name: str, dims: tuple[str, ...]) -> np.ndarray:
    if set(data[name].dims) != set(dims):
        raise InputError(f"{name} has dimensions ({', '.join(map(str, data[name].dims))}); ({', '.join(dims)}) are needed")
    return data[name].transpose(*dims).values


def _scalar(data: xr.Dataset, name: str) -> float | None:
    if name not in data:
        return None
    if data[name].size != 1:
        raise InputError(f"{name} has {data[name].size} values; one number is needed")
    return float(data[name].item())
