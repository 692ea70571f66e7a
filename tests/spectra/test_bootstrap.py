from __future__ import annotations

import numpy as np
import pytest

from yuragi.errors import InputError
from yuragi.spectra.bootstrap import alpha_interval, bootstrap_exponent
from yuragi.spectra.cvpca import cvpca
from yuragi.spectra.power_law import PowerLawFit, fit_power_law


def fitted(responses: np.ndarray, seed: int, ranks: tuple[int, int] = (5, 40)) -> PowerLawFit:
    return fit_power_law(cvpca(responses, shuffles=3, generator=np.random.default_rng(seed)), ranks)


@pytest.mark.parametrize(("stimuli", "units", "noise"), [(160, 60, "white"), (100, 140, "signal")])
def test_it_covers_the_estimators_own_expectation(plant, stimuli: int, units: int, noise: str) -> None:
    alphas = np.array([fitted(plant(stimuli, units, noise=noise, seed=seed), seed).alpha for seed in range(150)])
    covered, widths = [], []
    for seed in range(40):
        responses = plant(stimuli, units, noise=noise, seed=seed)
        fit = fitted(responses, seed)
        low, high = alpha_interval(responses, fit, bootstraps=25, generator=np.random.default_rng(seed))
        covered.append(low < alphas.mean() < high)
        widths.append(high - low)
    # With the binomial spread of 40 trials, 95 % shows as 35 or more in 97 of 100 cases.
    assert sum(covered) >= 35
    assert 0.9 < np.mean(widths) / (2 * 1.96 * alphas.std(ddof=1)) < 1.5


def test_the_fit_keeps_everything_but_gains_the_interval(plant) -> None:
    responses = plant(120, 50, repeats=3)
    responses[2, :20] = np.nan
    before = responses.copy()
    spectrum = cvpca(responses, generator=np.random.default_rng(0))
    fit = fit_power_law(spectrum, (3, 30), weights="uniform", negative="drop")
    narrow, wide = (bootstrap_exponent(responses, fit, bootstraps=20, level=level, generator=np.random.default_rng(1)) for level in (0.5, 0.95))
    np.testing.assert_array_equal(responses, before)
    assert wide.alpha_interval[0] < narrow.alpha_interval[0] < fit.alpha < narrow.alpha_interval[1] < wide.alpha_interval[1]
    assert (wide.alpha, wide.weights, wide.negative, wide.ranks) == (fit.alpha, "uniform", "drop", (3, 30))
    again = bootstrap_exponent(responses, fit, bootstraps=20, generator=np.random.default_rng(1))
    assert again == wide


def test_more_stimuli_are_kept_where_the_ranks_need_them(plant) -> None:
    responses = plant(60, 80)
    low, high = alpha_interval(responses, fitted(responses, 0, (5, 55)), bootstraps=10, generator=np.random.default_rng(0))
    assert low < high
    with pytest.raises(InputError, match=r"rank 59 needs all 60 stimuli.*end the ranks at 58"):
        alpha_interval(responses, fitted(responses, 0, (5, 59)), bootstraps=10, generator=np.random.default_rng(0))


@pytest.mark.parametrize("wrong", [{"bootstraps": 1}, {"shuffles": 0}, {"level": 1.0}])
def test_wrong_settings_are_refused(plant, wrong: dict[str, float]) -> None:
    responses = plant(60, 30)
    with pytest.raises(InputError, match=next(iter(wrong))):
        alpha_interval(responses, fitted(responses, 0, (3, 20)), generator=np.random.default_rng(0), **wrong)
