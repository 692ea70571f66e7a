"""The interval of the variance ratio: equal to leaving stimuli out one by one, and as wide as samples of stimuli differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.spectra.variance import variance_ratio
from yuragi.spectra.variance_interval import variance_ratio_interval


def planted(seed: int, stimuli: int = 80, repeats: int = 3, units: int = 6) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((stimuli, units)) * [3, 2, 1, 1, 1, 1] + 1.5 * generator.standard_normal((repeats, stimuli, units))


def test_equals_leaving_out_by_hand():
    responses = planted(0)
    responses[2, 5, 1] = np.nan
    ratios = np.log([variance_ratio(np.delete(responses, stimulus, axis=1)) for stimulus in range(80)])
    half = 1.959963984540054 * math.sqrt(79 / 80 * ((ratios - ratios.mean()) ** 2).sum())
    low, high = variance_ratio_interval(responses)
    np.testing.assert_allclose(np.log([low, high]), math.log(variance_ratio(responses)) + np.array([-half, half]), rtol=1e-9)


def test_covers_the_planted_ratio():
    truth = 1.5**2 * 6 / (9 + 4 + 4)
    held = [low <= truth <= high for low, high in (variance_ratio_interval(planted(seed)) for seed in range(200))]
    assert 0.89 <= np.mean(held) <= 0.99


def test_groups_are_left_out_together():
    responses = planted(1)
    doubled = np.concatenate([responses, responses], axis=1)  # every stimulus twice: no new information
    alone = xr.DataArray(doubled, dims=("repeat", "stimulus", "unit"))
    together = alone.assign_coords(group=("stimulus", np.tile(np.arange(80), 2)))
    width, width_together = (np.diff(np.log(variance_ratio_interval(array)))[0] for array in (alone, together))
    assert width_together == pytest.approx(np.sqrt(2) * width, rel=0.05)


def test_refusals():
    with pytest.raises(InputError, match="2 groups of stimuli"):
        variance_ratio_interval(planted(0, stimuli=2))
    with pytest.raises(InputError, match="not above 0"):
        variance_ratio_interval(np.random.default_rng(0).standard_normal((2, 30, 4)))
    with pytest.raises(InputError, match="level"):
        variance_ratio_interval(planted(0), level=0.0)
