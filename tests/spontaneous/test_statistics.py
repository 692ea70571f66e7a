"""Statistics against their formulas, and the comparison of a recording with its surrogates."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous.statistics import (
    autocorrelation,
    compare,
    lag_one_autocorrelation,
    lagged_correlation,
    power_spectral_density,
    spatial_spectrum,
)
from yuragi.spontaneous.var import fit_var


def test_autocorrelation_equals_statsmodels(plant):
    from statsmodels.tsa.stattools import acf

    recording, _, _ = plant()
    table = autocorrelation(recording, 5)
    for unit in range(6):
        np.testing.assert_allclose(table.values[:, unit], acf(recording.values[:, unit], nlags=5, fft=False), atol=1e-12)
    np.testing.assert_array_equal(lag_one_autocorrelation(recording).values, table.values[1])


def test_lagged_correlation_points_from_the_past_to_the_present():
    noise = np.random.default_rng(0).standard_normal((2001, 1))
    follower = xr.DataArray(np.hstack([noise[1:], noise[:-1]]), dims=("time", "unit"), coords={"unit": ["leads", "follows"]})
    table = lagged_correlation(follower)
    assert float(table.sel(unit="follows", other_unit="leads")) > 0.95
    assert abs(float(table.sel(unit="leads", other_unit="follows"))) < 0.1
    np.testing.assert_allclose(np.diag(lagged_correlation(follower, 0)), 1)


@pytest.mark.parametrize("frames", [600, 5])
def test_spatial_spectrum_equals_the_eigenvalues_of_the_covariance(plant, frames):
    recording = plant()[0][:frames]
    expected = np.linalg.eigvalsh(np.cov(recording.values.T))[::-1][: min(6, frames - 1)]
    spectrum = spatial_spectrum(recording)
    np.testing.assert_allclose(spectrum.values, expected, rtol=1e-9)
    assert spectrum["rank"].values.tolist() == list(range(1, len(expected) + 1))


def test_power_integrates_to_the_variance_and_knows_the_sampling_interval(plant):
    recording, _, _ = plant(frames=4096)
    power = power_spectral_density(recording)
    step = 1 / (256 * 0.5)
    np.testing.assert_allclose(power["frequency"], step * np.arange(1, 128))
    total = power.integrate("frequency").values
    np.testing.assert_allclose(total, recording.var("time").values, rtol=0.15)
    expected = scipy.signal.welch(recording.values, fs=2.0, nperseg=256, axis=0)[1]
    np.testing.assert_array_equal(power.values, expected[1:-1])
    np.testing.assert_allclose(power_spectral_density(recording.drop_attrs())["frequency"], np.arange(1, 128) / 256)


@pytest.mark.parametrize("segment", [64, 63])
def test_the_power_of_white_noise_is_flat_to_both_edges(segment):
    noise = xr.DataArray(np.random.default_rng(0).standard_normal((2**15, 8)), dims=("time", "unit"))
    power = power_spectral_density(noise, segment).mean("unit")
    assert float(power["frequency"].min()) == pytest.approx(1 / segment)
    assert 0.5 - 1 / segment <= float(power["frequency"].max()) < 0.5
    np.testing.assert_allclose(power[1:], 2, rtol=0.05)
    assert float(power[0]) == pytest.approx(2, rel=0.3), "removing the mean reaches into the first bin through the window"
    table = compare(noise[:2000], fit_var(noise[:2000], order=1), np.random.default_rng(0), simulations=2)
    positions = table.query("statistic == 'power_spectral_density'")["position"]
    assert positions.between(0, 0.5, inclusive="neither").all()
    with pytest.raises(InputError, match="segment=2, 32768 frames: no frequency lies between"):
        power_spectral_density(noise, 2)


@pytest.mark.parametrize("components", [None, 3])
def test_a_recording_of_the_model_lies_inside_its_surrogates(plant, components):
    recording, _, _ = plant(frames=3000)
    fit = fit_var(recording, components=components)
    table = compare(recording, fit, np.random.default_rng(0), simulations=20)
    assert list(table.columns) == ["statistic", "axis", "position", "measured", "simulated", "low", "high"]
    assert set(table["statistic"]) == {
        "lag_one_autocorrelation",
        "autocorrelation",
        "lag_one_correlation",
        "spatial_spectrum",
        "power_spectral_density",
    }
    assert table.notna().all(axis=None)
    assert (table["low"] <= table["simulated"]).all()
    assert (table["simulated"] <= table["high"]).all()
    inside = table["measured"].between(table["low"], table["high"])
    assert inside.groupby(table["statistic"]).mean().min() > 0.7
    measured = table.query("statistic == 'spatial_spectrum'")["measured"]
    np.testing.assert_allclose(measured, spatial_spectrum(recording).values[: len(measured)], rtol=1e-9)
    assert set(table["axis"]) == {"unit" if components is None else "component", "lag", "rank", "frequency"}


def test_a_recording_without_time_course_lies_outside():
    noise = np.random.default_rng(0).standard_normal((2000, 6)) * np.arange(1, 7)
    recording = xr.DataArray(scipy.signal.lfilter([1], [1, -0.8], noise, axis=0), dims=("time", "unit"))
    fit = fit_var(recording)
    shuffled = recording.copy(data=np.random.default_rng(0).permutation(recording.values))
    table = compare(shuffled, fit, np.random.default_rng(0), simulations=5)
    first = table.query("statistic == 'autocorrelation'").iloc[0]
    assert first["measured"] < first["low"]
    spectrum = table.query("statistic == 'spatial_spectrum'")
    assert spectrum["measured"].between(0.7 * spectrum["low"], 1.3 * spectrum["high"]).all(), "shuffled time keeps the covariance"


def test_comparison_follows_its_generator(plant):
    recording, _, _ = plant(frames=200)
    fit = fit_var(recording)
    first, same = (compare(recording, fit, np.random.default_rng(4), simulations=3) for _ in range(2))
    assert first.equals(same)


def test_bad_lags_and_too_few_simulations_are_told(plant):
    recording, _, _ = plant(frames=100)
    with pytest.raises(InputError, match="lag=100: a recording of 100 frames has lags 0 to 99"):
        lagged_correlation(recording, 100)
    with pytest.raises(InputError, match="simulations=1: give at least 2"):
        compare(recording, fit_var(recording), np.random.default_rng(0), simulations=1)
