from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from yuragi.errors import InputError
from yuragi.spectra.repeats import Repeats, split_repeats


def halves_of(available: np.ndarray, seed: int) -> np.ndarray:
    """Which half (+1, -1, or 0 for neither) each repeat went to: read from responses that are 1 in that repeat and 0 elsewhere."""
    sides = np.zeros(available.shape, dtype=int)
    for repeat in range(len(available)):
        probe = np.where(available, 0.0, np.nan)
        probe[repeat][available[repeat]] = 1.0
        first, second = split_repeats(probe, np.random.default_rng(seed))
        sides[repeat] = np.sign(first) - np.sign(second)
    return sides


def test_two_repeats_are_swapped_by_stimulus_with_probability_one_half() -> None:
    responses = np.random.default_rng(0).standard_normal((2, 2000, 3))
    first, second = split_repeats(responses, np.random.default_rng(1))
    np.testing.assert_allclose(first + second, responses.sum(axis=0))
    kept = first == responses[0]
    np.testing.assert_array_equal(kept, np.repeat(kept[:, :1], 3, axis=1))
    np.testing.assert_array_equal(~kept, first == responses[1])
    assert 0.45 < kept.mean() < 0.55


@pytest.mark.parametrize("repeats", [3, 4, 7])
def test_complete_repeats_are_dealt_evenly_and_shared_by_units(repeats: int) -> None:
    sides = halves_of(np.ones((repeats, 200, 2), dtype=bool), 0)
    np.testing.assert_array_equal(np.abs(sides), 1)
    np.testing.assert_array_equal(sides[..., 0], sides[..., 1])
    assert np.abs(sides.sum(axis=0)).max() == repeats % 2
    if repeats % 2:  # either half may be the larger one
        assert 0.35 < (sides[..., 0].sum(axis=0) > 0).mean() < 0.65


@settings(max_examples=30, deadline=None)
@given(available=arrays(bool, (6, 5, 4), elements=st.booleans()), seed=st.integers(0, 1000))
def test_every_available_repeat_is_used_once_and_no_half_is_empty(available: np.ndarray, seed: int) -> None:
    available = available.copy()
    available[:2] |= available.sum(axis=0) < 2
    sides = halves_of(available, seed)
    np.testing.assert_array_equal(sides != 0, available)
    assert ((sides == 1).any(axis=0) & (sides == -1).any(axis=0)).all()


@settings(max_examples=30, deadline=None)
@given(available=arrays(bool, (6, 5, 4), elements=st.booleans()), seed=st.integers(0, 1000))
def test_units_share_the_assignment_where_their_own_repeats_allow(available: np.ndarray, seed: int) -> None:
    available = available.copy()
    available[:2] |= available.sum(axis=0) < 2
    available[..., 0] = available.any(axis=2)  # unit 0 has whatever any unit has, so it shows the shared assignment
    sides = halves_of(available, seed)
    shared = np.where(available, sides[..., :1], 0)
    allowed = (shared == 1).any(axis=0) & (shared == -1).any(axis=0)
    np.testing.assert_array_equal(sides[:, allowed], shared[:, allowed])


def test_means_with_missing_repeats_equal_a_loop() -> None:
    generator = np.random.default_rng(2)
    responses = generator.standard_normal((5, 12, 6))
    responses[generator.random(responses.shape) < 0.3] = np.nan
    responses[:2] = generator.standard_normal((2, 12, 6))
    sides = halves_of(~np.isnan(responses), 9)
    first, second = split_repeats(responses, np.random.default_rng(9))
    for half, sign in ((first, 1), (second, -1)):
        expected = [[np.mean([responses[r, s, u] for r in range(5) if sides[r, s, u] == sign]) for u in range(6)] for s in range(12)]
        np.testing.assert_allclose(half, expected)


def test_padding_with_repeats_that_nobody_has_leaves_halves_balanced() -> None:
    available = np.zeros((20, 50, 2), dtype=bool)
    available[3:7] = True
    np.testing.assert_array_equal(halves_of(available, 4).sum(axis=0), 0)


def test_precision_is_kept_and_whole_numbers_become_double() -> None:
    counts = np.arange(24).reshape(2, 4, 3)
    assert Repeats.of(counts).values.dtype == np.float64
    assert split_repeats(counts.astype(np.float32), np.random.default_rng(0))[0].dtype == np.float32
    with_gap = counts[[0, 1, 1]].astype(np.float32)
    with_gap[0, 0, 0] = np.nan
    assert split_repeats(with_gap, np.random.default_rng(0))[0].dtype == np.float32


def test_wrong_responses_are_refused_with_the_remedy() -> None:
    generator = np.random.default_rng(0)
    responses = generator.standard_normal((3, 6, 4))
    lacking = responses.copy()
    lacking[1:, 2, 3] = np.nan
    with pytest.raises(InputError, match=r"1 of 6 stimuli.*position 2, unit 3: 1.*drop those stimuli or units"):
        split_repeats(lacking, generator)
    with pytest.raises(InputError, match=r"dimensions are \('a', 'stimulus', 'unit'\).*rename"):
        split_repeats(xr.DataArray(responses, dims=("a", "stimulus", "unit")), generator)
    for wrong in (responses[0], responses[:, :1], responses[..., :0]):
        with pytest.raises(InputError, match="shape"):
            split_repeats(wrong, generator)
    with pytest.raises(InputError, match="infinite"):
        split_repeats(np.where(responses > 1, np.inf, responses), generator)
    with pytest.raises(InputError, match="complex128"):
        split_repeats(responses.astype(complex), generator)
