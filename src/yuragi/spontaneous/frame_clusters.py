"""Which frames of a recording are clustered into patterns, and how they are compared."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float

from yuragi.errors import InputError
from yuragi.spontaneous.recordings import named


class FrameRule(NamedTuple):
    """How frames are chosen and compared; the arguments of `yuragi.spontaneous.coactivation_patterns`.

    frames
        "all", or the share of the most active frames
    seed
        the units, by their labels, whose mean z-score is the activity; None: the root mean square z-score of all units
    distance
        "correlation" or "euclidean"
    """

    frames: str | float
    seed: object
    distance: str


def z_scores(recording: xr.DataArray) -> Float[np.ndarray, "time unit"]:
    """Each unit less its mean over its standard deviation."""
    centred = recording.values - recording.values.mean(axis=0)
    return centred / centred.std(axis=0)


def chosen_frames(scores: Float[np.ndarray, "time unit"], recording: xr.DataArray, rule: FrameRule) -> np.ndarray:
    """Which frames are clustered, in the order of time."""
    if rule.frames == "all":
        if rule.seed is not None:
            raise InputError(f"seed={rule.seed!r}: with frames='all' no frame is chosen by its activity; give frames as a share, such as 0.3")
        return np.arange(len(scores))
    if isinstance(rule.frames, str) or not 0 < rule.frames < 1:
        raise InputError(f"frames={rule.frames!r}: give 'all', or the share of the most active frames, above 0 and below 1")
    if rule.seed is None:
        activity = np.sqrt(np.einsum("tu,tu->t", scores, scores))
    else:
        several = isinstance(rule.seed, Sequence | np.ndarray) and not isinstance(rule.seed, str)
        seeds = list(rule.seed) if several else [rule.seed]
        labels = recording["unit"].values
        missing = [seed for seed in seeds if seed not in labels]
        if missing or not seeds:
            raise InputError(f"seed: no unit is called {named(missing)}; the units are {named(labels)}")
        activity = scores[:, np.isin(labels, seeds)].mean(axis=1)
    count = math.ceil(rule.frames * len(scores))
    return np.sort(np.argsort(-activity, kind="stable")[:count])


def points(scores: Float[np.ndarray, "frame unit"], distance: str) -> Float[np.ndarray, "frame unit"]:
    """Frames as they are compared: their squared distances are those of k-means."""
    return unit_length(scores) if distance == "correlation" else scores


def unit_length(values: Float[np.ndarray, "row unit"]) -> Float[np.ndarray, "row unit"]:
    """Rows less their means, scaled to length 1; rows that are the same everywhere stay 0."""
    centred = values - values.mean(axis=1, keepdims=True)
    return np.divide(centred, length := np.linalg.norm(centred, axis=1, keepdims=True), out=np.zeros_like(centred), where=length > 1e-12)


def clusters(points: Float[np.ndarray, "frame unit"], patterns: int, starts: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The centres (pattern, unit) and the pattern of each frame."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    means = KMeans(patterns, n_init=starts, random_state=int(generator.integers(2**31)))
    with warnings.catch_warnings():
        # It warns where distinct frames are fewer than clusters; the check below tells.
        warnings.simplefilter("ignore", ConvergenceWarning)
        means.fit(points)
    labels = nearest(points, means.cluster_centers_)
    found = np.unique(labels).size
    if found < patterns:
        raise InputError(f"recording: its frames fall into {found} distinct patterns, {patterns} were asked for; lower patterns")
    return means.cluster_centers_, labels


def nearest(points: Float[np.ndarray, "frame unit"], centres: Float[np.ndarray, "pattern unit"]) -> np.ndarray:
    """The centre nearest to each frame (frame)."""
    # |x - c|² less |x|², which is the same for all centres.
    return (np.einsum("pu,pu->p", centres, centres) - 2 * points @ centres.T).argmin(axis=1)
