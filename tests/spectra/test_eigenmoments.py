from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.spectra.cycle_moments import CrossGram, chain_counts, chain_traces, pair_products
from yuragi.spectra.eigenmoments import EigenmomentFit, meme
from yuragi.spectra.moment_fit import Law, fit_law, power_sum, whitening
from yuragi.spectra.moment_simulation import ObservedNoise
from yuragi.targets import BrainTarget


def chains(cross: np.ndarray, length: int, labels: np.ndarray) -> list[float]:
    """The product along every closed chain of increasing labels."""
    found = []
    for chain in combinations(range(len(cross)), length):
        if len(set(labels[list(chain)])) == length:
            found.append(math.prod(cross[a, b] for a, b in zip(chain, (*chain[1:], chain[0]), strict=True)))
    return found


@pytest.mark.parametrize("labels", [None, np.array([0, 0, 1, 2, 2, 2, 3, 4, 4])])
@pytest.mark.parametrize("moments", [1, 2, 3, 5, 6])
def test_traces_are_the_sums_over_increasing_chains(labels: np.ndarray | None, moments: int) -> None:
    cross = np.random.default_rng(0).standard_normal((9, 9))
    plain = np.arange(9) if labels is None else labels
    expected = [chains(cross, p, plain) for p in range(1, moments + 1)]
    if labels is not None and moments > 5:
        expected[5] = [0.0]
    np.testing.assert_allclose(chain_traces(cross, moments, labels), [sum(products) for products in expected], rtol=1e-11, atol=1e-11)
    counts = [len(products) if any(products) else 0 for products in expected]
    np.testing.assert_allclose(chain_counts(9, moments, labels), counts)


@pytest.mark.parametrize("size", [111, 300])
def test_blocks_and_steps_change_nothing(size: int) -> None:
    cross = np.random.default_rng(1).standard_normal((size, size)) + 2 * np.eye(size)
    above, power, expected = np.triu(cross, 1), cross, [np.trace(cross)]
    for _ in range(11):
        power = above @ power
        expected.append(np.trace(power))
    np.testing.assert_allclose(chain_traces(cross, 12), expected, rtol=1e-9)


def test_products_of_differences_come_from_the_products_of_stimuli() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.standard_normal((2, 7, 4))
    left, right = np.array([4, 0, 2]), np.array([1, 6, 3])
    expected = (first[left] - first[right]) @ (second[left] - second[right]).T / 2
    np.testing.assert_allclose(pair_products(first @ second.T, left, right), expected, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["white", "signal"])
def test_moments_are_unbiased_under_noise_and_a_mean(plant, noise: str) -> None:
    truth = np.array([np.sum(np.arange(1, 31.0) ** -p) for p in range(1, 6)])
    found = []
    for seed in range(400):
        first, second = plant(40, 30, noise=noise, seed=seed) + 3.0
        gram = CrossGram(first @ second.T)
        found.append([*gram.moments(5, 2, np.random.default_rng(seed)), gram.squared_trace(2, np.random.default_rng(seed))])
    error = (np.mean(found, axis=0) - [*truth, truth[0] ** 2]) / (np.std(found, axis=0) / np.sqrt(len(found)))
    assert np.abs(error).max() < 3.5
    # What a plain covariance of the averages would give is far off: the test has power.
    assert np.mean(found, axis=0)[1] < 1.3 * truth[1]


@pytest.mark.slow
def test_stimuli_of_one_group_need_the_groups() -> None:
    truth = np.array([np.sum(np.arange(1, 21.0) ** -p) for p in range(1, 4)])
    scale = np.arange(1, 21) ** -0.5
    groups = np.split(np.arange(48), np.cumsum([2, 4, 6, 3, 5] * 2 + [3]))  # twelve groups, the last of five
    stimuli = sum(map(len, groups))
    known, ignored = [], []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        signal = 0.3 * generator.standard_normal((stimuli, 20))
        for members in groups:
            signal[members] += np.sqrt(0.91) * generator.standard_normal(20)
        first, second = signal * scale + 0.2 * generator.standard_normal((2, stimuli, 20))
        known.append(CrossGram(first @ second.T, groups).moments(3, 2, generator))
        ignored.append(CrossGram(first @ second.T).moments(3, 2, generator))
    error = (np.mean(known, axis=0) - truth) / (np.std(known, axis=0) / np.sqrt(len(known)))
    assert np.abs(error).max() < 3.5
    assert np.mean(ignored, axis=0)[1] > 1.1 * truth[1]


