"""Fano factors, correlations and tuning recover what was planted, and their controls show nothing."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.sampling.intervals import nested_interval, seeds_interval
from yuragi.sampling.tuning import class_selectivity, lifetime_sparseness
from yuragi.sampling.variability import CountMoments, matched_fano, pair_correlations, shuffled_trials, window_counts


def bits(p: np.ndarray, sweeps: int, trials: int, generator: np.random.Generator) -> np.ndarray:
    return generator.binomial(sweeps, p, (trials, *p.shape))


def test_independent_bits_have_one_minus_p():
    generator = np.random.default_rng(0)
    p = np.broadcast_to([0.1, 0.5, 0.9], (40, 3))
    moments = CountMoments.of(bits(p, 10, 200, generator))
    assert np.abs(moments.fano - [0.9, 0.5, 0.1]).max() < 0.03
    assert np.abs(moments.bernoulli_fano(10) - [0.9, 0.5, 0.1]).max() < 0.01


def test_doubly_stochastic_counts():
    # Poisson counts of gamma rates, mean m and variance v: F = 1 + v / m.
    generator = np.random.default_rng(1)
    rates = generator.gamma(4.0, 1.5, (400, 50, 4))  # mean 6, variance 9
    assert np.abs(CountMoments.of(generator.poisson(rates)).fano - 2.5).max() < 0.15


def test_the_control_is_not_lowered_by_few_trials_or_by_rates_that_vary():
    generator = np.random.default_rng(2)
    p = generator.beta(2, 2, (3, 4000, 1))
    moments = CountMoments.of(generator.binomial(10, p))
    assert abs(moments.bernoulli_fano(10)[0] - 0.5) < 0.01
    assert moments.fano[0] > 1


def test_matching_means_removes_what_means_alone_do():
    # The Fano factor of both windows depends on the mean alone, 1 - p; the second window has larger means.
    generator = np.random.default_rng(3)
    low, high = np.linspace(0.1, 0.6, 60), np.linspace(0.3, 0.9, 60)
    windows = [CountMoments.of(bits(np.broadcast_to(p, (60, 60)), 10, 100, generator)) for p in (low, high)]
    raw = windows[0].fano.mean() - windows[1].fano.mean()
    matched, control = matched_fano(windows, generator, sweeps=10)
    assert raw > 0.2
    assert abs(matched[0] - matched[1]) < 0.03
    assert np.abs(matched - control).max() < 0.03


def test_matching_means_keeps_a_true_difference():
    generator = np.random.default_rng(4)
    means = np.broadcast_to(np.linspace(2, 6, 30), (30, 30))
    variable = CountMoments.of(generator.poisson(generator.gamma(means, 1.0, (100, 30, 30))))  # F = 2
    plain = CountMoments.of(generator.poisson(means, (100, 30, 30)))
    assert np.abs(matched_fano([variable, plain], generator)[0] - [2, 1]).max() < 0.15
    assert np.isnan(matched_fano([plain, CountMoments.of(np.zeros((2, 30, 30)))], generator)[0]).all()


def test_windows_leave_the_onset_between_them():
    course = xr.DataArray(np.arange(13)[None, None, :, None] >= 7, dims=("trial", "stimulus", "time", "unit"), coords={"time": np.arange(-7, 6)})
    found = window_counts(course, 3)
    assert found["time"].values.tolist() == [-4.5, -1.5, 1.5, 4.5]
    assert found.values.ravel().tolist() == [0, 0, 3, 3]
    with pytest.raises(InputError, match="width = 7: there are 7 sweeps before the onset and 6 after"):
        window_counts(course, 7)


def test_noise_and_signal_correlations_are_told_apart():
    generator = np.random.default_rng(5)
    trials, stimuli, units = 20, 4000, 6
    sign = np.array([1, 1, 1, -1, -1, -1])
    signal = generator.standard_normal((stimuli, 1)) * sign + generator.standard_normal((stimuli, units))  # ± 0.5
    noise = generator.standard_normal((trials, stimuli, 1)) + np.sqrt(3) * generator.standard_normal((trials, stimuli, units))  # 0.25
    found = pair_correlations(signal + noise)
    first, second = np.triu_indices(units, k=1)
    # Means over trials keep 4 / 20 of noise variance beside a signal variance of 2.
    assert np.abs(found.signal - 0.5 * (sign[first] * sign[second]) / 1.1).max() < 0.06
    assert np.abs(found.noise - 0.25).max() < 0.02
    shuffled = pair_correlations(shuffled_trials(signal + noise, generator))
    assert np.abs(shuffled.noise).max() < 0.02


def test_signals_show_no_noise_of_a_shared_set_of_samples():
    # Every stimulus has all samples but two: the mean of the trials is nearly that of the set, and holds next to none of its noise.
    generator = np.random.default_rng(6)
    noise = generator.standard_normal((12, 3000, 1)) + 0.5 * generator.standard_normal((12, 3000, 4))
    chosen = (noise - noise.mean(axis=0))[:10]
    plain, corrected = (pair_correlations(chosen, samples=samples).signal.mean() for samples in (None, 12))
    assert abs(corrected) < 0.05 < abs(plain)
    with pytest.raises(InputError, match="samples = 9: there are 10 trials"):
        pair_correlations(chosen, samples=9)


def test_likeness_of_noise_and_signal():
    generator = np.random.default_rng(7)
    axis = generator.standard_normal(12)
    values = generator.standard_normal((20, 500, 1)) * axis + generator.standard_normal((500, 1)) * axis + generator.standard_normal((20, 500, 12))
    found = pair_correlations(values)
    assert found.relation() > 0.9
    assert abs(found.relation(pair_correlations(shuffled_trials(values, generator)).noise)) < 0.5


def test_selectivity_and_its_chance():
    generator = np.random.default_rng(8)
    labels = np.repeat(np.arange(5), 60)
    # Class means of variance 1 (over classes) beside a variance of 3 within: a quarter lies between classes.
    means = generator.standard_normal((5, 200))
    means = (means - means.mean(axis=0)) / means.std(axis=0)
    values = means[labels] + np.sqrt(3) * generator.standard_normal((300, 200))
    assert abs(class_selectivity(values[None], labels).mean() - 0.26) < 0.02
    assert abs(class_selectivity(values[None], generator.permutation(labels)).mean() - 4 / 299) < 0.004
    assert np.isnan(class_selectivity(np.full((1, 300, 1), 0.3), labels)).all()
    with pytest.raises(InputError, match="labels: shape"):
        class_selectivity(values[None], labels[:-1])


def test_sparseness_of_known_responses():
    values = np.zeros((1, 10, 3))
    values[0, :, 0], values[0, 0, 1], values[0, :5, 2] = 2, 7, 1
    assert np.allclose(lifetime_sparseness(values), [0, 1, 0.5 / 0.9])
    with pytest.raises(InputError, match="negative"):
        lifetime_sparseness(-values)


def test_intervals_cover_about_as_often_as_they_say():
    generator = np.random.default_rng(9)
    hits = {"seeds": 0, "nested": 0, "units alone": 0}
    for _ in range(200):
        groups = [generator.standard_normal() + generator.standard_normal(30) for _ in range(8)]
        _, low, high = seeds_interval([group.mean() for group in groups])
        hits["seeds"] += low < 0 < high
        _, low, high = nested_interval(groups, generator, resamples=400)
        hits["nested"] += low < 0 < high
        _, low, high = nested_interval([np.concatenate(groups)], generator, resamples=400)
        hits["units alone"] += low < 0 < high
    assert 180 <= hits["seeds"] <= 200
    assert 165 <= hits["nested"] <= 200
    # As if units of one seed were independent: what the nested interval is there for.
    assert hits["units alone"] < 110


def test_three_seeds_are_not_taken_for_many():
    generator = np.random.default_rng(10)
    hits = 0
    for _ in range(200):
        groups = [generator.standard_normal() + 0.3 * generator.standard_normal(20) for _ in range(3)]
        _, low, high = nested_interval(groups, generator, resamples=400)
        hits += low < 0 < high
    assert hits >= 178  # resampled without Student's tails, seven in ten would cover
