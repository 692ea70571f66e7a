"""What several null models need."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from yuragi.autoregression import symmetric_root


def like(recording: xr.DataArray, values: Float[np.ndarray, "time unit"]) -> xr.DataArray:
    """A surrogate: these values with the name, the coordinates and the attributes of the recording, sharing no memory with it."""
    return recording.copy(deep=True, data=values)


def covariance_factor(centred: Float[np.ndarray, "time unit"]) -> Float[np.ndarray, "source unit"]:
    """F with F'F the sample covariance (divisor T - 1), through the smaller of units and frames.

    Independent standard normal numbers (time, source) times F have that covariance in expectation, also where it is singular.

    centred
        activity less its mean (time, unit)
    """
    frames, units = centred.shape
    if units > frames:
        return centred / np.sqrt(frames - 1)
    return symmetric_root(centred.T @ centred / (frames - 1))
