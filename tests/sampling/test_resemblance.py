"""Divergences are what they are known to be, and the average of a right model's posterior over its data is its prior."""

from __future__ import annotations

import numpy as np
import pytest

from yuragi.errors import InputError
from yuragi.sampling import Sampler, SamplingSettings
from yuragi.sampling.activity import responses, spontaneous_states
from yuragi.sampling.model import Patterns
from yuragi.sampling.resemblance import correlation_similarity, divergences


def test_a_known_divergence():
    generator = np.random.default_rng(0)
    evoked, spontaneous = (generator.random((40_000, 3)) < p for p in (0.5, 0.25))
    each = 0.5 * np.log2(0.5 / 0.25) + 0.5 * np.log2(0.5 / 0.75)
    found = divergences(evoked, spontaneous, generator, group_size=3, groups=4)
    assert np.abs(found.spontaneous - 3 * each).max() < 0.05
    # The units are independent as they are.
    assert np.abs(found.independent_spontaneous - found.spontaneous).max() < 0.03
    assert found.independent_evoked.max() < 0.01


def test_finite_draws_alone_give_no_excess():
    generator = np.random.default_rng(1)
    few = [generator.random((600, 20)) < 0.4 for _ in range(2)]
    found = divergences(*few, generator, group_size=7, groups=40)
    assert found.spontaneous.mean() > 0.1
    assert abs(found.excess.mean()) < 0.03


