"""Co-activation patterns: planted maps that come and go as known, and the statistics of label sequences counted by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous import coactivation_patterns, match_patterns

UNITS = 30


def planted(frames=6000, states=4, stay=(0.95, 0.9, 0.8, 0.6), noise=0.5, seed=0, maps_seed=1):
    """A recording that switches between known maps, its maps (pattern, unit), the states and their transitions."""
    maps = np.random.default_rng(maps_seed).standard_normal((states, UNITS))
    transitions = np.array([[stay[i] if i == j else (1 - stay[i]) / (states - 1) for j in range(states)] for i in range(states)])
    generator = np.random.default_rng(seed)
    path = np.zeros(frames, dtype=int)
    for t in range(1, frames):
        path[t] = generator.choice(states, p=transitions[path[t - 1]])
    values = maps[path] + noise * generator.standard_normal((frames, UNITS))
    coords = {"time": np.arange(frames) * 0.72, "unit": [f"u{i}" for i in range(UNITS)]}
    return xr.DataArray(values, dims=("time", "unit"), coords=coords, attrs={"sampling_interval": 0.72}), maps, path, transitions


@pytest.mark.parametrize("distance", ["correlation", "euclidean"])
def test_planted_patterns_and_their_course_are_recovered(distance):
    recording, maps, path, transitions = planted()
    found = coactivation_patterns(recording, np.random.default_rng(0), patterns=4, distance=distance)
    # z-scores are relative to the mean and the standard deviation over time, which the visits of all states make.
    visited = maps[path]
    expected = (maps - visited.mean(axis=0)) / np.sqrt(visited.var(axis=0) + 0.5**2)
    order = np.corrcoef(found.maps.values, expected)[:4, 4:].argmax(axis=1)
    assert sorted(order) == [0, 1, 2, 3]
    np.testing.assert_allclose(found.maps, expected[order], atol=0.15)
    assert (order[found.labels.values] == path).mean() > 0.999
    np.testing.assert_allclose(found.fractions, np.bincount(path)[order] / len(path), atol=0.003)
    assert (np.diff(found.fractions) <= 0).all(), "the most frequent first"
    np.testing.assert_allclose(found.transitions.values, transitions[np.ix_(order, order)], atol=0.04)
    np.testing.assert_allclose(found.persistence, np.diag(transitions)[order], atol=0.04)
    np.testing.assert_allclose(found.dwell, 1 / (1 - np.diag(transitions)[order]), rtol=0.12)
    minutes = len(path) * 0.72 / 60
    np.testing.assert_allclose(found.rates * minutes * found.dwell, found.fractions * len(path), rtol=1e-12)


def test_statistics_of_labels_counted_by_hand():
    found = coactivation_patterns(planted(300)[0], np.random.default_rng(0), patterns=3)
    labels = np.array([0, 0, 1, 1, 1, -1, 0, -1, -1, 1, 0, 0])
    by_hand = dataclasses.replace(found, labels=xr.DataArray(labels, dims="time"), sampling_interval=2.0)
    np.testing.assert_allclose(by_hand.fractions, [5 / 9, 4 / 9, 0])
    np.testing.assert_array_equal(by_hand.visits, [3, 2, 0])
    np.testing.assert_allclose(by_hand.rates, [3 / 0.4, 2 / 0.4, 0])
    np.testing.assert_allclose(by_hand.dwell, [5 / 3, 2, np.nan])
    np.testing.assert_allclose(by_hand.transitions, [[2 / 3, 1 / 3, 0], [1 / 3, 2 / 3, 0], [np.nan] * 3])
    np.testing.assert_allclose(by_hand.persistence, [2 / 3, 2 / 3, np.nan])
    unknown = dataclasses.replace(by_hand, sampling_interval=np.nan)
    assert np.isnan(unknown.rates).all()


@pytest.mark.parametrize("options", [{}, {"frames": 0.3}, {"frames": 0.3, "seed": ["u2", "u5"]}, {"distance": "euclidean"}])
def test_assigning_the_same_recording_gives_the_same_labels_and_another_follows_the_maps(options):
    recording = planted(1500)[0]
    before = recording.copy(deep=True)
    found = coactivation_patterns(recording, np.random.default_rng(0), patterns=4, **options)
    again = found.assign(recording)
    np.testing.assert_array_equal(again.labels, found.labels)
    assert again.maps is found.maps
    other, _, path, _ = planted(1000, seed=5)
    labels = found.assign(other).labels
    assert labels.sizes["time"] == 1000
    chosen = labels.values >= 0
    confusion = np.array([np.bincount(path[chosen][labels.values[chosen] == k], minlength=4) for k in range(4)])
    if "seed" not in options:
        assert confusion.max(axis=1).sum() > 0.95 * chosen.sum()
    assert recording.identical(before)


def test_a_share_of_frames_takes_the_most_active_ones():
    recording = planted(1000)[0]
    scores = (recording.values - recording.values.mean(axis=0)) / recording.values.std(axis=0)
    for options, activity in (({}, (scores**2).sum(axis=1)), ({"seed": "u3"}, scores[:, 3]), ({"seed": ["u3", "u4"]}, scores[:, 3:5].sum(axis=1))):
        found = coactivation_patterns(recording, np.random.default_rng(0), patterns=3, frames=0.25, **options)
        chosen = found.labels.values >= 0
        assert chosen.sum() == 250
        assert activity[chosen].min() >= activity[~chosen].max()
        for k in range(3):
            np.testing.assert_allclose(found.maps[k], scores[found.labels.values == k].mean(axis=0))


def test_correlation_ignores_strength_and_common_level():
    recording, _, path, _ = planted(2000, states=3, stay=(0.9, 0.9, 0.9))
    generator = np.random.default_rng(3)
    scaled = recording * xr.DataArray(generator.uniform(0.3, 3, 2000), dims="time") + xr.DataArray(3 * generator.standard_normal(2000), dims="time")
    labels = coactivation_patterns(scaled, np.random.default_rng(0), patterns=3).labels.values
    confusion = np.array([np.bincount(path[labels == k], minlength=3) for k in range(3)])
    assert confusion.max(axis=1).sum() > 0.95 * 2000


def test_patterns_follow_their_generator():
    recording = planted(500)[0]
    first, same = (coactivation_patterns(recording, np.random.default_rng(4), patterns=6, starts=1) for _ in range(2))
    np.testing.assert_array_equal(first.labels, same.labels)
    np.testing.assert_array_equal(first.maps, same.maps)


def test_matching_undoes_a_permutation_and_pairs_two_recordings():
    first = coactivation_patterns(planted(2000)[0], np.random.default_rng(0), patterns=4)
    order = np.array([2, 0, 3, 1])
    shuffled = dataclasses.replace(first, maps=first.maps[order])
    match = match_patterns(first, shuffled)
    np.testing.assert_array_equal(order[match.order], np.arange(4))
    np.testing.assert_allclose(match.correlations, 1)
    other = coactivation_patterns(planted(2000, seed=9)[0], np.random.default_rng(1), patterns=4)
    match = match_patterns(first, other)
    assert sorted(match.order) == [0, 1, 2, 3]
    assert match.correlations.min() > 0.95
    expected = [np.corrcoef(first.maps[k], other.maps[j])[0, 1] for k, j in enumerate(match.order)]
    np.testing.assert_allclose(match.correlations, expected)


def test_matching_takes_the_best_sum_not_the_best_pair():
    first = coactivation_patterns(planted(300)[0], np.random.default_rng(0), patterns=2)
    basis = np.linalg.qr(np.column_stack([np.ones(UNITS), np.random.default_rng(0).standard_normal((UNITS, 2))]))[0][:, 1:].T
    angle = np.deg2rad([0, 40]), np.deg2rad([30, -20])
    one, other = (first.maps.copy(data=np.cos(a)[:, None] * basis[0] + np.sin(a)[:, None] * basis[1]) for a in angle)
    # The closest pair, 40 and 30 degrees, leaves 0 and -20: the best. A greedy choice in order, 0 with -20, gives the same here.
    match = match_patterns(dataclasses.replace(first, maps=one), dataclasses.replace(first, maps=other))
    np.testing.assert_array_equal(match.order, [1, 0])
    np.testing.assert_allclose(match.correlations, np.cos(np.deg2rad([20, 10])))


def test_bad_input_is_told():
    recording = planted(60)[0]
    generator = np.random.default_rng(0)
    with pytest.raises(InputError, match="recording: 6 frames are fewer than 8 patterns"):
        coactivation_patterns(recording, generator, frames=0.1)
    few = recording.isel(time=np.arange(60) % 3).assign_coords(time=recording["time"])
    with pytest.raises(InputError, match="recording: its frames fall into 3 distinct patterns, 5 were asked for"):
        coactivation_patterns(few, generator, patterns=5)
    with pytest.raises(InputError, match="2 units have no spatial correlation"):
        coactivation_patterns(recording[:, :2], generator)
    with pytest.raises(InputError, match=r"frames=1\.5: give 'all', or the share"):
        coactivation_patterns(recording, generator, frames=1.5)
    with pytest.raises(InputError, match="seed: no unit is called u99; the units are u0, u1"):
        coactivation_patterns(recording, generator, frames=0.5, seed="u99", patterns=3)
    with pytest.raises(InputError, match="seed='u1': with frames='all'"):
        coactivation_patterns(recording, generator, seed="u1")
    with pytest.raises(InputError, match="patterns=1: give a whole number of at least 2"):
        coactivation_patterns(recording, generator, patterns=1)
    with pytest.raises(InputError, match="distance 'cosine' does not exist; Known: correlation, euclidean"):
        coactivation_patterns(recording, generator, distance="cosine")
    found = coactivation_patterns(recording, generator, patterns=3)
    with pytest.raises(InputError, match="recording: 5 units where the patterns have 30"):
        found.assign(recording[:, :5])
    more = coactivation_patterns(recording, generator, patterns=4)
    with pytest.raises(InputError, match="second: 3 patterns are fewer than the 4 of first"):
        match_patterns(more, found)
    renamed = coactivation_patterns(recording.assign_coords(unit=np.arange(30)), generator, patterns=3)
    with pytest.raises(InputError, match="second: its units"):
        match_patterns(found, renamed)
