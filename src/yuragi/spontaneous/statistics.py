"""Statistics of spontaneous activity that an autoregression should reproduce, and their comparison with surrogates."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import scipy.signal
import xarray as xr
from jaxtyping import Float

from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.spontaneous.recordings import checked_recording, sampling_interval_of
from yuragi.spontaneous.var_model import VARFit


def lag_one_autocorrelation(recording: xr.DataArray) -> xr.DataArray:
    """r_i = Σ_t z_{t,i} z_{t-1,i} / Σ_t z_{t,i}² of each unit i, with z the activity less its mean.

    recording
        activity (time, unit)

    >>> slow = xr.DataArray(np.repeat([[0.0], [1.0]], 50, axis=0), dims=("time", "unit"))
    >>> round(float(lag_one_autocorrelation(slow)[0]), 2)
    0.97
    """
    recording = checked_recording(recording)
    return xr.DataArray(_autocorrelation(recording.values, 1)[1], dims="unit", coords={"unit": recording["unit"].values})


def autocorrelation(recording: xr.DataArray, most: int = 10) -> xr.DataArray:
    """r_i(l) = Σ_t z_{t,i} z_{t-l,i} / Σ_t z_{t,i}² of each unit at lags l = 0 … ``most`` (lag, unit)."""
    recording = checked_recording(recording)
    _check_lag(most, recording.sizes["time"])
    coords = {"lag": np.arange(most + 1), "unit": recording["unit"].values}
    return xr.DataArray(_autocorrelation(recording.values, most), dims=("lag", "unit"), coords=coords)


def lagged_correlation(recording: xr.DataArray, lag: int = 1) -> xr.DataArray:
    """R_ij = Σ_t z_{t,i} z_{t-lag,j} / sqrt(Σ_t z_{t,i}² Σ_t z_{t,j}²): unit i now with unit j ``lag`` frames ago (unit, other_unit)."""
    recording = checked_recording(recording)
    _check_lag(lag, recording.sizes["time"])
    units = recording["unit"].values
    coords = {"unit": units, "other_unit": units}
    return xr.DataArray(_lagged_correlation(recording.values, lag), dims=("unit", "other_unit"), coords=coords)


def spatial_spectrum(recording: xr.DataArray) -> xr.DataArray:
    """The eigenvalues of the covariance between units over ``rank`` (1-based, largest first), as many as frames and units allow."""
    values = _spatial_spectrum(checked_recording(recording).values)
    return xr.DataArray(values, dims="rank", coords={"rank": np.arange(1, len(values) + 1)})


def power_spectral_density(recording: xr.DataArray, segment: int = 256) -> xr.DataArray:
    """Welch's power spectral density of each unit (frequency, unit), one-sided, in squared activity per hertz.

    Frequencies lie between 0 and the Nyquist frequency, both excluded: at 0 next to nothing is left once means are removed, and at the Nyquist
    frequency, which has no negative counterpart, a one-sided density is half of what its neighbours tell.

    recording
        activity (time, unit); without a sampling interval the frequency is in cycles per frame
    segment
        frames in a window (Hann, half overlapping, mean removed), at least 3; the whole recording where that is shorter

    >>> noise = xr.DataArray(np.random.default_rng(0).standard_normal((4096, 1)), dims=("time", "unit"))
    >>> power = power_spectral_density(noise, segment=64)
    >>> power["frequency"].size, round(float(power.mean()), 1)
    (31, 2.0)
    """
    recording = checked_recording(recording)
    frequencies, power = _power(recording.values, sampling_interval_of(recording), segment)
    coords = {"frequency": frequencies, "unit": recording["unit"].values}
    return xr.DataArray(power, dims=("frequency", "unit"), coords=coords)


def compare(recording: xr.DataArray, fit: VARFit, generator: np.random.Generator, simulations: int = 20) -> pd.DataFrame:
    """A measured recording against surrogates of the same length from its fitted autoregression.

    Both are described in the fitted space (units, or scores of the fitted components), so a fit on components is judged on what it models;
    ``fit.explained_variance`` tells the rest. `low` and `high` are the smallest and largest of m simulations: a recording drawn from the model
    lies inside them with probability (m - 1) / (m + 1) at each position, 0.90 for 20.

    The coefficients carry the noise of their estimation and each surrogate adds its own, so singular values and small eigenvalues of surrogates
    lie high even where the model is true, and what was fitted (lag one) agrees almost by construction. How much of a difference that explains,
    a surrogate tells that is fitted and compared in the recording's place.

    The rows, told apart by the column ``statistic``, with what ``position`` counts in the column ``axis``:

    - lag_one_autocorrelation: of each fitted variable, numbered from 1 (axis "unit" or "component")
    - autocorrelation: the mean over variables at each lag, in frames (axis "lag")
    - lag_one_correlation: singular values of the matrix of lag-one correlations between variables (axis "rank")
    - spatial_spectrum: eigenvalues of the covariance (axis "rank")
    - power_spectral_density: mean over variables scaled to unit variance (axis "frequency", hertz or cycles per frame, as `power_spectral_density`)

    recording
        activity (time, unit), the one that was fitted
    simulations
        m, at least 2

    Returns a table with the columns statistic, axis, position, measured, simulated (mean), low, high; the last three are NaN where the fit is not
    stationary (spectral radius of 1 or more), because then it cannot be simulated.

    >>> generator = np.random.default_rng(0)
    >>> from yuragi.spontaneous.var import fit_var
    >>> noise = xr.DataArray(generator.standard_normal((400, 2)), dims=("time", "unit"))
    >>> table = compare(noise, fit_var(noise, order=1), generator, simulations=5)
    >>> list(table.columns)
    ['statistic', 'axis', 'position', 'measured', 'simulated', 'low', 'high']
    """
    if simulations < 2:
        raise InputError(f"simulations={simulations}: give at least 2, or no range can be told")
    measured = fit.scores(recording)
    table = _described(measured.values, fit)
    if not fit.spectral_radius < 1:
        return table.assign(simulated=np.nan, low=np.nan, high=np.nan)
    draws = np.empty((simulations, len(table)))
    for index in track(range(simulations), "surrogates"):
        surrogate = fit.scores(fit.simulate(measured.sizes["time"], generator))
        draws[index] = _described(surrogate.values, fit)["measured"]
    return table.assign(simulated=draws.mean(axis=0), low=draws.min(axis=0), high=draws.max(axis=0))


def _described(values: Float[np.ndarray, "time variable"], fit: VARFit) -> pd.DataFrame:
    frames, width = values.shape
    lags = min(10, frames - 1)
    ranks = np.arange(1, width + 1)
    by_lag = _autocorrelation(values, lags)
    spectrum = _spatial_spectrum(values)
    frequencies, power = _power(values / values.std(axis=0), fit.sampling_interval, 256)
    parts = (
        ("lag_one_autocorrelation", fit.variable, ranks, by_lag[1]),
        ("autocorrelation", "lag", np.arange(1, lags + 1), by_lag[1:].mean(axis=1)),
        ("lag_one_correlation", "rank", ranks, np.linalg.svd(_lagged_correlation(values, 1), compute_uv=False)),
        ("spatial_spectrum", "rank", np.arange(1, len(spectrum) + 1), spectrum),
        ("power_spectral_density", "frequency", frequencies, power.mean(axis=1)),
    )
    columns = ("statistic", "axis", "position", "measured")
    return pd.concat([pd.DataFrame(dict(zip(columns, part, strict=True))).astype({"position": float}) for part in parts], ignore_index=True)


def _autocorrelation(values: Float[np.ndarray, "time unit"], most: int) -> Float[np.ndarray, "lag unit"]:
    centred = values - values.mean(axis=0)
    frames = len(centred)
    products = np.stack([np.einsum("tu,tu->u", centred[lag:], centred[: frames - lag]) for lag in range(most + 1)])
    return products / products[0]


def _lagged_correlation(values: Float[np.ndarray, "time unit"], lag: int) -> Float[np.ndarray, "unit unit"]:
    centred = values - values.mean(axis=0)
    scaled = centred / np.linalg.norm(centred, axis=0)
    return scaled[lag:].T @ scaled[: len(scaled) - lag]


def _spatial_spectrum(values: Float[np.ndarray, "time unit"]) -> Float[np.ndarray, " rank"]:
    frames, units = values.shape
    centred = values - values.mean(axis=0)
    # The two Gram matrices share their eigenvalues above zero; of T centred frames T - 1 are independent.
    gram = centred @ centred.T if units > frames else centred.T @ centred
    eigenvalues = np.linalg.eigvalsh(gram)[::-1] / (frames - 1)
    return eigenvalues[: min(units, frames - 1)].clip(min=0)


def _power(
    values: Float[np.ndarray, "time unit"], sampling_interval: float, segment: int
) -> tuple[Float[np.ndarray, " frequency"], Float[np.ndarray, "frequency unit"]]:
    frames = min(segment, len(values))
    if frames < 3:
        raise InputError(f"segment={segment}, {len(values)} frames: no frequency lies between 0 and the Nyquist frequency; give 3 or more of both")
    rate = 1.0 if math.isnan(sampling_interval) else 1 / sampling_interval
    frequencies, power = scipy.signal.welch(values, fs=rate, nperseg=frames, axis=0)
    between = slice(1, (frames + 1) // 2)  # an odd number of frames has no bin at the Nyquist frequency
    return frequencies[between], power[between]


def _check_lag(lag: int, frames: int) -> None:
    if not 0 <= lag < frames:
        raise InputError(f"lag={lag}: a recording of {frames} frames has lags 0 to {frames - 1}")
