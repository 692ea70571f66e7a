from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import statsmodels.api as sm
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from yuragi.errors import InputError
from yuragi.spectra.cvpca import spectrum_array
from yuragi.spectra.power_law import fit_power_law


def noisy(length: int = 120, seed: int = 0) -> np.ndarray:
    return np.arange(1, length + 1) ** -1.1 * np.exp(0.3 * np.random.default_rng(seed).standard_normal(length))


@pytest.mark.parametrize("weights", ["inverse_rank", "uniform"])
def test_it_is_the_weighted_least_squares_of_the_logarithms(weights: str) -> None:
    spectrum = noisy()
    n = np.arange(11, 101)
    w = 1 / n if weights == "inverse_rank" else np.ones(90)
    expected = sm.WLS(np.log(spectrum[10:100]), sm.add_constant(-np.log(n)), weights=w).fit()
    fit = fit_power_law(spectrum, (11, 100), weights=weights)
    assert (fit.intercept, fit.alpha) == pytest.approx(tuple(expected.params), rel=1e-10)
    assert fit.r_squared == pytest.approx(expected.rsquared, rel=1e-10)
    assert (fit.ranks, fit.negative_ranks, fit.alpha_interval) == ((11, 100), 0, None)


@settings(max_examples=50, deadline=None)
@given(
    alpha=st.floats(0.1, 4),
    scale=st.floats(1e-6, 1e6),
    first=st.integers(1, 50),
    width=st.integers(2, 100),
    weights=st.sampled_from(["inverse_rank", "uniform", "windowed_median"]),
)
def test_an_exact_power_law_is_found_from_any_ranks(alpha: float, scale: float, first: int, width: int, weights: str) -> None:
    ranks = np.arange(1, 151)
    spectrum = scale * ranks**-alpha
    fit = fit_power_law(spectrum, (first, first + width), weights=weights)
    assert fit.alpha == pytest.approx(alpha, rel=1e-6)
    assert fit.r_squared == pytest.approx(1)
    np.testing.assert_allclose(fit.predict(ranks), spectrum, rtol=1e-4)


def test_only_the_ranks_asked_for_count_both_ends_included() -> None:
    spectrum = np.arange(1, 101) ** -1.0
    reference = fit_power_law(spectrum, (11, 50)).alpha
    for rank, counts in ((10, False), (11, True), (50, True), (51, False)):
        changed = spectrum.copy()
        changed[rank - 1] *= 2
        assert (fit_power_law(changed, (11, 50)).alpha != reference) is counts


def test_three_calls_agree_and_nothing_is_changed() -> None:
    spectrum, ranks = noisy(), (11, 100)
    before = spectrum.copy()
    fits = {fit_power_law(spectrum, ranks) for _ in range(3)}
    assert len(fits) == 1
    np.testing.assert_array_equal(spectrum, before)


def test_negative_eigenvalues_are_counted_and_folded_or_dropped() -> None:
    spectrum = np.arange(1, 61) ** -1.0
    spectrum[[20, 39]] *= -1
    folded = fit_power_law(spectrum, (11, 60))
    assert (folded.negative_ranks, folded.negative) == (2, "absolute")
    assert folded.alpha == pytest.approx(1)
    spectrum[39] *= 1e3
    dropped = fit_power_law(spectrum, (11, 60), negative="drop")
    assert dropped.negative_ranks == 2
    assert dropped.alpha == pytest.approx(1)
    assert fit_power_law(spectrum, (11, 60)).alpha != pytest.approx(1, abs=0.1)
    assert fit_power_law(spectrum, (11, 38)).negative_ranks == 1


def test_a_labelled_spectrum_goes_by_its_ranks() -> None:
    spectrum = spectrum_array(noisy(), {})
    assert fit_power_law(spectrum, (11, 60)) == fit_power_law(noisy(), (11, 60))
    assert fit_power_law(spectrum[5:80], (11, 60)) == fit_power_law(spectrum, (11, 60))
    with pytest.raises(InputError, match=r"ranks 6 to 80"):
        fit_power_law(spectrum[5:80], (5, 60))
    assert fit_power_law(xr.DataArray(noisy(), dims="rank"), (11, 60)) == fit_power_law(noisy(), (11, 60))


