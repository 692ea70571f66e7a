"""One door: it gives what the estimators give by themselves, for all of them the same way."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.spectra.bootstrap import alpha_interval
from yuragi.spectra.cvpca import cvpca
from yuragi.spectra.estimators import ESTIMATORS, estimate
from yuragi.spectra.pca import pca_spectrum
from yuragi.spectra.power_law import fit_power_law

RANKS = (3, 30)


def source(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_cvpca_and_pca_are_their_own_functions(plant) -> None:
    responses = plant(150, 60)
    found = estimate(responses, "cvpca", RANKS, weights="uniform", negative="drop", shuffles=4, generator=source())
    spectrum = cvpca(responses, shuffles=4, generator=source())
    xr.testing.assert_identical(found.spectrum, spectrum)
    assert found.fit == fit_power_law(spectrum, RANKS, weights="uniform", negative="drop")
    assert found.alpha == found.fit.alpha == found.alpha_unweighted
    plain = estimate(responses, "pca", RANKS, generator=source())
    eigenvalues = pca_spectrum(responses).values
    np.testing.assert_array_equal(plain.spectrum, eigenvalues)
    assert plain.participation_ratio == pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())
    assert plain.alpha_interval is None


def test_the_plain_interval_is_that_of_the_averages(plant) -> None:
    responses = plant(120, 50, repeats=3)
    responses[2, :30] = np.nan
    before = responses.copy()
    found = estimate(responses, "pca", RANKS, bootstraps=12, generator=source())
    np.testing.assert_array_equal(responses, before)
    expected = alpha_interval(responses, found.fit, spectrum=pca_spectrum, bootstraps=12, generator=source())
    np.testing.assert_allclose(found.alpha_interval, expected)


def test_the_plain_interval_covers_its_own_expectation(plant) -> None:
    alphas = np.array([fit_power_law(pca_spectrum(plant(120, 50, seed=seed)), RANKS).alpha for seed in range(200)])
    covered, widths = [], []
    for seed in range(60):
        low, high = estimate(plant(120, 50, seed=seed), "pca", RANKS, bootstraps=25, generator=source(seed)).alpha_interval
        covered.append(low < alphas.mean() < high)
        widths.append(high - low)
    assert sum(covered) >= 53
    assert 0.9 < np.mean(widths) / (2 * 1.96 * alphas.std(ddof=1)) < 1.5


def test_groups_of_stimuli_make_plain_intervals_wider(plant) -> None:
    # Each stimulus is shown five times under another name: there are only 100 independent ones.
    responses = np.repeat(plant(100, 40, strength=0.2), 5, axis=1)
    labelled = xr.DataArray(responses, dims=("repeat", "stimulus", "unit"), coords={"group": ("stimulus", np.repeat(np.arange(100), 5))})
    alone, together = (estimate(data, "pca", (3, 15), bootstraps=50, generator=source()).alpha_interval for data in (responses, labelled))
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


def test_one_repeat_is_enough_for_pca_alone(plant) -> None:
    responses = plant(80, 40, repeats=1, strength=0.0)
    assert estimate(responses, "pca", RANKS, generator=source()).alpha == pytest.approx(1.0, abs=0.2)
    for estimator in set(ESTIMATORS) - {"pca"}:
        with pytest.raises(InputError, match=f"one repeat only, and the estimator '{estimator}' needs two; use 'pca'"):
            estimate(responses, estimator, RANKS, generator=source())


def test_unknown_estimators_are_refused(plant, monkeypatch: pytest.MonkeyPatch) -> None:
    # Annotations refuse the name before in the tests; a notebook has none.
    unchecked = getattr(estimate, "__wrapped__", estimate)
    with pytest.raises(InputError, match="estimator 'cvpac' does not exist; did you mean 'cvpca'"):
        unchecked(plant(20, 10), "cvpac", (2, 8), generator=source())
