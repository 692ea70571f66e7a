"""The three shapes in which data leave this room: responses, a recording, an image set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lazy_loader as lazy

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")


def responses(
    values: jaxtyping.Float[np.ndarray, "repeat stimulus unit"],
    *,
    units: str,
    attributes: Mapping[str, Any],
    coordinates: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A dataset with ``responses`` (repeat, stimulus, unit).

    values
        one number a presentation; NaN where a repeat is missing
    units
        physical unit of the values
    attributes
        source, licence, citation, sha256 and what else is known; they stand on the array and on the dataset
    coordinates
        labels as xarray takes them; ``stimulus`` and ``unit`` are numbered from 0 where not given. ``group (stimulus)`` numbers the stimuli that
        belong together, such as the frames of one movie: they are resampled together
    """
    numbered = {dimension: np.arange(size) for dimension, size in zip(("repeat", "stimulus", "unit"), values.shape, strict=True)}
    array = xr.DataArray(values, dims=("repeat", "stimulus", "unit"), coords=numbered | dict(coordinates or {}), name="responses")
    return _with_attributes(array.to_dataset(), "responses", {"units": units, **attributes})


def recording(
    values: jaxtyping.Float[np.ndarray, "time unit"],
    *,
    sampling_interval: float,
    units: str,
    attributes: Mapping[str, Any],
    coordinates: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A dataset with ``recording`` (time, unit).

    sampling_interval
        seconds between frames; NaN where the source does not tell, and then ``time`` counts frames
    coordinates
        labels as xarray takes them; ``time`` starts at 0 and ``unit`` is numbered from 0 where not given
    """
    known = bool(np.isfinite(sampling_interval))
    steps = np.arange(values.shape[0]) * (sampling_interval if known else 1.0)
    labels = {"time": steps, "unit": np.arange(values.shape[1])} | dict(coordinates or {})
    array = xr.DataArray(values, dims=("time", "unit"), coords=labels, name="recording")
    array["time"].attrs["units"] = "s" if known else "frame"
    return _with_attributes(array.to_dataset(), "recording", {"units": units, "sampling_interval": float(sampling_interval), **attributes})


def image_set(
    images: jaxtyping.UInt8[np.ndarray, "image channel height width"],
    labels: jaxtyping.Integer[np.ndarray, " image"],
    split: jaxtyping.Shaped[np.ndarray, " image"],
    *,
    maximum: int,
    classes: list[str],
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """A dataset with ``images`` in [0, 1], ``labels`` and the coordinate ``split``.

    images
        pixels from 0 to ``maximum``
    labels
        index into ``classes``
    split
        ``"train"`` or ``"test"`` for each image
    """
    pixels = images.astype(np.float32)
    pixels /= np.float32(maximum)
    dataset = xr.Dataset(
        {"images": (("image", "channel", "height", "width"), pixels), "labels": ("image", labels.astype(np.int64))},
        coords={"split": ("image", split)},
    )
    return _with_attributes(dataset, "images", {"units": "fraction of the full scale", "classes": classes, **attributes})


def _with_attributes(dataset: xr.Dataset, variable: str, attributes: Mapping[str, Any]) -> xr.Dataset:
    dataset[variable].attrs.update(attributes)
    dataset.attrs.update(attributes)
    return dataset
