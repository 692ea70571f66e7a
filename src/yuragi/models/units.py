"""What counts as a unit of a convolutional layer, and what as a sample of its activity."""

from __future__ import annotations

from typing import Literal

import lazy_loader as lazy

from yuragi.errors import InputError

torch = lazy.load("torch")

Units = Literal["channel", "position", "both"]
"""``channel``: a unit is a feature map, and every position of every image a sample. ``position``: a unit is a place in the image, and every
channel of every image a sample. ``both``: a unit is a channel at a place, and every image a sample."""


def samples(activity: torch.Tensor, units: Units = "both") -> torch.Tensor:
    """The activity of a layer as a matrix (sample, unit).

    activity
        (image, unit) of a dense layer, where there is nothing to choose, or (image, channel, height, width)
    units
        see `Units`

    >>> samples(torch.zeros(5, 3, 4, 4), "channel").shape
    torch.Size([80, 3])
    """
    if activity.ndim == 2:
        return activity
    if activity.ndim != 4:
        raise InputError(f"activity: shape {tuple(activity.shape)}; layers have (image, unit) or (image, channel, height, width)")
    if units == "channel":
        return activity.permute(0, 2, 3, 1).reshape(-1, activity.shape[1])
    if units == "position":
        return activity.flatten(2).flatten(0, 1)
    return activity.flatten(1)
