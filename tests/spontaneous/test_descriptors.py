"""What each statistic is by definition, on recordings made so that it is known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous.descriptors import Descriptors

DESCRIBE = Descriptors(window=50, step=25, patterns=3)


def described(values: np.ndarray) -> dict[str, float]:
    return DESCRIBE(xr.DataArray(values, dims=("time", "unit"), name="recording"), np.random.default_rng(0))


@pytest.fixture
def white() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((4000, 6))


def test_white_gaussian_noise(white):
    found = described(white)
    assert abs(found["kurtosis"]) < 0.15
    assert found["multivariate_kurtosis"] == pytest.approx(1, abs=0.05)
    assert found["irreversibility"] < 0.1
    assert found["window_variance"] == pytest.approx(1 / 47, rel=0.15)  # Fisher's z of 50 independent frames
    assert abs(found["autocorrelation"]) < 0.02
    assert found["low_frequencies"] == pytest.approx(0.1, abs=0.02)
    assert found["participation_ratio"] == pytest.approx(6, abs=0.2)


def test_reversing_time_changes_what_speaks_of_dwelling_nothing_and_the_arrow_not_its_size(white):
    smooth = np.apply_along_axis(np.convolve, 0, white, np.ones(5), "valid")
    forwards, backwards = described(smooth), described(smooth[::-1])
    for name in ("kurtosis", "multivariate_kurtosis", "autocorrelation", "low_frequencies", "participation_ratio", "lagged_asymmetry"):
        assert forwards[name] == pytest.approx(backwards[name], rel=1e-6), name
    assert forwards["irreversibility"] == pytest.approx(backwards["irreversibility"], rel=1e-9)


def test_slow_rises_and_sudden_falls_are_irreversible(white):
    saw = np.arange(4000)[:, None] % 20 / 5.0 + 0.1 * white
    assert described(saw)["irreversibility"] > 3
    assert described(white)["irreversibility"] < 0.1


def test_activity_that_circles_is_asymmetric_and_white_noise_is_not(white):
    angle = np.arange(4000) * 2 * np.pi / 12
    circle = np.stack([np.cos(angle + phase) for phase in np.linspace(0, 2 * np.pi, 6, endpoint=False)], axis=1) + 0.3 * white
    found, none = described(circle), described(white)
    assert found["lagged_asymmetry"] == pytest.approx(np.tan(2 * np.pi / 12), rel=0.1)  # sines against cosines of a twelfth of a turn
    assert found["transition_asymmetry"] > 0.5
    assert none["transition_asymmetry"] < 0.1


def test_planted_states_are_separated_and_dwelt_in(white):
    maps = np.array([[4.0, 4, 0, 0, -4, -4], [0, -4, 4, -4, 4, 0], [-4, 0, -4, 4, 0, 4]])
    states = np.repeat(np.random.default_rng(2).integers(0, 3, 200), 20)
    found, none = described(maps[states] + white), described(white)
    assert found["pattern_separation"] > 0.7 > none["pattern_separation"]
    runs = 1 + np.count_nonzero(np.diff(states))
    assert found["pattern_dwell"] == pytest.approx(4000 / runs, rel=0.02)
    shares = np.bincount(states) / 4000
    assert found["pattern_inequality"] == pytest.approx(1 + (shares * np.log(shares)).sum() / np.log(3), abs=1e-3)


def test_correlations_that_come_and_go_vary_over_windows(white):
    common = np.random.default_rng(3).standard_normal((4000, 1))
    on = (np.arange(4000) // 200 % 2)[:, None]
    assert described(white + 2 * on * common)["window_variance"] > 5 * described(white)["window_variance"]


def test_a_recording_shorter_than_two_windows_is_refused(white):
    with pytest.raises(InputError, match="60 frames are shorter than two windows of 50"):
        described(white[:60])
