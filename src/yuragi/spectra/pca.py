"""Plain principal component analysis of averaged responses: the spectrum with the noise left in."""

from __future__ import annotations

import numpy as np
import xarray as xr

from yuragi.spectra.cvpca import smaller_side, spectrum_array
from yuragi.spectra.repeats import averaged, response_array


def pca_spectrum(responses: xr.DataArray | np.ndarray) -> xr.DataArray:
    """The eigenvalues of the covariance of repeat-averaged responses: signal and what noise the averaging leaves.

        λ_n = n-th eigenvalue of X' X / (S - 1),     X[s, i] = mean over repeats, each unit's mean over stimuli removed

    It stands beside `yuragi.spectra.cvpca.cvpca` to show the bias: white noise of variance σ² and R repeats lift every λ_n by about σ²/R, and the
    exponent comes out too small.

    responses
        `(repeat, stimulus, unit)`, S stimuli, in any unit of response; NaN marks a missing repeat; one repeat is enough

    Returns the spectrum over `rank` (1-based), in squared units of response, of length min(S - 1, units). Raises `InputError` where a unit has
    no repeat of a stimulus.

    >>> x = np.random.default_rng(0).standard_normal((2, 300, 3)) * [3, 2, 1]
    >>> pca_spectrum(x).round(0).values
    array([5., 2., 0.])
    """
    repeats, stimuli, units = response_array(responses).shape
    mean = averaged(responses)
    mean -= mean.mean(axis=0)
    gram = mean @ mean.T if smaller_side(stimuli, units) == "stimulus" else mean.T @ mean
    eigenvalues = np.linalg.eigvalsh(gram)[::-1][: min(stimuli - 1, units)] / (stimuli - 1)
    # Rounding may leave a null direction slightly below zero, which no covariance has.
    return spectrum_array(np.maximum(eigenvalues, 0.0), {"estimator": "pca", "stimuli": stimuli, "units": units, "repeats": repeats})
