"""The fit against independent least squares, planted processes and its symmetries."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from yuragi.spontaneous.lagged import fit_lags
from yuragi.spontaneous.reduction import principal_components
from yuragi.spontaneous.var import bic, fit_var, select_order


def by_lstsq(values, order):
    """A (lag, unit, unit), c and Q through the lag matrix that the library never forms."""
    frames, units = values.shape
    regressors = np.hstack([np.ones((frames - order, 1)), *(values[order - lag : frames - lag] for lag in range(1, order + 1))])
    solution = np.linalg.lstsq(regressors, values[order:], rcond=None)[0]
    residual = values[order:] - regressors @ solution
    coefficients = solution[1:].reshape(order, units, units).transpose(0, 2, 1)
    return coefficients, solution[0], residual.T @ residual / (frames - order - regressors.shape[1])


@pytest.mark.parametrize("order", [1, 2, 4])
def test_fit_equals_statsmodels(plant, order):
    from statsmodels.tsa.api import VAR

    recording, _, _ = plant(order=2)
    fit = fit_var(recording, order=order)
    reference = VAR(recording.values).fit(order, trend="c")
    np.testing.assert_allclose(fit.coefficients.values, reference.coefs, rtol=0, atol=1e-8)
    np.testing.assert_allclose(fit.intercept.values, reference.intercept, rtol=0, atol=1e-8)
    np.testing.assert_allclose(fit.noise_covariance.values, reference.sigma_u, rtol=0, atol=1e-8)
    np.testing.assert_allclose(fit.stationary_mean.values, reference.mean(), rtol=0, atol=1e-8)
    np.testing.assert_allclose(fit.autocovariance(3).values, reference.acf(3)[3], rtol=0, atol=1e-8)


def test_criterion_equals_statsmodels_on_the_common_sample(plant):
    from statsmodels.tsa.api import VAR

    recording, _, _ = plant(order=2)
    fit = fit_var(recording, max_order=5)
    reference = VAR(recording.values).select_order(5, trend="c")
    # statsmodels counts the intercepts as parameters too: the same number at every order.
    frames = recording.sizes["time"] - 5
    intercepts = np.log(frames) / frames * recording.sizes["unit"]
    np.testing.assert_allclose(fit.criterion.values + intercepts, reference.ics["bic"][1:], rtol=0, atol=1e-10)
    assert fit.order == reference.selected_orders["bic"]


def test_criteria_equal_statsmodels(plant):
    from statsmodels.tsa.api import VAR

    recording, _, _ = plant(order=2)
    found = select_order(recording, 4)
    reference = VAR(recording.values).select_order(4, trend="c")
    for name in ("aic", "bic", "hqic"):
        np.testing.assert_allclose(found[name].values, reference.ics[name][1:], rtol=0, atol=1e-10)
    assert found["order"].values.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("order", [1, 3])
def test_standard_errors_equal_statsmodels(plant, order):
    from statsmodels.tsa.api import VAR

    recording, _, _ = plant(order=2)
    scaled = recording * np.array([1, 10, 0.01, 1, 1e3, 1])
    errors = fit_var(scaled, order=order).standard_errors
    reference = VAR(scaled.values).fit(order, trend="c").bse[1:].reshape(order, 6, 6).transpose(0, 2, 1)
    np.testing.assert_allclose(errors.values, reference, rtol=1e-8)
    assert errors.dims == ("lag", "unit", "other_unit")


def test_standard_errors_are_the_spread_of_estimates(plant):
    estimates, errors = [], []
    for seed in range(60):
        fit = fit_var(plant(units=2, frames=800, order=1, seed=seed)[0], order=1)
        truth = plant(units=2, frames=5, order=1, seed=seed)[1]
        estimates.append(fit.coefficients.values - truth)
        errors.append(fit.standard_errors.values)
    ratio = np.std(np.stack(estimates) / np.stack(errors), axis=0)
    assert np.abs(ratio - 1).max() < 0.35


@pytest.mark.parametrize("factor", [1e-160, 1e160])
def test_numbers_that_cannot_be_squared_are_fitted(plant, factor):
    recording, _, _ = plant()
    values = recording.values - recording.values.mean(axis=0)
    plain = fit_lags(values, 2, list("abcdef"))
    with np.errstate(over="ignore", under="ignore"):
        extreme = fit_lags(values * factor, 2, list("abcdef"))
    np.testing.assert_allclose(extreme.coefficients, plain.coefficients, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(20, 60), order=st.integers(1, 3), offset=st.floats(-1e3, 1e3), seed=st.integers(0, 2**31))
def test_stretches_are_fitted_together(cut, order, offset, seed):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((90, 3)).cumsum(axis=0) + offset
    parts = [values[:cut], values[cut:]]
    rows = [np.hstack([np.ones((len(v) - order, 1)), *(v[order - lag : len(v) - lag] for lag in range(1, order + 1))]) for v in parts]
    solution = np.linalg.lstsq(np.vstack(rows), np.vstack([v[order:] for v in parts]), rcond=None)[0]
    fit = fit_lags(parts, order, list("abc"))
    np.testing.assert_allclose(fit.coefficients, solution[1:].reshape(order, 3, 3).transpose(0, 2, 1), atol=1e-7)
    np.testing.assert_allclose(fit.intercept, solution[0], atol=1e-5 * (1 + abs(offset)))


def test_long_recordings_are_taken_in_parts(plant, monkeypatch):
    from yuragi.spontaneous import lagged

    values = plant(frames=2000, order=2)[0].values
    whole = fit_lags(values, 3, list("abcdef"))
    monkeypatch.setattr(lagged, "CHUNK", 1)
    np.testing.assert_allclose(fit_lags(values, 3, list("abcdef")).coefficients, whole.coefficients, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(units=st.integers(1, 5), order=st.integers(1, 4), frames=st.integers(40, 90), seed=st.integers(0, 2**31))
def test_fit_equals_least_squares_on_any_recording(units, order, frames, seed):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((frames, units)).cumsum(axis=0) * generator.uniform(1e-3, 1e3, units) + generator.uniform(-5, 5, units)
    coefficients, intercept, noise = by_lstsq(values, order)
    fit = fit_var(xr.DataArray(values, dims=("time", "unit")), order=order, components=None)
    scale = values.std(axis=0)
    np.testing.assert_allclose(fit.coefficients.values * scale / scale[:, None], coefficients * scale / scale[:, None], atol=1e-7)
    np.testing.assert_allclose(fit.intercept.values / scale, intercept / scale, atol=1e-6)
    np.testing.assert_allclose(fit.noise_covariance.values / np.outer(scale, scale), noise / np.outer(scale, scale), atol=1e-9)


def test_residuals_of_lower_orders_come_from_the_same_frames(plant):
    values = plant(order=2)[0].values
    nested = fit_lags(values, 4, [str(unit) for unit in range(6)])
    for order in (1, 2, 3, 4):
        frames = len(values) - 4
        expected = by_lstsq(values[4 - order :], order)[2] * (frames - 6 * order - 1)
        np.testing.assert_allclose(nested.residual[order - 1], expected, rtol=1e-9, atol=1e-7)
    assert bic(nested).sizes == {"order": 4}


@pytest.mark.parametrize("order", [1, 2, 3])
def test_bic_finds_the_planted_order(plant, order):
    recording, _, _ = plant(units=4, frames=3000, radius=0.9, order=order, seed=order)
    fit = fit_var(recording, max_order=5)
    assert fit.order == order
    assert fit.criterion["order"].values.tolist() == [1, 2, 3, 4, 5]
    assert int(fit.criterion["order"][fit.criterion.values.argmin()]) == order


def test_planted_coefficients_noise_and_radius_are_recovered(plant):
    recording, a, noise = plant(units=20, frames=4000, radius=0.9)
    fit = fit_var(recording)
    assert (fit.order, fit.variable, fit.loadings) == (1, "unit", None)
    assert fit.spectral_radius == pytest.approx(0.9, abs=0.02)
    assert np.abs(fit.coefficients.values - a).max() < 0.1
    np.testing.assert_allclose(fit.noise_covariance.values, noise, atol=0.12)
    shuffled = recording.copy(data=np.random.default_rng(1).permutation(recording.values))
    assert fit_var(shuffled).spectral_radius < 0.3, "a recording without a time course must not give the planted radius"


def test_units_may_come_in_any_order(plant):
    recording, _, _ = plant(order=2)
    turn = np.random.default_rng(3).permutation(recording.sizes["unit"])
    plain, turned = fit_var(recording, order=2), fit_var(recording.isel(unit=turn), order=2)
    np.testing.assert_allclose(turned.coefficients.values, plain.coefficients.values[:, turn][:, :, turn], atol=1e-12)
    np.testing.assert_allclose(turned.noise_covariance.values, plain.noise_covariance.values[np.ix_(turn, turn)], atol=1e-12)
    assert turned.coefficients["unit"].values.tolist() == recording["unit"].values[turn].tolist()


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_scale_and_offset_change_nothing_but_scale_and_offset(plant, factor):
    recording, _, _ = plant()
    plain, scaled = fit_var(recording), fit_var(recording * factor + 2 * factor)
    np.testing.assert_allclose(scaled.coefficients.values, plain.coefficients.values, atol=1e-9)
    np.testing.assert_allclose(scaled.noise_covariance.values, plain.noise_covariance.values * factor**2, rtol=1e-8)
    np.testing.assert_allclose(scaled.stationary_mean.values, (plain.stationary_mean.values + 2) * factor, rtol=1e-8)


def test_exactly_demeaned_data_are_good_data(plant):
    recording, _, _ = plant()
    demeaned = recording - recording.mean("time")
    np.testing.assert_allclose(fit_var(demeaned).coefficients.values, fit_var(recording).coefficients.values, atol=1e-12)


def test_the_caller_keeps_the_recording(plant):
    recording, _, _ = plant()
    before = recording.copy(deep=True)
    fit_var(recording, components=3).simulate(20, np.random.default_rng(0))
    xr.testing.assert_identical(recording, before)


def test_integers_float32_and_swapped_dimensions_are_accepted(plant):
    recording, _, _ = plant()
    reference = fit_var(recording)
    np.testing.assert_array_equal(fit_var(recording.transpose("unit", "time")).coefficients.values, reference.coefficients.values)
    assert fit_var(recording.astype("float32")).coefficients.dtype == np.float64
    assert fit_var((recording * 1000).astype("int32")).spectral_radius == pytest.approx(reference.spectral_radius, abs=1e-3)


def test_more_units_than_frames_can_carry_are_reduced_to_components():
    generator = np.random.default_rng(0)
    recording = xr.DataArray(generator.standard_normal((300, 200)) * np.arange(1, 201) ** -0.6, dims=("time", "unit"))
    fit = fit_var(recording, order=5)
    assert fit.loadings.shape == (300 // (10 * 5), 200)
    assert fit_var(recording, order=1).loadings.shape[0] == 300 // 10
    np.testing.assert_allclose(fit.loadings.values @ fit.loadings.values.T, np.eye(6), atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(np.cov(recording.values.T))[::-1]
    assert fit.explained_variance == pytest.approx(eigenvalues[:6].sum() / eigenvalues.sum())
    assert fit.variable == "component"
    assert fit.coefficients.dims == ("lag", "component", "other_component")
    expected = by_lstsq(fit.scores(recording).values, fit.order)[0]
    np.testing.assert_allclose(fit.coefficients.values, expected, atol=1e-10)
    surrogate = fit.simulate(50, generator)
    assert surrogate.shape == (50, 200)
    assert np.linalg.matrix_rank(surrogate.values - fit.mean.values) == 6


def test_the_fit_keeps_the_components_that_the_chosen_order_allows():
    generator = np.random.default_rng(0)
    recording = xr.DataArray(generator.standard_normal((300, 200)) * np.arange(1, 201) ** -0.6, dims=("time", "unit"))
    fit = fit_var(recording, max_order=5)
    # White activity: the criterion is that of 6 components, of which 5 lags are affordable, and the one lag that it takes leaves room for 30.
    assert fit.order == 1
    assert fit.criterion.sizes["order"] == 5
    assert fit.loadings.shape == (300 // 10, 200)
    np.testing.assert_array_equal(fit.coefficients.values, fit_var(recording, order=1).coefficients.values)


def test_components_stop_where_they_explain_enough():
    generator = np.random.default_rng(0)
    few = generator.standard_normal((400, 3)) @ generator.standard_normal((3, 100))
    recording = xr.DataArray(few + 0.01 * generator.standard_normal((400, 100)), dims=("time", "unit"))
    fit = fit_var(recording, order=1)
    assert fit.loadings.sizes["component"] == 3
    assert fit.explained_variance > 0.95


def test_both_gram_matrices_give_the_same_components():
    generator = np.random.default_rng(0)
    recording = xr.DataArray(generator.standard_normal((40, 39)) @ np.diag(np.linspace(3, 1, 39)), dims=("time", "unit"))
    tall = principal_components(recording)
    # Silent units change no component; with them the units outnumber the frames.
    wide = principal_components(xr.DataArray(np.hstack([recording.values, np.zeros((40, 10))]), dims=("time", "unit")))
    np.testing.assert_allclose(wide.loadings.values[:, :39], tall.loadings.values, atol=1e-10)
    np.testing.assert_allclose(wide.shares, tall.shares, rtol=1e-10)


def test_a_few_components_are_the_leading_ones_of_all():
    generator = np.random.default_rng(0)
    for shape in ((60, 200), (200, 60)):
        recording = xr.DataArray(generator.standard_normal(shape) * np.linspace(3, 1, shape[1]), dims=("time", "unit"))
        whole, few = principal_components(recording), principal_components(recording, 7)
        np.testing.assert_allclose(few.loadings.values, whole.loadings.values[:7], atol=1e-10)
        np.testing.assert_allclose(few.shares, whole.shares[:7], rtol=1e-10)


@pytest.mark.slow
def test_ten_thousand_units_are_fitted_through_components():
    generator = np.random.default_rng(0)
    slow = generator.standard_normal((700, 10))
    for t in range(1, 700):
        slow[t] += 0.8 * slow[t - 1]
    values = (slow @ generator.standard_normal((10, 10_000))).astype(np.float32)
    values += 0.3 * generator.standard_normal(values.shape, dtype=np.float32)
    fit = fit_var(xr.DataArray(values, dims=("time", "unit")))
    assert (fit.order, fit.loadings.shape) == (1, (10, 10_000))
    np.testing.assert_allclose(np.sort(np.abs(np.linalg.eigvals(fit.coefficients.values[0])))[-10:], 0.8, atol=0.15)


def values_with(kind):
    values = np.random.default_rng(0).standard_normal((100, 5))
    if kind == "nan":
        values[3:6, 2] = np.nan
    elif kind == "constant":
        values[:, 4] = 7
    elif kind == "duplicate":
        values[:, 4] = values[:, 0] + values[:, 1]
    elif kind == "copied":
        values[1:, 4] = values[:-1, 0]
    return xr.DataArray(values, dims=("time", "unit"), coords={"unit": list("abcde")})


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("nan", {}, r"recording: 3 values are not finite, in 1 of 5 units \(c\); drop"),
        ("constant", {}, r"recording: 1 of 5 units never change \(e\); drop"),
        ("duplicate", {"order": 1}, r"singular covariance: unit e at lag 1 is a linear combination .*components="),
        ("copied", {"order": 1}, r"singular covariance: unit e at lag 0 is a linear combination"),
        ("good", {"order": 30, "components": None}, r"100 frames are too few for order 30 with 5 units, 151 coefficients .*: 186 are needed"),
        ("good", {"order": 18, "components": None}, r"100 frames are too few for order 18"),
        ("good", {"order": 11}, r"100 frames are fewer than 10 x order 11"),
        ("good", {"order": 0}, r"order=0: give a whole number of at least 1, 'bic' or 'held_out'"),
        ("good", {"order": "aic"}, r"order='aic': give"),
        ("good", {"max_order": 0}, r"max_order=0: give"),
        ("good", {"components": 6}, r"components=6: .* determine 5 components; choose 1 to 5"),
        ("good", {"components": 0}, r"components=0: "),
        ("good", {"components": "all"}, r"components='all': give 'auto', None"),
    ],
)
def test_bad_input_is_told_in_one_line(kind, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        fit_var(values_with(kind), **options)
    assert type(caught.value).__name__ == "InputError"
    assert "\n" not in str(caught.value)


def test_dimensions_gaps_and_intervals_are_checked():
    good = values_with("good")
    with pytest.raises(ValueError, match=r"dimensions are \(frame, unit\); rename"):
        fit_var(good.rename(time="frame"))
    with pytest.raises(ValueError, match="0 frames x 5 units is empty"):
        fit_var(good[:0])
    gap = good.assign_coords(time=np.r_[np.arange(50), np.arange(60, 110)] * 2.0)
    with pytest.raises(ValueError, match="time steps by 22 after frame 49 where 2 is usual"):
        fit_var(gap)
    with pytest.raises(ValueError, match="time steps by -1 after frame 0"):
        fit_var(good.assign_coords(time=-np.arange(100)))
    with pytest.raises(ValueError, match="sampling_interval is -1"):
        fit_var(good.assign_attrs(sampling_interval=-1.0))
    jitter = np.arange(100) + np.random.default_rng(0).uniform(-0.1, 0.1, 100)
    assert fit_var(good.assign_coords(time=jitter)).n_frames == 100
