"""How much of the responses' variance the stimuli drive, and how much changes from trial to trial."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float

from yuragi.errors import InputError
from yuragi.spectra.repeats import Repeats


def variance_ratio(responses: xr.DataArray | np.ndarray) -> float:
    """Trial-to-trial variance over stimulus-driven variance, each summed over units.

        noise_variance(x) / signal_variance(x)

    responses
        `(repeat, stimulus, unit)`, in any unit of response; at least two repeats of every stimulus, NaN where one is missing

    Raises `InputError` where the estimate of the stimulus-driven variance is not above zero.

    >>> generator = np.random.default_rng(0)
    >>> responses = generator.standard_normal((1000, 20)) + 2 * generator.standard_normal((3, 1000, 20))
    >>> round(variance_ratio(responses))
    4
    """
    noise, signal = _summed(responses)
    if signal <= 0:
        raise InputError(f"responses: their stimulus-driven variance is estimated as {signal:.3g}, not above 0; use more stimuli, repeats or units")
    return noise / signal


def noise_variance(responses: xr.DataArray | np.ndarray) -> float:
    """The variance of single trials around their stimulus's mean, summed over units.

        Σ_i mean_s v_si,     v_si = Σ_r (x_rsi - x̄_si)² / (R_si - 1)

    Each v_si is unbiased whatever its number of repeats R_si, and all stimuli count alike.

    responses
        x, `(repeat, stimulus, unit)`; at least two repeats of every stimulus, NaN where one is missing

    Returns squared units of response.
    """
    return _summed(responses)[0]


def signal_variance(responses: xr.DataArray | np.ndarray) -> float:
    """The variance over stimuli of the expected responses, summed over units; noise adds nothing to its expectation.

        Σ_i [ Σ_s (x̄_si - x̄_i)² / (S - 1)  -  mean_s v_si / R_si ]

    with v_si as in `noise_variance`. This is the variance over stimuli with every square replaced by the mean product of two different repeats,
    and it is what the cross-validated spectrum (`yuragi.spectra.cvpca.cvpca`) sums to on average over all divisions of the repeats.

    responses
        x, `(repeat, stimulus, unit)`, S stimuli; at least two repeats of every stimulus, NaN where one is missing

    Returns squared units of response; it may be negative where noise prevails.
    """
    return _summed(responses)[1]


def _summed(responses: xr.DataArray | np.ndarray) -> tuple[float, float]:
    noise, signal = _by_unit(Repeats.of(responses))
    return float(noise.sum()), float(signal.sum())


def _by_unit(repeats: Repeats) -> tuple[Float[np.ndarray, " unit"], Float[np.ndarray, " unit"]]:
    """Noise and signal variance of each unit, in double precision."""
    here = True if repeats.available is None else repeats.available
    counts = np.float64(len(repeats.values)) if repeats.available is None else repeats.available.sum(axis=0, dtype=np.float64)
    mean = repeats.values.sum(axis=0, dtype=np.float64) / counts  # missing ones are zero
    within = np.square(repeats.values - mean, where=here, out=np.zeros(repeats.values.shape)).sum(axis=0) / (counts - 1)
    return within.mean(axis=0), mean.var(axis=0, ddof=1) - (within / counts).mean(axis=0)
