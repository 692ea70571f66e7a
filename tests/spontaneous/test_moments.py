"""Kurtosis against scipy, closed forms and invariances."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous import kurtosis, multivariate_kurtosis


def recording(values):
    return xr.DataArray(values, dims=("time", "unit"))


def test_kurtosis_equals_scipy_and_knows_the_labels(plant):
    planted = plant(units=5, frames=50)[0]
    found = kurtosis(planted)
    np.testing.assert_allclose(found.values, scipy.stats.kurtosis(planted.values, axis=0, bias=False), rtol=1e-10)
    np.testing.assert_array_equal(found["unit"], planted["unit"])


def test_kurtosis_is_unbiased_for_gaussian_frames():
    draws = kurtosis(recording(np.random.default_rng(0).standard_normal((20, 20000)))).values
    assert abs(draws.mean()) < 5 * draws.std() / np.sqrt(draws.size)
    heavy = kurtosis(recording(np.random.default_rng(0).laplace(size=(50000, 3)))).values
    np.testing.assert_allclose(heavy, 3, atol=0.5)


def test_mardia_equals_its_definition(plant):
    planted = plant(units=4, frames=60)[0]
    centred = planted.values - planted.values.mean(axis=0)
    inverse = np.linalg.inv(centred.T @ centred / 60)
    expected = np.mean([(frame @ inverse @ frame) ** 2 for frame in centred])
    assert multivariate_kurtosis(planted) == pytest.approx(expected, rel=1e-10)


def test_mardia_of_gaussian_frames_has_its_expectation():
    generator, frames, units = np.random.default_rng(0), 40, 5
    draws = [multivariate_kurtosis(recording(generator.standard_normal((frames, units)))) for _ in range(500)]
    expected = units * (units + 2) * (frames - 1) / (frames + 1)
    assert abs(np.mean(draws) - expected) < 4 * np.std(draws) / np.sqrt(500)


def test_mardia_does_not_change_under_affine_maps_and_grows_with_common_heavy_tails(plant):
    planted = plant(units=4, frames=300)[0]
    generator = np.random.default_rng(0)
    mixed = recording(planted.values @ generator.standard_normal((4, 4)) * 1e3 - 7)
    assert multivariate_kurtosis(mixed) == pytest.approx(multivariate_kurtosis(planted), rel=1e-8)
    frames = generator.standard_normal((4000, 4))
    volatile = frames * np.exp(0.5 * generator.standard_normal((4000, 1)))
    assert multivariate_kurtosis(recording(volatile)) > 1.5 * multivariate_kurtosis(recording(frames))


def test_mardia_on_components(plant):
    planted = plant(units=6, frames=200)[0]
    centred = planted.values - planted.values.mean(axis=0)
    scores = centred @ np.linalg.svd(centred, full_matrices=False)[2][:3].T
    assert multivariate_kurtosis(planted, components=3) == pytest.approx(multivariate_kurtosis(recording(scores)), rel=1e-8)
    assert multivariate_kurtosis(planted, components=6) == pytest.approx(multivariate_kurtosis(planted), rel=1e-8)


def test_bad_input_is_told(plant):
    planted = plant(units=4, frames=30)[0]
    with pytest.raises(InputError, match="recording: 3 frames are too few for a kurtosis"):
        kurtosis(planted[:3])
    with pytest.raises(InputError, match="recording: 5 frames are too few for the covariance of 4 variables; at least 6"):
        multivariate_kurtosis(planted[:5])
    sums = np.column_stack([planted.values, planted.values.sum(axis=1)])
    with pytest.raises(InputError, match="recording: singular covariance: unit 4 is a linear combination of the others; drop it"):
        multivariate_kurtosis(recording(sums))
    with pytest.raises(InputError, match="components=9"):
        multivariate_kurtosis(planted, components=9)