def test_differences_of_halves_tell_the_error_of_the_moments(plant) -> None:
    found, told = [], []
    for seed in range(60):
        first, second = plant(120, 40, seed=seed)
        gram = CrossGram(first @ second.T)
        found.append(gram.moments(3, 4, np.random.default_rng(seed)))
        told.append(np.square(gram.half_differences(3, 4, 10, np.random.default_rng(seed))).mean(axis=0))
    ratio = np.sqrt(np.mean(told, axis=0)) / np.std(found, axis=0, ddof=1)
    assert np.all((ratio > 0.75) & (ratio < 1.45))


@pytest.mark.parametrize(("first", "last", "unit"), [(1, 1, 1), (1, 48, 1), (1, 70, 7), (1, 5000, 1), (13, 5000, 12), (2501, 5000, 2500), (9, 20, 8)])
def test_power_sums(first: int, last: int, unit: int) -> None:
    exponents = np.array([0.0, 0.3, 0.999999, 1.0, 1.5, 4.0, 30.0])
    expected = [np.sum((np.arange(first, last + 1) / unit) ** -s) for s in exponents]
    np.testing.assert_allclose(power_sum(exponents, first, last, unit), expected, rtol=1e-10)


@pytest.mark.parametrize("law", [Law(-1.0, 0.9, 0.9), Law(-2.0, 0.5, 1.3, 12), Law(1.0, 1.4, 0.4, 40)])
def test_a_law_is_found_again_from_its_own_moments(law: Law) -> None:
    moments = law.moments(10, 800)
    np.testing.assert_allclose(moments, [np.sum(law.spectrum(800) ** p) for p in range(1, 11)], rtol=1e-12)
    found = fit_law(moments, np.diag(1 / moments), 800, 1 if law.break_rank == 1 else 2)
    np.testing.assert_allclose([found.head, found.tail], [law.head, law.tail], atol=0.03)
    assert 0.8 * law.break_rank <= found.break_rank <= 1.25 * law.break_rank


def test_whitening_leaves_directions_without_variance_out() -> None:
    samples = np.random.default_rng(0).standard_normal((50, 3)) * [1, 100, 1e-3]
    covariance = np.cov(np.column_stack([samples, samples[:, 0]]).T)
    weights = whitening(covariance)
    np.testing.assert_allclose(weights @ covariance @ weights.T, np.eye(3), atol=1e-9)


def test_the_noise_that_is_simulated_is_the_noise_observed() -> None:
    generator = np.random.default_rng(0)
    stimuli, units = 300, 60
    scale = np.arange(1, units + 1) ** -0.5
    # Noise along one direction that is none of the signal's, beside noise that is.
    stray = generator.standard_normal(units) / np.sqrt(units)
    signal = generator.standard_normal((stimuli, units)) * scale
    first, second = (
        signal + 0.5 * scale * generator.standard_normal((stimuli, units)) + 1.5 * generator.standard_normal((stimuli, 1)) * stray for _ in range(2)
    )
    covariance = np.diag(0.25 * scale**2) + 2.25 * np.outer(stray, stray)
    noise = ObservedNoise.of(first - first.mean(axis=0), second - second.mean(axis=0))
    assert abs(noise.variances.sum() / np.trace(covariance) - 1) < 0.1
    drawn = [noise.simulate(np.zeros(units), generator).values for _ in range(20)]
    # Products of two independent draws have the variance tr N².
    assert abs(np.mean(np.square(drawn)) / np.square(covariance).sum() - 1) < 0.15


