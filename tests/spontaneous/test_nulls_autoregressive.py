"""Autoregressive surrogates against the theory of their process, and the order in which residuals are used."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi import autoregression
from yuragi.errors import InputError
from yuragi.spontaneous.nulls.autoregressive import Autoregressive, autoregressive_surrogate
from yuragi.spontaneous.var import fit_var


def mean_autocovariances(surrogates, mean, most):
    """Γ_l about the known mean, and its standard error, over surrogates."""
    found = []
    for values in surrogates:
        centred = values - mean
        found.append([centred[lag:].T @ centred[: len(centred) - lag] / (len(centred) - lag) for lag in range(most + 1)])
    found = np.array(found)
    return found.mean(axis=0), found.std(axis=0) / np.sqrt(len(found))


@pytest.mark.parametrize("innovations", ["gaussian", "permuted"])
@pytest.mark.parametrize("order", [1, 2])
def test_autocovariances_equal_the_theory(plant, order, innovations):
    recording, _, _ = plant(units=4, frames=400, radius=0.8, order=order)
    prepared = Autoregressive(order=order, components=None, innovations=innovations).prepare(recording)
    surrogates = [surrogate.values for surrogate in prepared.draws(np.random.default_rng(0), 500)]
    fit = fit_var(recording, order=order, components=None)
    residuals = 400 - order
    # Q of the fit is over the degrees of freedom, that of the surrogates over the number of residuals less one.
    noise = fit.noise_covariance.values * (residuals - order * 4 - 1) / (residuals - 1)
    expected = autoregression.autocovariances(fit.coefficients.values, noise, 3)
    found, error = mean_autocovariances(surrogates, recording.values.mean(axis=0), 3)
    # A permutation uses each residual once, which narrows the spread of the covariance below that of independent draws: a part is allowed for it.
    assert (np.abs(found - expected) < 5 * error + 0.01 * np.abs(expected[0]).max()).all()
    for lag in range(order + 1):
        centred = recording.values - recording.values.mean(axis=0)
        measured = centred[lag:].T @ centred[: len(centred) - lag] / (len(centred) - 1)
        assert np.linalg.norm(found[lag] - measured) < 0.05 * np.linalg.norm(measured)


def test_gaussian_surrogates_are_stationary_from_the_first_frame(plant):
    recording, _, _ = plant(units=3, frames=300, radius=0.95)
    prepared = Autoregressive().prepare(recording)
    starts = np.array([surrogate.values[:2] for surrogate in prepared.draws(np.random.default_rng(0), 3000)])
    expected = prepared.fit.stationary_covariance.values * (299 - 3 - 1) / 298
    for frame in range(2):
        np.testing.assert_allclose(np.cov(starts[:, frame].T), expected, atol=0.12 * np.abs(expected).max())


def test_permuted_surrogates_use_every_residual_vector_once(plant):
    recording, _, _ = plant(units=4, frames=200, order=2)
    prepared = Autoregressive(order=2, innovations="permuted", burn_in=7).prepare(recording)
    surrogate = prepared.draw(np.random.default_rng(0)).values - recording.values.mean(axis=0)
    a = prepared.fit.coefficients.values
    innovations = surrogate[2:] - surrogate[1:-1] @ a[0].T - surrogate[:-2] @ a[1].T
    assert innovations.shape == prepared.residuals.shape
    inside = np.lexsort(innovations.T.round(9)), np.lexsort(prepared.residuals.T.round(9))
    np.testing.assert_allclose(innovations[inside[0]], prepared.residuals[inside[1]], atol=1e-10)
    again = prepared.draw(np.random.default_rng(1)).values
    assert not np.allclose(again, surrogate + recording.values.mean(axis=0)), "in another order"


def test_permuted_innovations_keep_what_gaussian_ones_lose(plant):
    generator = np.random.default_rng(0)
    heavy = generator.standard_t(3, (3000, 1)) * np.ones((1, 3)) + 0.5 * generator.standard_normal((3000, 3))
    recording = xr.DataArray(heavy, dims=("time", "unit"))

    def largest(innovations):
        return max(np.abs(s.values).max() for s in Autoregressive(innovations=innovations).prepare(recording).draws(np.random.default_rng(0), 5))

    assert largest("permuted") == pytest.approx(np.abs(heavy).max(), rel=0.2)
    assert largest("gaussian") < 0.6 * np.abs(heavy).max()


@pytest.mark.parametrize("innovations", ["gaussian", "permuted"])
def test_what_components_leave_out_is_added_as_a_static_part(plant, innovations):
    recording, _, _ = plant(units=8, frames=800, radius=0.9)
    prepared = Autoregressive(components=3, innovations=innovations).prepare(recording)
    surrogates = [surrogate.values for surrogate in prepared.draws(np.random.default_rng(0), 200)]
    expected = np.cov(recording.values.T)
    found = np.mean([np.cov(values.T) for values in surrogates], axis=0)
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)
    loadings = prepared.fit.loadings.values
    left = [(values - recording.values.mean(axis=0)) @ (np.eye(8) - loadings.T @ loadings) for values in surrogates]
    products = np.mean([part[1:].T @ part[:-1] for part in left], axis=0) / 799
    assert np.linalg.norm(products) < 0.05 * np.linalg.norm(np.mean([part.T @ part for part in left], axis=0) / 800), "without a time course"


@pytest.mark.parametrize("innovations", ["gaussian", "permuted"])
def test_side_by_side_and_one_by_one_are_the_same_process(plant, innovations):
    recording, _, _ = plant(units=3, frames=100)
    prepared = Autoregressive(innovations=innovations).prepare(recording)
    together = list(prepared.draws(np.random.default_rng(0), 11))
    assert len(together) == 11
    assert len({surrogate.values.tobytes() for surrogate in together}) == 11
    single = prepared.draw(np.random.default_rng(0))
    assert single.identical(next(prepared.draws(np.random.default_rng(0), 1)))
    # Each obeys the recursion with innovations of the same size.
    a, mean = prepared.fit.coefficients.values[0], recording.values.mean(axis=0)
    sizes = [np.std((s.values - mean)[1:] - (s.values - mean)[:-1] @ a.T) for s in (single, *together)]
    np.testing.assert_allclose(sizes, prepared.residuals.std(), rtol=0.2)


def test_the_burn_in_follows_the_slowest_mode(plant):
    recording, _, _ = plant(units=3, frames=500, radius=0.9)
    prepared = Autoregressive(innovations="permuted").prepare(recording)
    radius = prepared.fit.spectral_radius
    assert radius**prepared.burn_in <= 0.01 < radius ** (prepared.burn_in - 1)


def test_order_by_bic_and_a_fit_in_place_of_a_recording(plant):
    recording, _, _ = plant(units=3, frames=1000, order=2)
    assert Autoregressive(order="bic").prepare(recording).fit.order == fit_var(recording).order
    fit = fit_var(recording, order=2)
    surrogate = autoregressive_surrogate(fit, np.random.default_rng(0))
    assert surrogate.identical(fit.simulate(1000, np.random.default_rng(0)))
    with pytest.raises(InputError, match="innovations='permuted': a fit does not hold its residuals"):
        autoregressive_surrogate(fit, np.random.default_rng(0), innovations="permuted")


def test_a_fit_that_is_not_stationary_is_one_clear_line():
    growing = 1.03 ** np.arange(200)[:, None] + 0.01 * np.random.default_rng(0).standard_normal((200, 2))
    with pytest.raises(
        InputError, match=r"recording: the autoregression of order 1 .* spectral radius 1\.0\d+, .* lower order, or fit fewer"
    ) as told:
        autoregressive_surrogate(xr.DataArray(growing, dims=("time", "unit")), np.random.default_rng(0))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"order": 0}, "order: 0 is no choice; give a whole number of at least 1, or 'bic'"),
        ({"order": "aic"}, "order: 'aic' is no choice"),
        ({"components": "some"}, "components: 'some' is no choice; give a whole number of at least 1, or 'auto' or null"),
        ({"burn_in": 3}, "burn_in = 3: Gaussian innovations start in the stationary distribution"),
        ({"innovations": "permuted", "burn_in": -1}, "burn_in = -1: input should be greater than or equal to 0"),
        ({"innovations": "uniform"}, "innovations = 'uniform': input should be 'gaussian' or 'permuted'"),
        ({"order": 40}, "frames are fewer than 10 x order 40"),
    ],
)
def test_bad_options_are_told(plant, wrong, message):
    recording, _, _ = plant(units=3, frames=100)
    with pytest.raises(InputError, match=message):
        autoregressive_surrogate(recording, np.random.default_rng(0), **wrong)
