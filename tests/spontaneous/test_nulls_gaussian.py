"""The static and the spectral-covariance null models against the processes that they claim to be."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import xarray as xr

from yuragi.spontaneous import spectral_covariance_surrogate, static_surrogate
from yuragi.spontaneous.nulls._shared import covariance_factor
from yuragi.spontaneous.nulls.spectral_covariance import SpectralCovariance
from yuragi.spontaneous.nulls.static import Static
from yuragi.spontaneous.statistics import autocorrelation


def coloured(frames=500, units=5, seed=0):
    """Units with spectra of their own and a full covariance."""
    generator = np.random.default_rng(seed)
    noise = generator.standard_normal((frames + 200, units))
    slow = np.column_stack(
        [scipy.signal.lfilter([1], [1, -pole], series) for pole, series in zip(np.linspace(0.1, 0.9, units), noise.T, strict=True)]
    )
    mixing = np.eye(units) + 0.5 * generator.standard_normal((units, units))
    return xr.DataArray(slow[200:] @ mixing * np.array([0.1, 1, 2, 5, 20][:units]) + 7, dims=("time", "unit"))


def normalised_periodogram(values):
    """Averaged over units, each divided by its variance."""
    centred = values - values.mean(axis=0)
    return (np.abs(np.fft.rfft(centred, axis=0)) ** 2 / (centred**2).sum(axis=0)).mean(axis=1)


def draws(model, recording, count, seed=0):
    prepared, generator = model.prepare(recording), np.random.default_rng(seed)
    return [prepared.draw(generator).values for _ in range(count)]


@pytest.mark.parametrize("frames", [500, 501])
def test_the_average_spectrum_and_the_covariance_are_kept_without_bias(frames):
    recording = coloured(frames)
    surrogates = draws(SpectralCovariance(), recording, 400)
    expected = np.cov(recording.values.T)
    found = np.array([np.cov(values.T) for values in surrogates])
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - expected) < 4.5 * error).all()
    scale = recording.values.std(axis=0)
    whole = np.array([(np.abs(np.fft.rfft((values - values.mean(axis=0)) / scale, axis=0)) ** 2).mean(axis=1) for values in surrogates])
    target = normalised_periodogram(recording.values) * frames
    error = whole.std(axis=0) / np.sqrt(len(whole))
    assert (np.abs(whole.mean(axis=0) - target)[1:] < 6 * error[1:]).all()
    for values in surrogates[:5]:
        np.testing.assert_allclose(values.mean(axis=0), recording.values.mean(axis=0), rtol=0, atol=1e-10)


def test_every_unit_has_the_same_spectrum_and_the_time_course_is_gaussian():
    recording = coloured(2000)
    values = np.concatenate(draws(SpectralCovariance(), recording, 20))
    power = np.abs(np.fft.rfft((values - values.mean(axis=0)) / values.std(axis=0), axis=0)) ** 2
    by_band = np.stack([band.mean(axis=0) for band in np.array_split(power, 20)])
    np.testing.assert_allclose(by_band, np.broadcast_to(by_band.mean(axis=1, keepdims=True), by_band.shape), rtol=0.15)
    assert np.abs(scipy.stats.kurtosis(values, axis=0)).max() < 0.3


def test_a_single_frequency_is_kept_as_such():
    frames = 400
    phase = 2 * np.pi * 20 * np.arange(frames) / frames
    recording = xr.DataArray(np.column_stack([np.sin(phase), np.sin(phase + 1), np.sin(phase + 2)]), dims=("time", "unit"))
    power = np.abs(np.fft.rfft(spectral_covariance_surrogate(recording, np.random.default_rng(0)).values, axis=0)) ** 2
    assert power[20].sum() > 0.999999 * power.sum()


def test_static_frames_have_the_covariance_and_no_autocorrelation():
    recording = coloured()
    surrogates = draws(Static(), recording, 400)
    found = np.array([np.cov(values.T) for values in surrogates])
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - np.cov(recording.values.T)) < 4.5 * error).all()
    long = static_surrogate(xr.DataArray(np.tile(recording.values, (40, 1)), dims=("time", "unit")), np.random.default_rng(0))
    assert np.abs(autocorrelation(long, 10).values[1:]).max() < 4.5 / np.sqrt(long.sizes["time"])
    assert abs(float(autocorrelation(recording, 1)[1].max())) > 0.5


def test_a_factor_has_the_covariance_also_with_more_units_than_frames():
    for shape in ((50, 8), (8, 50)):
        values = np.random.default_rng(0).standard_normal(shape) + 3
        centred = values - values.mean(axis=0)
        factor = covariance_factor(centred)
        assert len(factor) == min(shape)
        np.testing.assert_allclose(factor.T @ factor, np.cov(values.T), atol=1e-12)


@pytest.mark.parametrize("model", [Static(), SpectralCovariance()], ids=lambda model: model.kind)
def test_more_units_than_frames(model):
    recording = coloured(40, 5).values
    wide = xr.DataArray(recording @ np.random.default_rng(1).standard_normal((5, 90)), dims=("time", "unit"))
    found = np.mean([np.cov(values.T) for values in draws(model, wide, 400)], axis=0)
    expected = np.cov(wide.values.T)
    assert np.linalg.norm(found - expected) < 0.15 * np.linalg.norm(expected)
    assert np.linalg.matrix_rank(found, tol=1e-8 * np.trace(found)) == 5, "a singular covariance stays so"
