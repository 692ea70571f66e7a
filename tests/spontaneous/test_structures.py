"""Diagonal and sparse autoregressions against separate regressions and planted coefficients; orders by held-out prediction."""

from __future__ import annotations

import time

import numpy as np
import pytest
import xarray as xr
from tests.spontaneous.conftest import labelled, run_process

from yuragi.errors import InputError
from yuragi.spontaneous.blocks import blocked_folds
from yuragi.spontaneous.sparse import fit_sparse
from yuragi.spontaneous.var import fit_var


def sparse_process(units, frames, seed=0):
    """Each unit follows itself and one other."""
    generator = np.random.default_rng(seed)
    a = np.eye(units) * 0.5
    others = (np.arange(units) + generator.integers(1, units, units)) % units
    a[np.arange(units), others] = 0.3 * generator.choice([-1, 1], units)
    return labelled(run_process(a[None], frames, generator)), a


@pytest.mark.parametrize("order", [1, 3])
def test_a_diagonal_fit_is_one_regression_a_unit(plant, order):
    import statsmodels.api as sm

    recording, _, _ = plant(order=2)
    fit = fit_var(recording, order=order, structure="diagonal")
    values, frames = recording.values, recording.sizes["time"]
    residuals = []
    for unit in range(6):
        past = np.column_stack([values[order - lag : frames - lag, unit] for lag in range(1, order + 1)])
        reference = sm.OLS(values[order:, unit], sm.add_constant(past)).fit()
        np.testing.assert_allclose(fit.coefficients.values[:, unit, unit], reference.params[1:], atol=1e-9)
        np.testing.assert_allclose(fit.intercept.values[unit], reference.params[0], atol=1e-9)
        np.testing.assert_allclose(fit.standard_errors.values[:, unit, unit], reference.bse[1:], rtol=1e-8)
        residuals.append(reference.resid)
    expected = np.array(residuals) @ np.array(residuals).T / (frames - 2 * order - 1)
    np.testing.assert_allclose(fit.noise_covariance.values, expected, rtol=1e-8)
    assert fit.n_parameters == 6 * (order + 1)
    off = ~np.eye(6, dtype=bool)
    assert (fit.coefficients.values[:, off] == 0).all()
    assert np.isnan(fit.standard_errors.values[:, off]).all()


def test_bic_compares_structures_and_finds_the_planted_order():
    generator = np.random.default_rng(0)
    own = np.stack([np.diag(np.full(5, 0.4)), np.diag(np.full(5, 0.4))])
    recording = labelled(run_process(own, 2000, generator))
    diagonal, full = fit_var(recording, structure="diagonal"), fit_var(recording)
    assert diagonal.order == 2
    # Both count on the same frames; 50 coefficients that are zero cost more than they explain.
    assert diagonal.criterion.values[1] < full.criterion.values[1]
    coupled = labelled(run_process(np.array([[[0.3, 0.4], [-0.4, 0.3]]]), 2000, generator))
    assert fit_var(coupled, order=1).criterion[0] < fit_var(coupled, order=1, structure="diagonal").criterion[0]


@pytest.mark.parametrize("penalty", [None, "held_out"])
def test_planted_sparse_coefficients_are_recovered(penalty):
    recording, a = sparse_process(20, 3000)
    fit = fit_var(recording, order=1, structure="sparse", penalty=penalty)
    found = fit.coefficients.values[0]
    assert (found[a != 0] != 0).all()
    # A penalty chosen for prediction keeps more than the planted ones: known of the lasso.
    assert (found[a == 0] != 0).mean() < (0.25 if penalty is None else 0.7)
    assert np.abs(found - a).max() < 0.1
    full = fit_var(recording.isel(time=slice(0, 300)), order=1, components=None)
    few = fit_var(recording.isel(time=slice(0, 300)), order=1, structure="sparse")
    assert np.square(few.coefficients.values[0] - a).sum() < 0.6 * np.square(full.coefficients.values[0] - a).sum()
    assert few.simulate(50, np.random.default_rng(0)).shape == (50, 20)


def test_without_penalty_the_lasso_is_least_squares_and_at_the_largest_it_is_empty(plant):
    recording, _, _ = plant(units=4, frames=2000)
    least = fit_var(recording, order=2)
    almost = fit_var(recording, order=2, structure="sparse", penalty=1e-6)
    np.testing.assert_allclose(almost.coefficients.values, least.coefficients.values, atol=2e-3)
    np.testing.assert_allclose(almost.noise_covariance.values, least.noise_covariance.values, rtol=1e-2, atol=1e-3)
    assert np.count_nonzero(fit_var(recording, order=2, structure="sparse", penalty=1.0).coefficients) == 0


