"""What a fitted process says of itself: stationary covariance, surrogates and files."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr

from yuragi.autoregression import companion, spectral_radius, state_covariance
from yuragi.errors import InputError
from yuragi.files import read_netcdf, sha256_of, write_netcdf
from yuragi.spontaneous.var import fit_var
from yuragi.spontaneous.var_model import VARFit


@pytest.mark.parametrize("order", [1, 3])
def test_lyapunov_equals_the_sum_over_past_innovations(plant, order):
    _, a, noise = plant(radius=0.9, order=order)
    transition, units = companion(a), len(noise)
    total, power = np.zeros_like(transition), np.eye(len(transition))
    for _ in range(600):
        total += power[:, :units] @ noise @ power[:, :units].T
        power = transition @ power
    np.testing.assert_allclose(state_covariance(a, noise), total, atol=1e-10)
    assert spectral_radius(a) == pytest.approx(0.9)


def test_autocovariances_solve_the_yule_walker_equations(plant):
    fit = fit_var(plant(order=3)[0], order=3)
    a, q = fit.coefficients.values, fit.noise_covariance.values
    for lag in range(7):
        expected = sum(a[j] @ fit.autocovariance(lag - 1 - j).values for j in range(3)) + (q if lag == 0 else 0)
        np.testing.assert_allclose(fit.autocovariance(lag).values, expected, atol=1e-10)
    np.testing.assert_array_equal(fit.autocovariance(-2).values, fit.autocovariance(2).values.T)


@pytest.mark.parametrize("order", [1, 2])
def test_surrogates_have_the_stationary_distribution_from_the_first_frame(plant, order):
    fit = fit_var(plant(units=4, radius=0.95, order=order)[0], order=order)
    generator = np.random.default_rng(0)
    runs = np.stack([fit.simulate(3, generator).values for _ in range(3000)])
    centred = runs - fit.stationary_mean.values
    scale = np.sqrt(np.diag(fit.stationary_covariance.values))
    for first, second, lag in ((0, 0, 0), (2, 2, 0), (1, 0, 1), (2, 0, 2)):
        measured = np.einsum("ri,rj->ij", centred[:, first], centred[:, second]) / len(runs)
        error = (measured - fit.autocovariance(lag).values) / np.outer(scale, scale)
        assert np.abs(error).max() < 0.11, (first, second)
    other = dataclasses.replace(fit, coefficients=0.7 * fit.coefficients)
    wrong = (np.cov(centred[:, 2].T) - other.stationary_covariance.values) / np.outer(scale, scale)
    assert np.abs(wrong).max() > 0.15, "coefficients of another process must not pass"


def test_a_long_surrogate_is_fitted_back(plant):
    fit = fit_var(plant(units=5)[0])
    again = fit_var(fit.simulate(20000, np.random.default_rng(0)))
    np.testing.assert_allclose(again.coefficients.values, fit.coefficients.values, atol=0.04)
    assert again.spectral_radius == pytest.approx(fit.spectral_radius, abs=0.02)
    np.testing.assert_allclose(again.mean.values, fit.stationary_mean.values, atol=0.2)


def test_surrogates_follow_their_generator_and_carry_their_truth(plant):
    fit = fit_var(plant()[0])
    first, same, other = (fit.simulate(30, np.random.default_rng(seed)) for seed in (1, 1, 2))
    xr.testing.assert_identical(first, same)
    assert not np.allclose(first.values, other.values)
    assert first.attrs["truth_spectral_radius"] == fit.spectral_radius
    assert first.name == "recording"
    np.testing.assert_allclose(np.diff(first["time"].values), 0.5)
    unknown = dataclasses.replace(fit, sampling_interval=float("nan")).simulate(5, np.random.default_rng(1))
    assert unknown["time"].values.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("components", [None, 3])
def test_a_fit_survives_its_file_and_gives_the_same_bytes(plant, tmp_path, components):
    fit = fit_var(plant()[0], components=components)
    for name in ("first.nc", "second.nc"):
        write_netcdf(fit.to_dataset(), tmp_path / name)
    assert sha256_of(tmp_path / "first.nc") == sha256_of(tmp_path / "second.nc")
    back = VARFit.from_dataset(read_netcdf(tmp_path / "first.nc"))
    for field in dataclasses.fields(VARFit):
        was, now = getattr(fit, field.name), getattr(back, field.name)
        if isinstance(was, xr.DataArray):
            xr.testing.assert_equal(was, now)
        else:
            assert was == now
    write_netcdf(back.to_dataset(), tmp_path / "third.nc")
    assert sha256_of(tmp_path / "third.nc") == sha256_of(tmp_path / "first.nc")
    xr.testing.assert_equal(back.simulate(10, np.random.default_rng(0)), fit.simulate(10, np.random.default_rng(0)))


@pytest.mark.parametrize("structure", ["diagonal", "sparse"])
def test_other_structures_survive_their_file(plant, tmp_path, structure):
    fit = fit_var(plant()[0], structure=structure, order="held_out", max_order=2)
    write_netcdf(fit.to_dataset(), tmp_path / "fit.nc")
    back = VARFit.from_dataset(read_netcdf(tmp_path / "fit.nc"))
    assert (back.structure, back.penalty, back.criterion.name) == (structure, fit.penalty, "held_out")
    xr.testing.assert_equal(back.coefficients, fit.coefficients)
    if structure == "diagonal":
        xr.testing.assert_equal(back.standard_errors, fit.standard_errors)
    else:
        with pytest.raises(InputError, match="a penalty biases a sparse fit; fit again"):
            back.standard_errors  # noqa: B018


def test_files_of_earlier_versions_are_read(plant):
    fit = fit_var(plant()[0])
    data = fit.to_dataset().drop_vars("inverse_gram")
    for name in ("structure", "criterion"):
        del data.attrs[name]
    back = VARFit.from_dataset(data)
    assert (back.structure, back.criterion.name) == ("full", "bic")
    with pytest.raises(InputError, match="this file does not hold what they need"):
        back.standard_errors  # noqa: B018


def test_a_fit_prints_itself(plant):
    assert repr(fit_var(plant()[0], order=2)).startswith("VARFit(order 2, 6 units, 100.0 % of the variance, spectral radius 0.")
    assert "2 components of 6 units" in repr(fit_var(plant()[0], components=2))


def test_an_unstable_fit_is_reported_and_refuses_to_simulate():
    drift = np.exp(0.05 * np.arange(200))[:, None] + np.random.default_rng(0).standard_normal((200, 1))
    fit = fit_var(xr.DataArray(drift, dims=("time", "unit")), order=1)
    assert fit.spectral_radius > 1
    with pytest.raises(InputError, match=r"fit: spectral radius 1\.\d+ is not below 1, so a simulation does not exist; remove slow drifts"):
        fit.simulate(10, np.random.default_rng(0))
    with pytest.raises(InputError, match="its autocovariance does not exist"):
        fit.stationary_covariance  # noqa: B018


def test_wrong_recordings_lengths_and_files_are_told(plant):
    recording, _, _ = plant()
    fit = fit_var(recording)
    with pytest.raises(InputError, match="4 units where the fit has 6"):
        fit.scores(recording[:, :4])
    with pytest.raises(InputError, match="n_time=0"):
        fit.simulate(0, np.random.default_rng(0))
    data = fit.to_dataset().drop_vars("intercept")
    del data.attrs["n_frames"]
    with pytest.raises(InputError, match="not a fitted autoregression: intercept, n_frames missing; present: coefficients"):
        VARFit.from_dataset(data)
