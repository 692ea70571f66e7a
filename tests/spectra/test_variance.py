from __future__ import annotations

import itertools

import numpy as np
import pytest

from yuragi.errors import InputError
from yuragi.spectra.variance import noise_variance, signal_variance, variance_ratio


def gaps(responses: np.ndarray, seed: int) -> np.ndarray:
    responses = responses.copy()
    holes = np.random.default_rng(seed).random(responses.shape) < 0.4
    holes[:2] = False
    responses[holes] = np.nan
    return responses


def test_signal_is_the_mean_product_of_different_repeats() -> None:
    x = gaps(np.random.default_rng(0).standard_normal((4, 7, 3)) + np.arange(7)[:, None], 1)
    total = 0.0
    for unit in range(3):
        trials = [column[~np.isnan(column)] for column in x[:, :, unit].T]
        same = [np.mean([a * b for a, b in itertools.permutations(of_one, 2)]) for of_one in trials]
        other = [trials[s].mean() * trials[t].mean() for s, t in itertools.permutations(range(7), 2)]
        total += np.mean(same) - np.mean(other)
    assert signal_variance(x) == pytest.approx(total)


def test_noise_is_the_mean_variance_within_stimuli() -> None:
    x = gaps(np.random.default_rng(0).standard_normal((5, 9, 4)), 2)
    assert noise_variance(x) == pytest.approx(np.nanvar(x, axis=0, ddof=1).mean(axis=0).sum())
    complete = np.random.default_rng(0).standard_normal((5, 9, 4)).astype(np.float32)
    assert noise_variance(complete) == pytest.approx(complete.var(axis=0, ddof=1).mean(axis=0).sum(), rel=1e-5)


def test_both_are_unbiased_with_unequal_repeats_and_noise_that_differs_between_stimuli() -> None:
    generator = np.random.default_rng(3)
    signal = generator.standard_normal((12, 5)) * [3, 2, 1, 1, 1]
    deviations = generator.uniform(0.5, 3, size=(12, 1))
    noises, signals = [], []
    for _ in range(800):
        x = gaps(signal + deviations * generator.standard_normal((4, 12, 5)), 4)
        noises.append(noise_variance(x))
        signals.append(signal_variance(x))
    for estimates, truth in ((noises, 5 * np.mean(deviations**2)), (signals, signal.var(axis=0, ddof=1).sum())):
        assert abs(np.mean(estimates) - truth) < 3.5 * np.std(estimates) / np.sqrt(len(estimates))


@pytest.mark.parametrize("strength", [0.25, 1.0, 5.0])
def test_a_planted_ratio_is_recovered(plant, strength: float) -> None:
    responses = plant(1500, 60, strength=strength, repeats=3)
    before = responses.copy()
    assert variance_ratio(responses) == pytest.approx(strength, rel=0.1)
    np.testing.assert_array_equal(responses, before)


def test_no_signal_has_no_ratio() -> None:
    trials = np.random.default_rng(0).standard_normal((20, 30))
    with pytest.raises(InputError, match="not above 0"):
        variance_ratio(np.stack([trials, -trials]))
    with pytest.raises(InputError, match="fewer than two repeats"):
        variance_ratio(trials[None])
