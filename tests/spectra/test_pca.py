from __future__ import annotations

import numpy as np
import pytest

from yuragi.errors import InputError
from yuragi.spectra.cvpca import cvpca
from yuragi.spectra.pca import pca_spectrum
from yuragi.spectra.power_law import fit_power_law


@pytest.mark.parametrize(("stimuli", "units"), [(60, 25), (25, 60)])
def test_it_is_the_covariance_of_the_averaged_responses(plant, stimuli: int, units: int) -> None:
    responses = plant(stimuli, units, repeats=4) + 5.0
    responses[1, :10, 3:6] = np.nan
    before = responses.copy()
    expected = np.linalg.eigvalsh(np.cov(np.nanmean(responses, axis=0).T))[::-1][: min(stimuli - 1, units)]
    spectrum = pca_spectrum(responses)
    np.testing.assert_allclose(spectrum, expected, rtol=1e-9)
    np.testing.assert_array_equal(responses, before)
    assert spectrum.attrs == {"estimator": "pca", "stimuli": stimuli, "units": units, "repeats": 4}


def test_white_noise_flattens_plain_pca_more_than_cvpca(plant) -> None:
    responses = plant(1000, 300, alpha=1.2)
    plain = fit_power_law(pca_spectrum(responses), (11, 150)).alpha
    cross_validated = fit_power_law(cvpca(responses, shuffles=2, generator=np.random.default_rng(0)), (11, 150)).alpha
    assert plain < 1.2 - 0.2 < cross_validated < 1.2


def test_one_repeat_is_enough_and_none_is_not(plant) -> None:
    responses = plant(30, 10)
    assert pca_spectrum(responses[:1]).sizes["rank"] == 10
    responses[:, 4, 2] = np.nan
    with pytest.raises(InputError, match="1 of 30 stimuli have no repeat"):
        pca_spectrum(responses)


def test_a_null_direction_is_never_negative(plant) -> None:
    responses = plant(40, 10)
    assert (pca_spectrum(np.concatenate([responses, responses], axis=2)) >= 0).all()
