"""Uncertainty goes with the target, into the file and out of it."""

from __future__ import annotations

import numpy as np
import pytest

from yuragi.errors import InputError
from yuragi.spontaneous.uncertainty import ModelIntervals
from yuragi.targets import BrainTarget

from .conftest import stable_autoregression


@pytest.fixture
def intervals():
    return ModelIntervals(np.column_stack([np.linspace(0.4, 0.01, 8), np.linspace(0.6, 0.02, 8)]), (0.85, 0.93))


def test_intervals_survive_the_file(spectra, intervals, tmp_path):
    target = BrainTarget.from_fits(spectra, stable_autoregression(), 0.4, spontaneous_intervals=intervals, variance_ratio_interval=(0.3, 0.5))
    target.write(tmp_path / "target.nc")
    again = BrainTarget.read(tmp_path / "target.nc")
    assert again.variance_ratio_interval == (0.3, 0.5)
    assert again.spontaneous.spectral_radius_interval == (0.85, 0.93)
    np.testing.assert_array_equal(again.spontaneous.eigenvalue_intervals, intervals.eigenvalues)
    assert "0.4 (0.3 to 0.5)" in again.show()
    assert "(0.850 to 0.930)" in again.show()


def test_without_intervals_nothing_is_claimed(spectra, tmp_path):
    target = BrainTarget.from_fits(spectra, stable_autoregression(), 0.4)
    target.write(tmp_path / "target.nc")
    again = BrainTarget.read(tmp_path / "target.nc")
    assert again.variance_ratio_interval is None
    assert again.spontaneous.spectral_radius_interval is None
    assert again.spontaneous.eigenvalue_intervals is None


def test_a_truncated_model_claims_no_interval(spectra, intervals):
    model = BrainTarget.from_fits(spectra, stable_autoregression(), spontaneous_intervals=intervals).spontaneous
    assert model.truncated(3).eigenvalue_intervals is None


def test_one_end_is_no_interval(spectra, intervals):
    data = BrainTarget.from_fits(spectra, stable_autoregression(), 0.4, variance_ratio_interval=(0.3, 0.5)).to_dataset()
    with pytest.raises(InputError, match="variance_ratio_low and variance_ratio_high go together"):
        BrainTarget.from_dataset(data.drop_vars("variance_ratio_low"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"variance_ratio_interval": (0.5, 0.3)}, "variance_ratio_interval"),
        ({"spontaneous_intervals": ModelIntervals(np.zeros((3, 2)), (0.8, 0.9))}, "eigenvalue_intervals has shape"),
        ({"spontaneous_intervals": ModelIntervals(np.zeros((8, 2)), (0.9, 0.8))}, "spectral_radius_interval"),
    ],
)
def test_intervals_that_are_none(spectra, wrong, told):
    with pytest.raises(InputError, match=told):
        BrainTarget.from_fits(spectra, stable_autoregression(), 0.4, **wrong)
