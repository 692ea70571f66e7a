"""The spontaneous model: rotation, autocovariances and truncation."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.targets import BrainTarget, SpontaneousModel


def summed_autocovariances(a, q, most):
    """Γ_0 … Γ_most through the moving-average form, Γ_l = Σ_k Ψ_{k+l} Q Ψ_k'."""
    psi = [np.eye(len(q))]
    for k in range(1, 1500):
        psi.append(sum(a[j] @ psi[k - 1 - j] for j in range(min(len(a), k))))
    psi = np.stack(psi)
    return [np.einsum("kab,bc,kdc->ad", psi[lag:], q, psi[: len(psi) - lag], optimize=True) for lag in range(most + 1)]


@pytest.mark.parametrize("order", [1, 3])
def test_rotation_keeps_the_autocovariances(autoregression, order):
    fit = autoregression(order=order)
    model = BrainTarget.from_fits({}, fit).spontaneous
    gamma = summed_autocovariances(fit.coefficients, fit.noise_covariance, 5)
    variances, axes = np.linalg.eigh(gamma[0])
    axes = axes[:, ::-1] * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(8)])[::-1]
    np.testing.assert_allclose(model.eigenvalues, variances[::-1] / variances.sum(), atol=1e-10)
    for lag in range(6):
        np.testing.assert_allclose(axes @ model.autocovariance(lag) @ axes.T * variances.sum(), gamma[lag], atol=1e-10 * variances.sum())
    np.testing.assert_array_equal(model.autocovariance(-2), model.autocovariance(2).T)
    assert model.eigenvalues.sum() == pytest.approx(1, abs=1e-12)
    assert model.spectral_radius == pytest.approx(0.9, abs=1e-9)
    assert (model.order, model.n_components, model.sampling_interval) == (order, 8, 0.72)
    unrotated = SpontaneousModel.from_autoregression(0.9 * fit.coefficients, fit.noise_covariance)
    assert np.abs(unrotated.autocovariance(1) - model.autocovariance(1)).max() > 1e-3, "another process must not pass"


def test_a_real_fit_becomes_a_target():
    from yuragi.spontaneous.var import fit_var

    generator = np.random.default_rng(0)
    values = generator.standard_normal((500, 4)).cumsum(axis=0) * 0.1 + generator.standard_normal((500, 4))
    recording = xr.DataArray(values, dims=("time", "unit"), attrs={"sampling_interval": 2.0})
    for components in (None, 2):
        fit = fit_var(recording, order=2, components=components)
        model = BrainTarget.from_fits({}, fit).spontaneous
        eigenvalues = np.linalg.eigvalsh(fit.stationary_covariance.values)[::-1]
        np.testing.assert_allclose(model.eigenvalues, eigenvalues / eigenvalues.sum(), atol=1e-10)
        assert model.spectral_radius == pytest.approx(fit.spectral_radius)


@pytest.mark.parametrize("order", [1, 3])
def test_stationary_factor_is_a_root_of_the_joint_covariance(autoregression, order):
    model = SpontaneousModel.from_autoregression(autoregression(order=order).coefficients, autoregression(order=order).noise_covariance)
    joint = model.stationary_factor @ model.stationary_factor.T
    for i in range(order):
        for j in range(order):
            np.testing.assert_allclose(joint[8 * i : 8 * i + 8, 8 * j : 8 * j + 8], model.autocovariance(j - i), atol=1e-10)
    if order == 1:
        np.testing.assert_allclose(model.stationary_factor, np.diag(np.sqrt(model.eigenvalues)), atol=1e-10)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("kept", [1, 3, 7])
def test_truncation_keeps_what_the_leading_components_do(autoregression, order, kept):
    fit = autoregression(order=order, seed=2)
    model = SpontaneousModel.from_autoregression(fit.coefficients, fit.noise_covariance, 0.5)
    short = model.truncated(kept)
    share = model.eigenvalues[:kept].sum()
    np.testing.assert_allclose(short.eigenvalues, model.eigenvalues[:kept] / share, atol=1e-12)
    for lag in range(order + 1):
        np.testing.assert_allclose(short.autocovariance(lag), model.autocovariance(lag)[:kept, :kept] / share, atol=1e-9)
    assert short.spectral_radius < 1
    assert short.sampling_interval == 0.5
    if order == 1:
        np.testing.assert_allclose(short.coefficients, model.coefficients[:, :kept, :kept], atol=1e-9)
        leading, a = np.diag(model.eigenvalues[:kept]), model.coefficients[0, :kept, :kept]
        np.testing.assert_allclose(short.innovation_covariance, (leading - a @ leading @ a.T) / share, atol=1e-9)


def test_truncation_to_all_components_is_the_model_itself(whole_target):
    model = whole_target.spontaneous
    assert model.truncated(8) is model
    for count in (0, 9):
        with pytest.raises(InputError, match=f"n_components={count}: the model has 8; choose 1 to 8"):
            model.truncated(count)


def test_arrays_are_copied_and_read_only():
    eigenvalues = np.array([1.0])
    model = SpontaneousModel(eigenvalues, np.array([[[0.6]]]), np.array([[0.64]]))
    eigenvalues[0] = 5
    assert model.eigenvalues[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        model.eigenvalues[0] = 2
