"""The steps of Stringer et al. (2019), against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from yuragi.datasets.preprocessing import remove_spontaneous_subspace, repeats_by_halves, subtract_mean_over_trials, zscore_by_spontaneous
from yuragi.errors import InputError


def test_the_spontaneous_activity_itself_becomes_standard() -> None:
    spontaneous = np.random.default_rng(0).normal(3.0, 5.0, (200, 4))
    found = zscore_by_spontaneous(spontaneous, spontaneous, floor=0.0)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose((found**2).mean(axis=0), 1)


def test_a_silent_unit_stays_finite() -> None:
    responses, spontaneous = np.full((3, 1), 2.0), np.full((5, 1), 1.0)
    np.testing.assert_allclose(zscore_by_spontaneous(responses, spontaneous, floor=0.5), 2.0)
    np.testing.assert_allclose(zscore_by_spontaneous(responses, spontaneous), 1e6)


@pytest.mark.parametrize(("frames", "units"), [(30, 12), (12, 30)], ids=["long", "wide"])
def test_removal_is_the_projection_that_svd_gives(frames: int, units: int) -> None:
    generator = np.random.default_rng(1)
    spontaneous = generator.normal(size=(frames, units)) * np.arange(1, units + 1)
    responses = generator.normal(size=(7, units))
    kept = responses.copy()
    leading = np.linalg.svd(spontaneous, full_matrices=False)[2][:5].T
    found = remove_spontaneous_subspace(responses, spontaneous, components=5)
    np.testing.assert_allclose(found, responses @ (np.eye(units) - leading @ leading.T), atol=1e-10)
    np.testing.assert_allclose(found @ leading, 0, atol=1e-10)
    np.testing.assert_allclose(remove_spontaneous_subspace(found, spontaneous, components=5), found, atol=1e-10)
    np.testing.assert_array_equal(responses, kept)


def test_a_planted_subspace_leaves_nothing() -> None:
    generator = np.random.default_rng(2)
    plane = np.linalg.qr(generator.normal(size=(40, 3)))[0].T
    spontaneous = (generator.normal(size=(25, 3)) * [9.0, 5.0, 3.0]) @ plane
    inside, outside = generator.normal(size=(4, 3)) @ plane, generator.normal(size=(4, 40))
    outside -= outside @ plane.T @ plane
    for components in (3, 20):  # more than there are takes nothing else away
        np.testing.assert_allclose(remove_spontaneous_subspace(inside + outside, spontaneous, components), outside, atol=1e-9)


def test_single_precision_stays_single_and_is_a_projection() -> None:
    generator = np.random.default_rng(3)
    spontaneous = generator.normal(size=(60, 200)).astype(np.float32)
    responses = generator.normal(size=(10, 200)).astype(np.float32)
    found = remove_spontaneous_subspace(responses, spontaneous)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, remove_spontaneous_subspace(responses.astype(float), spontaneous.astype(float)), atol=1e-4)
    np.testing.assert_allclose(remove_spontaneous_subspace(found, spontaneous), found, atol=1e-5)


def test_halves_by_hand() -> None:
    shown = np.array([5, 2, 5, 9, 5, 2, 5, 2, 9])
    trials = np.array([1.0, 10.0, 2.0, 100.0, 4.0, 20.0, 8.0, 40.0, 300.0])[:, None] * [1.0, -1.0]
    repeats, stimuli = repeats_by_halves(trials, shown)
    assert stimuli.tolist() == [2, 5, 9]
    # Image 2 was shown three times: the middle one belongs to neither half. Image 5: first two against last two, not every other one.
    np.testing.assert_allclose(repeats[0, :, 0], [10.0, 1.5, 100.0])
    np.testing.assert_allclose(repeats[1, :, 0], [40.0, 6.0, 300.0])
    np.testing.assert_allclose(repeats[..., 1], -repeats[..., 0])


def test_an_image_shown_once_is_left_out() -> None:
    repeats, stimuli = repeats_by_halves(np.arange(5, dtype=np.float32)[:, None], np.array([3, 1, 3, 7, 8]))
    assert (repeats.dtype, repeats.tolist(), stimuli.tolist()) == (np.float32, [[[0.0]], [[2.0]]], [3])


def test_means_go() -> None:
    values = np.random.default_rng(4).normal(2.0, 1.0, (50, 3))
    np.testing.assert_allclose(subtract_mean_over_trials(values).mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(np.diff(subtract_mean_over_trials(values), axis=0), np.diff(values, axis=0))


def test_what_does_not_fit_is_told() -> None:
    three, four = np.zeros((5, 3)), np.zeros((5, 4))
    for step in (zscore_by_spontaneous, remove_spontaneous_subspace):
        with pytest.raises(InputError, match=r"spontaneous: 4 units, the responses have 3; "):
            step(three, four)
    with pytest.raises(InputError, match="components = 4: only 3 dimensions exist in 5 x 3"):
        remove_spontaneous_subspace(three, three, components=4)
    with pytest.raises(InputError, match="holds no frames"):
        zscore_by_spontaneous(three, np.zeros((0, 3)))
    with pytest.raises(InputError, match="identities: 2 for 5 trials"):
        repeats_by_halves(three, np.array([1, 2]))
