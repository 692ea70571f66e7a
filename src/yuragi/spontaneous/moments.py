"""How far the activity of a recording is from Gaussian."""

from __future__ import annotations

import numpy as np
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous.lagged import SMALLEST_OWN_SHARE
from yuragi.spontaneous.recordings import checked_recording
from yuragi.spontaneous.reduction import leading_components


def kurtosis(recording: xr.DataArray) -> xr.DataArray:
    """The excess kurtosis of each unit (unit): 0 for Gaussian activity, positive for rare large deflections.

        G = (T - 1) / ((T - 2)(T - 3)) · ((T + 1)(m_4 / m_2² - 3) + 6),    m_k = Σ_t (y_t - ȳ)^k / T

    without bias for independent Gaussian frames. Frames that depend on each other make it vary more.

    recording
        y (time, unit), at least 4 frames

    An `InputError` tells missing values, constant units and too few frames.

    Source: Joanes & Gill 1998, The Statistician 47:183 (their G_2).

    >>> frames = np.random.default_rng(0).standard_normal((5000, 1))
    >>> abs(float(kurtosis(xr.DataArray(frames, dims=("time", "unit")))[0])) < 0.2
    True
    """
    recording = checked_recording(recording)
    frames = recording.sizes["time"]
    if frames < 4:
        raise InputError(f"recording: {frames} frames are too few for a kurtosis; give at least 4")
    squares = (recording.values - recording.values.mean(axis=0)) ** 2
    plain = frames * np.einsum("tu,tu->u", squares, squares) / squares.sum(axis=0) ** 2 - 3
    values = (frames - 1) / ((frames - 2) * (frames - 3)) * ((frames + 1) * plain + 6)
    return xr.DataArray(values, dims="unit", coords={"unit": recording["unit"].values}, name="kurtosis")


def multivariate_kurtosis(recording: xr.DataArray, components: int | None = None) -> float:
    """Mardia's multivariate kurtosis: the mean over frames of the fourth power of their Mahalanobis distance from the mean.

        b = Σ_t ((y_t - ȳ)' S^-1 (y_t - ȳ))² / T,    S = Σ_t (y_t - ȳ)(y_t - ȳ)' / T

    Independent Gaussian frames have N (N + 2) where T is large, N (N + 2)(T - 1) / (T + 1) exactly in expectation; more tells common heavy tails or
    changing variance. It does not change when units are mixed linearly and invertibly. It lies between N² and N T.

    recording
        y (time, unit), more frames than units
    components
        None: all units; a number: the scores of that many leading principal components, which then are the N

    An `InputError` tells missing values, constant units, too few frames and a singular covariance.

    Source: Mardia 1970, Biometrika 57:519.

    >>> frames = np.random.default_rng(0).standard_normal((20000, 3))
    >>> round(multivariate_kurtosis(xr.DataArray(frames, dims=("time", "unit"))))
    15
    """
    recording = checked_recording(recording)
    values = recording.values - recording.values.mean(axis=0)
    kept = leading_components(recording, components, 1)
    labels = [f"unit {label}" for label in recording["unit"].values]
    if kept is not None:
        values = values @ kept.loadings.values.T
        labels = [f"component {label}" for label in kept.loadings["component"].values]
    frames, width = values.shape
    if frames <= width + 1:
        raise InputError(
            f"recording: {frames} frames are too few for the covariance of {width} variables; at least {width + 2} are needed, "
            "better ten times as many: fit fewer leading components (components=...)"
        )
    values /= np.linalg.norm(values, axis=0)
    # The rows of an orthonormal basis of the columns are the whitened frames over √T: no inverse is needed.
    basis, mixing = np.linalg.qr(values)
    dependent = np.flatnonzero(np.diagonal(mixing) ** 2 <= SMALLEST_OWN_SHARE)
    if dependent.size:
        raise InputError(
            f"recording: singular covariance: {labels[dependent[0]]} is a linear combination of the others; "
            "drop it, or take fewer leading components (components=...)"
        )
    distances = np.einsum("tu,tu->t", basis, basis)
    return float(frames * distances @ distances)