def test_the_lasso_satisfies_its_optimality_conditions(plant):
    recording, _, _ = plant(units=5, frames=500)
    values = recording.values
    fit = fit_sparse([values], 1, list("abcde"), 0.2)
    past, now = values[:-1] - values[:-1].mean(axis=0), values[1:] - values[1:].mean(axis=0)
    past, now = past / now.std(axis=0), now / now.std(axis=0)
    weights = fit.coefficients[0] * values[1:].std(axis=0)[None, :] / values[1:].std(axis=0)[:, None]
    gradient = (now - past @ weights.T).T @ past / len(now)
    largest = np.abs(now.T @ past / len(now)).max()
    kept = weights != 0
    np.testing.assert_allclose(gradient[kept], 0.2 * largest * np.sign(weights[kept]), atol=2e-3)
    assert np.abs(gradient[~kept]).max() <= 0.2 * largest + 2e-3


@pytest.mark.slow
def test_a_sparse_fit_of_94_regions_takes_seconds():
    recording, a = sparse_process(94, 1200)
    start = time.process_time()
    fit = fit_var(recording, order=1, structure="sparse", penalty="held_out")
    assert time.process_time() - start < 20
    assert (fit.loadings, fit.variable) == (None, "unit")
    assert (fit.coefficients.values[0][a != 0] != 0).mean() > 0.98


@pytest.mark.parametrize("structure", ["full", "diagonal", "sparse"])
def test_held_out_prediction_finds_the_order(structure):
    generator = np.random.default_rng(1)
    # Two frames ago matters alone.
    own = np.stack([np.zeros((4, 4)), np.diag(np.full(4, 0.7))])
    fit = fit_var(labelled(run_process(own, 800, generator)), order="held_out", max_order=3, structure=structure)
    assert fit.order in (2, 3)
    assert fit.criterion.name == "held_out"
    assert fit.criterion.values[0] > 0.95
    assert fit.criterion.values[1] == pytest.approx(1 - 0.49, abs=0.08)


def test_folds_leave_gaps_and_cover_everything_once():
    values = np.arange(100.0)[:, None]
    folds = blocked_folds([values[:60], values[60:]], 4, gap=3, shortest=2)
    assert np.concatenate([fold.held_out for fold in folds])[:, 0].size >= 90
    for fold in folds:
        held = set(fold.held_out[:, 0])
        used = np.concatenate(fold.training)[:, 0]
        assert not held & set(used)
        assert all(np.abs(used - each).min() > 3 for each in held)
        for part in fold.training:
            assert (np.diff(part[:, 0]) == 1).all()
            assert not (part[0, 0] < 60 <= part[-1, 0]), "a stretch crosses the gap of the recording"
    assert np.concatenate([fold.held_out for fold in blocked_folds([values], 5, 0, 1)])[:, 0].tolist() == list(range(100))


def test_structures_go_through_the_target(plant):
    from yuragi.targets import BrainTarget

    recording, _, _ = plant()
    for structure in ("diagonal", "sparse"):
        target = BrainTarget.from_fits({}, fit_var(recording, order=2, structure=structure))
        assert target.spontaneous.n_components == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"structure": "dense"}, "structure 'dense' does not exist; Known: diagonal, full, sparse"),
        ({"penalty": 0.1}, r"penalty=0\.1: a full structure has none"),
        ({"structure": "sparse", "penalty": 0.0}, r"penalty=0\.0: give a share above 0"),
        ({"structure": "sparse", "penalty": "aic", "order": 1}, "penalty='aic': give 'bic'"),
        ({"structure": "sparse", "penalty": "bic", "order": "held_out"}, "choose both by the same rule"),
        ({"structure": "diagonal", "order": 200, "components": 1}, "100 frames are not more than the 200 lags"),
        ({"order": 100, "components": 1}, "100 frames are not more than the 100 lags of order 100; lower order"),
        ({"structure": "sparse", "order": 40, "components": None, "penalty": 1e-4}, "leaves as many coefficients as half"),
    ],
)
def test_bad_options_are_told(options, message):
    values = np.random.default_rng(0).standard_normal((100, 5))
    with pytest.raises(InputError, match=message) as caught:
        fit_var(xr.DataArray(values, dims=("time", "unit")), **options)
    assert "\n" not in str(caught.value)
