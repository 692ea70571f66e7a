"""Which stimuli belong together."""

from __future__ import annotations

import numpy as np
import xarray as xr


def stimulus_groups(responses: xr.DataArray | np.ndarray, stimuli: int) -> list[np.ndarray]:
    """The positions of the stimuli of each independent group; each stimulus is its own where nothing else is said.

    Stimuli that are not independent, such as frames of one movie, share a value of the coordinate ``group (stimulus)``: they are resampled together.

    responses
        `(repeat, stimulus, unit)`
    stimuli
        how many there are

    >>> stimulus_groups(np.zeros((2, 3, 1)), 3)
    [array([0]), array([1]), array([2])]
    """
    if not isinstance(responses, xr.DataArray) or "group" not in responses.coords:
        return list(np.arange(stimuli)[:, None])
    _, members = np.unique(responses["group"].values, return_inverse=True)
    return [np.flatnonzero(members == number) for number in range(members.max() + 1)]
