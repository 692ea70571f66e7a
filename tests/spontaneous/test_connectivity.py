"""Sliding windows against one correlation matrix after the other."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous import sliding_window_correlation, sliding_window_variance


def brute_force(values, window, step, weights=None):
    starts = range(0, len(values) - window + 1, step)
    return np.array([np.corrcoef(values[s : s + window].T) if weights is None else weighted(values[s : s + window], weights) for s in starts])


def weighted(part, weights):
    covariance = np.cov(part.T, aweights=weights, bias=True)
    size = np.sqrt(np.diag(covariance))
    return covariance / np.outer(size, size)


@pytest.mark.parametrize(("window", "step"), [(20, 7), (100, 1), (3, 3), (40, 200)])
def test_windows_equal_their_own_correlations(plant, window, step):
    recording = plant(units=5, frames=120)[0]
    found = sliding_window_correlation(recording, window, step)
    expected = brute_force(recording.values, window, step)
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    starts = np.arange(0, 120 - window + 1, step)
    np.testing.assert_allclose(found["time"], 0.5 * (starts + (window - 1) / 2))
    assert found["unit"].values.tolist() == found["other_unit"].values.tolist() == [f"u{i}" for i in range(5)]


@pytest.mark.parametrize("taper", ["hamming", ("tukey", 0.5), ("gaussian", 6.0)])
def test_a_taper_weighs_the_frames(plant, taper):
    recording = plant(units=4, frames=100)[0]
    weights = scipy.signal.get_window(taper, 30, fftbins=False)
    expected = brute_force(recording.values, 30, 10, weights)
    np.testing.assert_allclose(sliding_window_correlation(recording, 30, 10, taper=taper).values, expected, atol=1e-12)
    np.testing.assert_allclose(sliding_window_variance(recording, 30, 10, taper=taper).values, expected.var(axis=0), atol=1e-12)


def test_variance_equals_brute_force_and_its_fisher_form(plant):
    recording = plant(units=5, frames=150)[0]
    tables = brute_force(recording.values, 25, 5)
    np.testing.assert_allclose(sliding_window_variance(recording, 25, 5).values, tables.var(axis=0), atol=1e-12)
    tables[:, np.arange(5), np.arange(5)] = 0
    np.testing.assert_allclose(sliding_window_variance(recording, 25, 5, fisher=True).values, np.arctanh(tables).var(axis=0), atol=1e-11)


def test_scale_offset_and_seconds_do_not_matter(plant):
    recording = plant(units=3, frames=200)[0]
    expected = sliding_window_variance(recording, 40, 10).values
    np.testing.assert_allclose(sliding_window_variance(recording * 1e-9 + 1e-3, 40, 10).values, expected, rtol=1e-5)
    in_seconds = sliding_window_variance(recording, 20.0, 5.0, measured_in="seconds")
    np.testing.assert_array_equal(in_seconds.values, expected)
    assert in_seconds.attrs == {"windows": 17, "window_frames": 40, "step_frames": 10}


def test_connectivity_that_switches_varies_more_than_connectivity_that_stays():
    generator = np.random.default_rng(0)
    common, own = generator.standard_normal((2000, 1)), generator.standard_normal((2000, 2))
    sign = np.where(np.arange(2000) // 100 % 2, 1, -1)[:, None]
    steady = xr.DataArray(common + own, dims=("time", "unit"))
    switching = xr.DataArray(common * np.hstack([np.ones((2000, 1)), sign]) + own, dims=("time", "unit"))
    variances = [float(sliding_window_variance(recording, 50, 25)[0, 1]) for recording in (steady, switching)]
    assert variances[1] > 5 * variances[0]


def test_a_pair_that_moves_as_one_is_finite():
    values = np.random.default_rng(0).standard_normal((60, 1)) * np.array([1.0, 2.0])
    variance = sliding_window_variance(xr.DataArray(values, dims=("time", "unit")), 20, 5, fisher=True)
    assert np.isfinite(variance).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 101}, "recording: 100 frames are shorter than one window of 101 frames; shorten"),
        ({"window": 60.0, "measured_in": "seconds"}, "recording: 100 frames are shorter than one window of 120 frames"),
        ({"window": 2}, "window=2 frames: 2 frames are too few"),
        ({"window": 10, "step": 0}, "step=0 frames: windows must move on"),
        ({"window": 10.5}, "window=10.5 frames: give a whole number, or measured_in='seconds'"),
        ({"window": 10, "measured_in": "minutes"}, "measured_in='minutes': choose 'frames' or 'seconds'"),
        ({"window": 10, "taper": "no such"}, "taper='no such': .*; see scipy.signal.get_window"),
        ({"window": 30, "taper": "flattop"}, "taper='flattop': weights are negative"),
        ({"window": 100}, "100 frames hold one window, and a variance needs two"),
    ],
)
def test_windows_that_do_not_fit_are_refused(plant, arguments, message):
    with pytest.raises(InputError, match=message):
        sliding_window_variance(plant(units=3, frames=100)[0], **arguments)


def test_unknown_intervals_and_silent_stretches_are_told(plant):
    recording = plant(units=3, frames=100)[0]
    with pytest.raises(InputError, match="measured_in='seconds': the recording does not tell its sampling_interval"):
        sliding_window_correlation(recording.drop_attrs(), 20.0, measured_in="seconds")
    silent = recording.copy(deep=True)
    silent[40:60, 1] = 5.1
    with pytest.raises(InputError, match=r"1 units do not change in the window of frames 40 to 49 \(u1\); give longer windows"):
        sliding_window_correlation(silent, 10, 10)
