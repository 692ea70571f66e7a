"""Similarities of responses against their formula, and how noise and its weighting change them."""

from __future__ import annotations

import numpy as np
import pytest

from yuragi.errors import InputError
from yuragi.spectra.similarity import representational_similarity, similarity_reliability


def cosines(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(axis=0)
    return np.array([[x @ y / np.sqrt((x @ x) * (y @ y)) for y in centred] for x in centred])


def pairs(matrix: np.ndarray) -> np.ndarray:
    return matrix[np.triu_indices(len(matrix), k=1)]


def recorded(signal: np.ndarray, noise: np.ndarray, repeats: int, seed: int = 0) -> np.ndarray:
    return signal + noise * np.random.default_rng(seed).standard_normal((repeats, *signal.shape))


SIGNAL = np.random.default_rng(3).standard_normal((60, 40))
# Half of the units are much noisier than they are tuned.
NOISE = np.where(np.arange(40) < 20, 0.5, 6.0)


def test_it_is_the_cosine_of_centred_averages() -> None:
    x = recorded(SIGNAL, NOISE, 3)
    found = representational_similarity(x, weighting="none")
    np.testing.assert_allclose(found, cosines(x.mean(axis=0)), atol=1e-12)
    np.testing.assert_array_equal(found, found.T)
    assert (np.diagonal(found) == 1).all()
    centred = x.mean(axis=0) - x.mean(axis=0).mean(axis=0)
    centred -= centred.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(representational_similarity(centred[None], weighting="none"), np.corrcoef(centred), atol=1e-12)


def test_reliability_divides_each_unit_by_its_noise() -> None:
    x = recorded(SIGNAL, NOISE, 4)
    eta = np.sqrt(x.var(axis=0, ddof=1).mean(axis=0))
    np.testing.assert_allclose(representational_similarity(x), cosines(x.mean(axis=0) / eta), atol=1e-12)
    x[3, :30] = np.nan
    eta = np.sqrt(np.nanvar(x, axis=0, ddof=1).mean(axis=0))
    np.testing.assert_allclose(representational_similarity(x), cosines(np.nanmean(x, axis=0) / eta), atol=1e-12)


def test_weighting_brings_noisy_responses_nearer_to_the_truth() -> None:
    x, truth = recorded(SIGNAL, NOISE, 4), pairs(cosines(SIGNAL))
    weighted, plain = (np.corrcoef(pairs(representational_similarity(x, weighting=how)), truth)[0, 1] for how in ("reliability", "none"))
    assert weighted > 0.6
    assert weighted > plain + 0.2


@pytest.mark.parametrize("weighting", ["none", "reliability"])
def test_reliability_predicts_a_second_recording(weighting: str) -> None:
    first, second = (recorded(SIGNAL, np.ones(40), 8, seed) for seed in (1, 2))
    told = similarity_reliability(first, np.random.default_rng(0), weighting=weighting)
    again = np.corrcoef(*(pairs(representational_similarity(x, weighting=weighting)) for x in (first, second)))[0, 1]
    assert told == pytest.approx(again, abs=0.02)
    noise = np.random.default_rng(5).standard_normal((8, 60, 40))
    assert abs(similarity_reliability(noise, np.random.default_rng(0), weighting=weighting)) < 0.1


def test_halves_of_the_units_need_one_repeat_only() -> None:
    generator = np.random.default_rng(0)
    shared = generator.standard_normal((60, 3)) @ generator.standard_normal((3, 40))
    assert similarity_reliability(shared[None], np.random.default_rng(0), over="units", weighting="none") > 0.9
    assert abs(similarity_reliability(SIGNAL[None], np.random.default_rng(0), over="units", weighting="none")) < 0.15


def test_a_unit_without_noise_does_not_swallow_the_others() -> None:
    x = recorded(SIGNAL, np.where(np.arange(40) == 0, 0.0, 1.0), 3)
    found = representational_similarity(x)
    assert np.isfinite(found).all()
    assert np.corrcoef(pairs(found), pairs(cosines(SIGNAL)))[0, 1] > 0.7
    silent = representational_similarity(np.repeat(SIGNAL[None], 2, axis=0))
    np.testing.assert_allclose(silent, cosines(SIGNAL), atol=1e-12, err_msg="all of them without noise")


@pytest.mark.parametrize(
    ("responses", "options", "message"),
    [
        (SIGNAL[None], {}, "have fewer than two repeats in some unit"),
        (np.full((1, 4, 3), np.nan), {"weighting": "none"}, "4 of 4 stimuli have no repeat in some unit"),
        (np.ones((1, 4, 3)), {"weighting": "none"}, "those to 4 of 4 stimuli equal the mean over stimuli"),
        (SIGNAL, {}, r"shape is \(60, 40\)"),
    ],
)
def test_what_cannot_be_computed_is_told(responses: np.ndarray, options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        representational_similarity(responses, **options)
    assert "\n" not in str(caught.value)


def test_halves_that_cannot_be_made_are_told() -> None:
    with pytest.raises(InputError, match="splits = 0"):
        similarity_reliability(recorded(SIGNAL, NOISE, 2), np.random.default_rng(0), splits=0)
    with pytest.raises(InputError, match="1 unit cannot be split into halves"):
        similarity_reliability(SIGNAL[None, :, :1], np.random.default_rng(0), over="units", weighting="none")
