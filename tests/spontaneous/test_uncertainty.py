"""Intervals of a fitted autoregression hold the truth of the process as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.datasets.simulation import vector_autoregression
from yuragi.errors import InputError
from yuragi.spontaneous import uncertainty
from yuragi.spontaneous.structures import estimate
from yuragi.spontaneous.uncertainty import model_intervals
from yuragi.spontaneous.var import fit_var


def simulated(seed: int, frames: int = 400, units: int = 5, radius: float = 0.8):
    truth = vector_autoregression(units=units, frames=frames, order=1, spectral_radius=radius, alpha=1.0, generator=np.random.default_rng(seed))
    return xr.DataArray(truth.recording, dims=("time", "unit"), name="recording"), truth


@pytest.mark.slow
def test_intervals_hold_the_planted_process():
    held_radius, held_shares, simulations = 0, [], 60
    for seed in range(simulations):
        recording, truth = simulated(seed)
        found = model_intervals(fit_var(recording, order=1), bootstraps=60, generator=np.random.default_rng(seed))
        low, high = found.spectral_radius
        held_radius += low <= 0.8 <= high
        shares = truth.eigenvalues / truth.eigenvalues.sum()
        held_shares.append((found.eigenvalues[:, 0] <= shares) & (shares <= found.eigenvalues[:, 1]))
    # 95 % nominal; below 85 % has a chance under 0.1 % with 60 simulations.
    assert held_radius >= 0.85 * simulations
    assert (np.mean(held_shares, axis=0) >= 0.85).all(), np.mean(held_shares, axis=0)


def test_intervals_narrow_with_frames():
    widths = []
    for frames in (300, 4800):
        recording, _ = simulated(0, frames)
        low, high = model_intervals(fit_var(recording, order=1), bootstraps=40, generator=np.random.default_rng(0)).spectral_radius
        widths.append(high - low)
    assert widths[1] < widths[0] / 2  # a fourth, as one over the square root


def test_the_radius_stays_below_one_and_above_zero():
    recording, _ = simulated(3, frames=120, radius=0.97)
    fit = fit_var(recording, order=1)
    low, high = model_intervals(fit, bootstraps=40, generator=np.random.default_rng(0)).spectral_radius
    assert 0 <= low < high <= 1


@pytest.mark.parametrize("structure", ["diagonal", "sparse"])
def test_simulations_are_fitted_with_the_structure_of_the_fit(structure):
    """All coefficients fitted to so few frames would have a radius far above that of the process, and the interval would lie far below it."""
    generator = np.random.default_rng(4)
    values = generator.standard_normal((150, 12))
    for t in range(1, 150):
        values[t] += 0.5 * values[t - 1]
    fit = fit_var(xr.DataArray(values, dims=("time", "unit"), name="recording"), order=1, structure=structure)
    low, high = model_intervals(fit, bootstraps=40, generator=generator).spectral_radius
    assert 0.25 < low < high < 0.75


def test_a_fit_of_which_no_simulation_is_stationary_is_refused(monkeypatch):
    recording, _ = simulated(0)
    fit = fit_var(recording, order=1)
    monkeypatch.setattr(uncertainty, "estimate", lambda *_: estimate([recording.values.cumsum(axis=0) ** 3], 1, "full", ["a"] * 5))
    with pytest.raises(InputError, match="none of 20 simulations is fitted as stationary"):
        model_intervals(fit, bootstraps=20, generator=np.random.default_rng(5))


@pytest.mark.parametrize("wrong", [{"bootstraps": 5}, {"level": 1.0}])
def test_bad_settings(wrong):
    recording, _ = simulated(0)
    with pytest.raises(InputError, match=next(iter(wrong))):
        model_intervals(fit_var(recording, order=1), generator=np.random.default_rng(0), **wrong)
