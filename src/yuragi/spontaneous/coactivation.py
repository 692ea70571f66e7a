"""Co-activation patterns: the few spatial patterns that the frames of a recording fall into, and when they come and go."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import xarray as xr

from yuragi.errors import InputError, unknown
from yuragi.spontaneous.frame_clusters import FrameRule, chosen_frames, clusters, nearest, points, unit_length, z_scores
from yuragi.spontaneous.recordings import checked_recording, named, sampling_interval_of

DISTANCES = ("correlation", "euclidean")


def coactivation_patterns(
    recording: xr.DataArray,
    generator: np.random.Generator,
    *,
    patterns: int = 8,
    frames: str | float | int = "all",
    seed: object = None,
    distance: str = "correlation",
    starts: int = 10,
) -> CoactivationPatterns:
    """Group the frames of a recording into co-activation patterns by k-means, and describe how these come and go.

    Each unit is z-scored over the whole recording. The chosen frames are clustered by scikit-learn's k-means (Lloyd, k-means++), the best of several
    starts. Patterns are in the order of their rates, the most frequent first.

    recording
        activity (time, unit), equally spaced in time
    generator
        the source of randomness
    patterns
        how many
    frames
        "all", or the share, above 0 and below 1, of the most active frames; the others get the label -1
    seed
        the unit, or the units, by their labels, whose mean z-score tells how active a frame is; None: the root mean square z-score of all units
    distance
        "correlation": frames are centred over units and scaled to length 1 before they are clustered, so that squared distances between them are
        2 (1 - r) with r the spatial correlation: the pattern counts, not its strength nor the mean over units. "euclidean": z-scores as they are
    starts
        runs of k-means from different random starts; one is enough for surrogates

    An `InputError` tells fewer frames, or fewer distinct frames, than patterns, an unknown seed, and what `fit_var` tells of any recording.

    Source: Liu & Duyn 2013, PNAS 110:4392; Liu et al. 2013, Front Syst Neurosci 7:101.

    >>> two = np.random.default_rng(0).integers(0, 2, 200)
    >>> planted = np.array([[1.0, 0, 0, -1], [0, 1, -1, 0]])[two] + 0.1 * np.random.default_rng(1).standard_normal((200, 4))
    >>> found = coactivation_patterns(xr.DataArray(planted, dims=("time", "unit")), np.random.default_rng(0), patterns=2)
    >>> bool((found.labels == two).all() or (found.labels == 1 - two).all())
    True
    """
    recording = checked_recording(recording)
    if distance not in DISTANCES:
        raise unknown("distance", distance, DISTANCES)
    if distance == "correlation" and recording.sizes["unit"] < 3:
        raise InputError(f"recording: {recording.sizes['unit']} units have no spatial correlation; give at least 3, or distance='euclidean'")
    _check_count("patterns", patterns, 2)
    _check_count("starts", starts, 1)
    rule = FrameRule(frames if isinstance(frames, str) else float(frames), seed, distance)
    scores = z_scores(recording)
    chosen = chosen_frames(scores, recording, rule)
    compared = points(scores[chosen], distance)
    if len(compared) < patterns:
        raise InputError(
            f"recording: {len(compared)} frames are fewer than {patterns} patterns; give a longer recording, more frames or fewer patterns"
        )
    centres, labels = clusters(compared, patterns, starts, generator)
    # Ties in the number of frames keep the order of k-means.
    order = np.argsort(-np.bincount(labels, minlength=patterns), kind="stable")
    labels = np.argsort(order)[labels]
    every = np.full(len(scores), -1)
    every[chosen] = labels
    return CoactivationPatterns(
        maps=_by_unit(np.stack([scores[every == k].mean(axis=0) for k in range(patterns)]), recording),
        centres=_by_unit(centres[order], recording),
        labels=_by_time(every, recording),
        sampling_interval=sampling_interval_of(recording),
        rule=rule,
    )


@dataclass(frozen=True, eq=False)
class CoactivationPatterns:
    """Spatial patterns and the frames of a recording that show them: what `coactivation_patterns` returns.

    A *visit* is a stretch of successive frames with the same pattern. Visits that are cut by an end of the recording, or by frames that were not
    chosen, count with the frames that they have.

    maps
        mean z-score of the frames that the pattern was found in (pattern, unit)
    centres
        the centres of k-means (pattern, unit), to which frames are compared; in the space of the chosen distance
    labels
        the pattern of each frame (time), from 0; -1 for frames that were not chosen
    sampling_interval
        Δt, seconds between frames; NaN where unknown
    rule
        how frames are chosen and compared
    """

    maps: xr.DataArray
    centres: xr.DataArray
    labels: xr.DataArray
    sampling_interval: float
    rule: FrameRule

    def __repr__(self) -> str:
        chosen = int((self.labels >= 0).sum())
        return (
            f"CoactivationPatterns({self.maps.sizes['pattern']} patterns of {self.maps.sizes['unit']} units, {chosen} of {self.labels.size} frames)"
        )

    @functools.cached_property
    def fractions(self) -> xr.DataArray:
        """The share of the chosen frames that show each pattern (pattern); their sum is 1."""
        labels = self.labels.values
        counts = np.bincount(labels[labels >= 0], minlength=self.maps.sizes["pattern"])
        return self._by_pattern(counts / counts.sum(), "fraction")

    @functools.cached_property
    def visits(self) -> xr.DataArray:
        """How often each pattern was entered (pattern), with the visit that the recording begins in."""
        runs, _ = self._runs
        return self._by_pattern(np.bincount(runs, minlength=self.maps.sizes["pattern"]), "visits")

    @functools.cached_property
    def rates(self) -> xr.DataArray:
        """Visits of each pattern per minute of recording (pattern); NaN where the sampling interval is unknown."""
        return self._by_pattern(self.visits.values * 60 / (self.labels.size * self.sampling_interval), "rate")

    @functools.cached_property
    def dwell(self) -> xr.DataArray:
        """The mean length of a visit in frames (pattern), times ``sampling_interval`` for seconds; NaN for a pattern that was never visited."""
        runs, lengths = self._runs
        total = np.bincount(runs, weights=lengths, minlength=self.maps.sizes["pattern"])
        return self._by_pattern(_ratio(total, self.visits.values), "dwell")

    @functools.cached_property
    def transitions(self) -> xr.DataArray:
        """P(next frame's pattern | this frame's pattern) (pattern, next_pattern), among pairs of successive frames that were both chosen.

        Rows sum to 1; a pattern that no chosen frame follows has NaN.
        """
        now, after = self.labels.values[:-1], self.labels.values[1:]
        both = (now >= 0) & (after >= 0)
        count = self.maps.sizes["pattern"]
        pairs = np.zeros((count, count))
        np.add.at(pairs, (now[both], after[both]), 1)
        ids = np.arange(count)
        coords = {"pattern": ids, "next_pattern": ids}
        return xr.DataArray(_ratio(pairs, pairs.sum(axis=1, keepdims=True)), dims=("pattern", "next_pattern"), coords=coords, name="transition")

    @functools.cached_property
    def persistence(self) -> xr.DataArray:
        """P(the next frame shows the same pattern) (pattern): the diagonal of ``transitions``."""
        return self._by_pattern(np.diagonal(self.transitions.values).copy(), "persistence")

    def assign(self, recording: xr.DataArray) -> CoactivationPatterns:
        """The same maps with the labels of another recording of the same units: each of its chosen frames goes to the nearest centre.

        Units are z-scored over that recording, and its frames are chosen by the same rule. On the recording that the patterns were found in it
        gives the same labels.

        recording
            activity (time, unit) with as many units as the maps
        """
        recording = checked_recording(recording)
        if recording.sizes["unit"] != self.maps.sizes["unit"]:
            raise InputError(f"recording: {recording.sizes['unit']} units where the patterns have {self.maps.sizes['unit']}; give the same units")
        scores = z_scores(recording)
        chosen = chosen_frames(scores, recording, self.rule)
        labels = np.full(len(scores), -1)
        labels[chosen] = nearest(points(scores[chosen], self.rule.distance), self.centres.values)
        return replace(self, labels=_by_time(labels, recording), sampling_interval=sampling_interval_of(recording))

    @functools.cached_property
    def _runs(self) -> tuple[np.ndarray, np.ndarray]:
        """The pattern and the length in frames of each visit, in the order of time."""
        labels = self.labels.values
        starts = np.flatnonzero(np.diff(labels, prepend=-2))
        lengths = np.diff(starts, append=len(labels))
        visited = labels[starts] >= 0
        return labels[starts][visited], lengths[visited]

    def _by_pattern(self, values: np.ndarray, name: str) -> xr.DataArray:
        return xr.DataArray(values, dims="pattern", coords={"pattern": np.arange(len(values))}, name=name)


class PatternMatch(NamedTuple):
    """Which pattern of the second set belongs to each of the first.

    order
        positions in the second set, one for each pattern of the first (pattern)
    correlations
        spatial correlation of each pair of maps (pattern)
    """

    order: np.ndarray
    correlations: np.ndarray


def match_patterns(first: CoactivationPatterns, second: CoactivationPatterns) -> PatternMatch:
    """Pair the patterns of two sets, each used once, so that the sum of the spatial correlations of their maps is largest.

    first, second
        patterns of the same units; the second set has at least as many as the first

    Source: Kuhn 1955, Nav Res Logist Q 2:83 (the assignment problem), through scipy.
    """
    from scipy.optimize import linear_sum_assignment

    one, other = first.maps, second.maps
    if one.sizes["unit"] != other.sizes["unit"] or not np.array_equal(one["unit"].values, other["unit"].values):
        raise InputError(
            f"second: its units ({named(other['unit'].values)}) are not those of first ({named(one['unit'].values)}); match the same units"
        )
    if one.sizes["pattern"] > other.sizes["pattern"]:
        raise InputError(f"second: {other.sizes['pattern']} patterns are fewer than the {one.sizes['pattern']} of first; exchange the two")
    table = unit_length(one.values) @ unit_length(other.values).T
    rows, order = linear_sum_assignment(table, maximize=True)
    return PatternMatch(order, table[rows, order])


def _check_count(name: str, value: object, least: int) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InputError(f"{name}={value!r}: give a whole number of at least {least}")


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Elementwise; NaN where nothing was counted."""
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    return np.divide(above, below, out=np.full(shape, np.nan), where=np.broadcast_to(below, shape) > 0)


def _by_unit(values: np.ndarray, recording: xr.DataArray) -> xr.DataArray:
    coords = {"pattern": np.arange(len(values)), "unit": recording["unit"].values}
    return xr.DataArray(values, dims=("pattern", "unit"), coords=coords, name="map")


def _by_time(labels: np.ndarray, recording: xr.DataArray) -> xr.DataArray:
    coords = {"time": recording["time"].values} if "time" in recording.coords else {}
    return xr.DataArray(labels, dims="time", coords=coords, name="pattern")