@pytest.mark.parametrize("trials", [1, 5])
def test_a_right_model_has_the_prior_as_the_average_of_its_posterior(trials):
    # Synapses are held; the network itself draws its data. Other data of the same rates are the control: the equality is no matter of course.
    generator = np.random.default_rng(2)
    sampler = Sampler(SamplingSettings(layers=(4, 8, 20)), generator)
    posterior = sampler.learn(None, np.ones((1, 20), np.uint8), sweeps=1, quiet=True)
    data = Patterns.forward(posterior.synapses, {}, 4000 // trials, generator).units[-1].T
    stimuli = np.tile(np.arange(len(data)), trials)
    others = generator.permuted(data, axis=0)
    resting = spontaneous_states(posterior, generator, 4000)
    excess = {}
    for name, shown in (("its own", data), ("others", others)):
        found = responses(posterior, shown, generator, trials=trials, sweeps=1, burn_in=30, at="outputs", same_synapses=True)
        excess[name] = divergences(found.values.reshape(4000, -1), resting, generator, stimuli=stimuli, group_size=5, groups=20).excess.mean()
    assert abs(excess["its own"]) < 0.01
    assert excess["others"] > 0.03


def test_likeness_of_correlations():
    generator = np.random.default_rng(3)
    mixing, other = generator.standard_normal((2, 10, 10))
    first, second, third = (generator.standard_normal((5000, 10)) @ matrix for matrix in (mixing, mixing, other))
    same, different = correlation_similarity(first, second, generator), correlation_similarity(first, third, generator)
    assert same.similarity > 0.98
    assert same.halves > 0.98
    assert max(abs(same.shuffled), abs(different.similarity)) < 0.5
    assert np.isnan(correlation_similarity(np.zeros((10, 4)), np.zeros((10, 4)), generator).similarity)


@pytest.mark.parametrize(
    ("evoked", "spontaneous", "options", "message"),
    [
        (np.full((9, 4), 0.5), np.ones((9, 4)), {}, "evoked: shape"),
        (np.eye(4), np.eye(5), {}, "4 and 5 units"),
        (np.eye(4), np.eye(4), {"group_size": 5}, "group_size = 5: 4 units change"),
        (np.ones((9, 4)), np.ones((9, 4)), {"group_size": 2}, "group_size = 2: 0 units change"),
        (np.eye(4), np.eye(4), {"group_size": 2, "groups": 0}, "0 groups"),
    ],
)
def test_bad_input(evoked, spontaneous, options, message):
    with pytest.raises(InputError, match=message):
        divergences(evoked, spontaneous, np.random.default_rng(0), **options)


def test_halves_of_different_stimuli_know_that_stimuli_are_few() -> None:
    """Each of few stimuli evokes its own pattern again and again: halves of draws look alike, halves of stimuli do not."""
    generator = np.random.default_rng(4)
    patterns = (generator.random((12, 6)) < 0.5).astype(np.uint8)
    stimuli = np.repeat(np.arange(12), 200)
    evoked, others = patterns[stimuli], (generator.random((2400, 6)) < 0.5).astype(np.uint8)
    by_draw = divergences(evoked, others, np.random.default_rng(5), group_size=4, groups=10)
    by_stimulus = divergences(evoked, others, np.random.default_rng(5), stimuli=stimuli, group_size=4, groups=10)
    assert by_draw.halves.mean() < 0.1
    assert by_stimulus.halves.mean() > 0.5
    # The same level where every draw has a stimulus of its own.
    own = divergences(others, evoked, np.random.default_rng(6), stimuli=np.arange(2400), group_size=4, groups=10)
    assert own.halves.mean() < 0.1


def _planted(generator: np.random.Generator, mixing: np.ndarray, stimuli: int, trials: int) -> np.ndarray:
    """States (draw, unit) whose probabilities are a stimulus' own, so that units are correlated by what stimuli share."""
    drive = 2.5 * generator.standard_normal((stimuli, len(mixing))) @ mixing
    return (generator.random((trials, *drive.shape)) < 1 / (1 + np.exp(-drive))).reshape(-1, mixing.shape[1]).astype(np.uint8)


@pytest.mark.parametrize(("number", "trials"), [(120, 8), (160, 1), (121, 3)])
def test_no_excess_where_activity_is_alike_however_often_stimuli_are_shown(number: int, trials: int) -> None:
    """Spontaneous draws have a stimulus of their own each, of the same distribution: both excess and lack of likeness are 0 in the mean."""
    excess, lack = [], []
    for repeat in range(12):
        generator = np.random.default_rng([7, repeat])
        mixing = generator.standard_normal((3, 16))
        evoked, spontaneous = _planted(generator, mixing, number, trials), _planted(generator, mixing, number * trials, 1)
        stimuli = np.tile(np.arange(number), trials)
        excess.append(divergences(evoked, spontaneous, generator, stimuli=stimuli, group_size=5, groups=15).excess.mean())
        alike = correlation_similarity(evoked, spontaneous, generator, stimuli=stimuli)
        lack.append(alike.halves - alike.similarity)
    for values, most in ((excess, 0.025), (lack, 0.02)):
        assert abs(np.mean(values)) < most
        assert abs(np.mean(values)) < 3 * np.std(values, ddof=1) / np.sqrt(len(values))


def test_excess_where_activity_differs_and_stimuli_are_shown_again() -> None:
    for repeat in range(4):
        generator = np.random.default_rng([8, repeat])
        mixing = generator.standard_normal((3, 16))
        evoked, stimuli = _planted(generator, mixing, 120, 8), np.tile(np.arange(120), 8)
        other = _planted(generator, generator.permuted(mixing, axis=1), 960, 1)
        assert divergences(evoked, other, generator, stimuli=stimuli, group_size=5, groups=15).excess.mean() > 0.2
        alike = correlation_similarity(evoked, other, generator, stimuli=stimuli)
        assert alike.similarity < alike.halves - 0.3


def test_halves_need_stimuli() -> None:
    with pytest.raises(InputError, match="stimuli: 1 of them"):
        divergences(np.eye(4), np.eye(4), np.random.default_rng(0), stimuli=np.zeros(4), group_size=2)
    with pytest.raises(InputError, match="stimuli: 3 of them for 4 draws"):
        divergences(np.eye(4), np.eye(4), np.random.default_rng(0), stimuli=np.arange(3), group_size=2)
    with pytest.raises(InputError, match="divisions = 0"):
        divergences(np.eye(4), np.eye(4), np.random.default_rng(0), group_size=2, divisions=0)