def test_exponents_intervals_and_scale(plant) -> None:
    responses = plant(200, 100, alpha=1.0, noise="signal", strength=0.5)
    before = responses.copy()
    fit = meme(responses, bootstraps=40, quiet=True, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(responses, before)
    assert isinstance(fit, EigenmomentFit)
    assert fit.alpha_interval[0] < 1.0 < fit.alpha_interval[1]
    assert 0.02 < fit.alpha_interval[1] - fit.alpha_interval[0] < 0.25
    assert abs(float(fit.spectrum(100).sum()) / np.sum(1 / np.arange(1, 101)) - 1) < 0.15
    truth = np.sum(1 / np.arange(1, 101)) ** 2 / np.sum(1 / np.arange(1, 101) ** 2)
    assert abs(fit.participation_ratio / truth - 1) < 0.5
    larger = meme(1000 * responses, bootstraps=40, quiet=True, generator=np.random.default_rng(0))
    np.testing.assert_allclose([larger.alpha, *larger.alpha_interval], [fit.alpha, *fit.alpha_interval], rtol=1e-6)
    np.testing.assert_allclose(larger.intercept, fit.intercept + np.log(1e6), rtol=1e-6)
    np.testing.assert_allclose(larger.eigenmoments, fit.eigenmoments * 1e6**fit.eigenmoments.moment, rtol=1e-6)
    assert "alpha=" in repr(fit)
    target = BrainTarget.from_fits({"V1": fit})
    assert target.alpha("V1") == fit.alpha


@pytest.mark.slow
def test_intervals_cover_the_planted_exponent(plant) -> None:
    covered, alphas = [], []
    for seed in range(20):
        noise, alpha = ("white", 1.2) if seed % 2 else ("signal", 0.8)
        responses = plant(160, 60, alpha=alpha, noise=noise, seed=seed)
        fit = meme(responses, bootstraps=40, quiet=True, generator=np.random.default_rng(seed))
        covered.append(fit.alpha_interval[0] < alpha < fit.alpha_interval[1])
        alphas.append((fit.alpha - alpha) / (fit.alpha_interval[1] - fit.alpha_interval[0]))
    assert sum(covered) >= 16  # 997 in 1,000 times where the coverage is 95 %
    # Not by being wide: half an interval is two standard deviations.
    assert np.std(alphas) > 0.15


def test_a_broken_law_is_recovered() -> None:
    generator = np.random.default_rng(0)
    law = Law(0.0, 0.4, 1.4, 10)
    signal = generator.standard_normal((400, 150)) * np.sqrt(law.spectrum(150))
    fit = meme(signal + 0.1 * generator.standard_normal((2, 400, 150)), slopes=2, bootstraps=2, quiet=True, generator=generator)
    assert abs(fit.alpha_head - 0.4) < 0.15
    assert abs(fit.alpha - 1.4) < 0.15
    assert 5 <= fit.break_rank <= 20
    assert fit.ranks == (fit.break_rank, 150)
    assert fit.slopes == 2
    assert fit.break_interval[0] <= fit.break_interval[1]
    np.testing.assert_allclose(fit.spectrum(100), law.spectrum(100), rtol=0.3)
    straight = meme(signal + 0.1 * generator.standard_normal((2, 400, 150)), generator=generator)
    assert straight.alpha_head is None
    assert straight.alpha < 1.2


def test_groups_missing_repeats_and_single_precision(plant) -> None:
    responses = plant(241, 30, repeats=3).astype(np.float32)
    responses[2, :30] = np.nan
    labelled = xr.DataArray(responses, dims=("repeat", "stimulus", "unit"), coords={"group": ("stimulus", np.arange(241) // 3)})
    fit = meme(labelled, moments=6, bootstraps=24, quiet=True, generator=np.random.default_rng(0))
    assert fit.alpha_interval[0] < 1.0 < fit.alpha_interval[1]
    again = meme(labelled, moments=6, bootstraps=24, quiet=True, generator=np.random.default_rng(0))
    assert again.alpha_interval == fit.alpha_interval


def test_noise_alone_has_no_moments_and_is_refused() -> None:
    generator = np.random.default_rng(0)
    found = []
    refused = 0
    for _ in range(40):
        first, second = generator.standard_normal((2, 80, 20))
        found.append(CrossGram(first @ second.T).moments(4, 2, generator))
        try:
            meme(np.array([first, second]), generator=generator)
        except InputError as error:
            refused += "not above 0" in str(error)
    assert np.abs(np.mean(found, axis=0) / (np.std(found, axis=0) / np.sqrt(40))).max() < 3.5
    assert refused >= 36


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"slopes": 3}, "slopes: 3"),
        ({"moments": 1}, "moments: 1"),
        ({"slopes": 2, "moments": 3}, "moments: 3"),
        ({"moments": 16}, "60 stimuli are too few for 16 moments"),
        ({"bootstraps": 1}, "bootstraps: 1"),
        ({"level": 1.0}, "level"),
    ],
)
def test_wrong_settings_are_refused(plant, wrong: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        meme(plant(60, 30), generator=np.random.default_rng(0), **wrong)


def test_one_repeat_is_refused(plant) -> None:
    with pytest.raises(InputError, match="fewer than two repeats"):
        meme(plant(60, 30)[:1], generator=np.random.default_rng(0))
    with pytest.raises(InputError, match="not above 0"):
        meme(np.ones((2, 60, 5)), generator=np.random.default_rng(0))