def test_a_flat_spectrum_has_exponent_zero_and_no_r_squared() -> None:
    fit = fit_power_law(np.ones(20), (1, 20))
    assert fit.alpha == 0
    assert np.isnan(fit.r_squared)


def test_the_fit_is_frozen() -> None:
    fit = fit_power_law(noisy(), (11, 60))
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.alpha = 2.0


@pytest.mark.parametrize(
    ("ranks", "told"),
    [
        ((11, 500), r"\(11, 500\) goes beyond the spectrum of length 120 .*end the range within it"),
        ((200, 300), r"\(200, 300\) goes beyond the spectrum of length 120"),
        ((0, 50), r"\(0, 50\) is not a range of 1-based ranks"),
        ((50, 11), r"\(50, 11\) is not a range"),
        ((11, 12), r"\(11, 12\) holds 2 ranks of 120.*widen"),
    ],
)
def test_a_wrong_range_is_refused_with_the_remedy(ranks: tuple[int, int], told: str) -> None:
    with pytest.raises(InputError, match=told):
        fit_power_law(noisy(), ranks)


def test_spectra_without_a_logarithm_are_refused() -> None:
    spectrum = noisy()
    spectrum[30] = 0
    with pytest.raises(InputError, match="rank 31 is 0"):
        fit_power_law(spectrum, (11, 60))
    fit_power_law(spectrum, (11, 60), negative="drop")
    spectrum[30] = np.nan
    with pytest.raises(InputError, match="not finite"):
        fit_power_law(spectrum, (11, 60))
    with pytest.raises(InputError, match="only 2 of ranks 1 to 5"):
        fit_power_law(np.array([2.0, 1.0, -1.0, -1.0, -1.0]), (1, 5), negative="drop")
    with pytest.raises(InputError, match="2 dimensions"):
        fit_power_law(np.ones((2, 30)), (1, 20))
    with pytest.raises(InputError, match="'component'"):
        fit_power_law(xr.DataArray(noisy(), dims="component"), (11, 60))


def test_the_windowed_median_is_that_of_the_slopes_in_windows() -> None:
    spectrum = noisy(150)
    x, y = np.log(np.arange(11, 131)), np.log(spectrum[10:130])
    slopes = [np.polyfit(x[start : start + 12], y[start : start + 12], 1)[0] for start in range(120 - 12 + 1)]
    fit = fit_power_law(spectrum, (11, 130), weights="windowed_median")
    assert fit.alpha == pytest.approx(-np.median(slopes))
    assert fit.intercept == pytest.approx(np.median(y + fit.alpha * x))
    residual = y - fit.intercept + fit.alpha * x
    assert fit.r_squared == pytest.approx(1 - (residual**2).sum() / ((y - y.mean()) ** 2).sum())
    assert fit.weights == "windowed_median"


def test_a_few_outliers_move_the_windowed_median_least() -> None:
    spectrum = np.arange(1, 201) ** -1.0
    spectrum[[15, 16, 17]] *= 50
    fits = {weights: fit_power_law(spectrum, (11, 200), weights=weights).alpha for weights in ("inverse_rank", "uniform", "windowed_median")}
    assert abs(fits["windowed_median"] - 1) < 1e-9 < 0.05 < abs(fits["uniform"] - 1) < abs(fits["inverse_rank"] - 1)


def test_the_windowed_median_of_few_ranks_has_windows_of_three() -> None:
    spectrum = np.arange(1, 21) ** -1.3
    spectrum[[6, 9]] *= -1
    assert fit_power_law(spectrum, (1, 3), weights="windowed_median").alpha == pytest.approx(1.3)
    assert fit_power_law(spectrum, (1, 20), weights="windowed_median", negative="drop").alpha == pytest.approx(1.3)
    with pytest.raises(InputError, match="goes beyond"):
        fit_power_law(spectrum, (1, 30), weights="windowed_median")
