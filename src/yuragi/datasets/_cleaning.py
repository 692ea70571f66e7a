"""Time courses of images made comparable: trend, band and confounds removed, scale set."""

from __future__ import annotations

import math
import warnings
from typing import Literal

import lazy_loader as lazy

from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")

Scale = Literal["none", "zscore", "percent"]
ORDER = 5
"""Of the Butterworth filter, nilearn's own."""
EXPLAINED = 1e-9
"""A unit of which less than this fraction of its standard deviation is left has no signal but rounding errors."""


def clean_series(
    values: jaxtyping.Float[np.ndarray, "time unit"],
    *,
    sampling_interval: float | None = None,
    detrend: bool = True,
    low: float | None = None,
    high: float | None = None,
    confounds: jaxtyping.Float[np.ndarray, "row confound"] | None = None,
    standardise: Scale = "zscore",
    where: str = "series",
) -> jaxtyping.Float[np.ndarray, "time unit"]:
    """Trend, band, confounds and scale, in this order, through `nilearn.signal.clean`.

    values
        one column a unit; a column with a value that is not finite comes back as NaN
    sampling_interval
        seconds between frames; only a band needs it
    detrend
        subtract each column's mean and straight line
    low, high
        edges of the band in Hz; None leaves that side open. Butterworth of order 5 run forward and backward: a sine of frequency f is multiplied
        by 1 / (1 + (tan πfΔ / tan πf_edge Δ)^10), one half at the edge, without a delay
    confounds
        columns that are regressed out, by least squares, after the same trend and band were taken from them, so that the regression puts neither
        back (Lindquist et al. 2018, doi:10.1002/hbm.24528)
    standardise
        ``zscore``: mean 0 and standard deviation 1, from T − 1; ``percent``: 100 (x − mean x) / |mean of the values given|
    where
        what messages call the values

    A constant unit comes back as zeros wherever a step removes the mean, and so does one that the confounds explain to the last digit; z-scoring
    would blow up its rounding errors.

    Raises `InputError` for a band that the sampling or the number of frames does not allow, for confounds of another length, and for as many
    columns to regress out as there are frames.
    """
    n_time = len(values)
    if n_time < 3:
        raise InputError(f"{where}: {n_time} frames, but a time course needs 3 or more; give a longer run")
    if low is not None or high is not None:
        check_band(low, high, sampling_interval, n_time, where)
    if confounds is not None:
        check_confounds(confounds, n_time, detrend, where)
    found = np.full(values.shape, np.nan)
    finite = np.isfinite(values).all(axis=0)
    found[:, finite] = _clean_finite(values[:, finite].astype(np.float64), sampling_interval, detrend, low, high, confounds, standardise, where)
    return found


def _clean_finite(
    values: jaxtyping.Float[np.ndarray, "time unit"],
    sampling_interval: float | None,
    detrend: bool,
    low: float | None,
    high: float | None,
    confounds: jaxtyping.Float[np.ndarray, "row confound"] | None,
    standardise: Scale,
    where: str,
) -> jaxtyping.Float[np.ndarray, "time unit"]:
    if not values.shape[1]:
        return values
    means, spread = values.mean(axis=0), values.std(axis=0)
    cleaned = values
    if detrend or low is not None or high is not None or confounds is not None:
        from nilearn.signal import clean

        with warnings.catch_warnings():  # nilearn announces how later versions will scale confounds: a projection does not depend on it
            warnings.simplefilter("ignore", DeprecationWarning)
            cleaned = clean(
                values,
                detrend=detrend,
                standardize=None,
                confounds=None if confounds is None else confounds.astype(np.float64),
                low_pass=high,
                high_pass=low,
                t_r=sampling_interval,
            )
    scale = np.abs(values).max(axis=0)
    flat = (spread <= 4 * np.finfo(np.float64).eps * scale) | (cleaned.std(axis=0) <= EXPLAINED * spread)
    if standardise != "none":
        cleaned = cleaned - cleaned.mean(axis=0)
    if standardise == "zscore":
        cleaned = cleaned / np.where(flat, 1.0, cleaned.std(axis=0, ddof=1))
    elif standardise == "percent":
        baseless = (np.abs(means) <= EXPLAINED * scale) & ~flat
        if baseless.any():
            raise InputError(f"{where}: {int(baseless.sum())} units have a mean of 0, of which no percentage can be taken; standardise by 'zscore'")
        cleaned = 100 * cleaned / np.where(flat, 1.0, np.abs(means))
    centred = standardise != "none" or detrend or low is not None
    cleaned[:, flat] = 0.0 if centred else means[flat]
    return cleaned


def check_band(low: float | None, high: float | None, sampling_interval: float | None, n_time: int, where: str) -> None:
    """Refuse a band that is empty, lies beyond the Nyquist frequency, or needs a longer run.

    >>> check_band(0.01, 0.1, 2.0, 200, "run")
    """
    if sampling_interval is None or not math.isfinite(sampling_interval):
        raise InputError(f"{where}: a band in Hz needs the repetition time, which is not known; give repetition_time, or leave the band open")
    nyquist = 0.5 / sampling_interval
    for name, edge in (("low", low), ("high", high)):
        if edge is not None and not 0 < edge < nyquist:
            raise InputError(
                f"{where}: {name} = {edge:g} Hz lies outside 0 to {nyquist:g} Hz, half the sampling rate at a repetition time of "
                f"{sampling_interval:g} s; choose an edge between them, or leave it out"
            )
    if low is not None and high is not None and low >= high:
        raise InputError(f"{where}: the band from low = {low:g} to high = {high:g} Hz is empty; give low < high")
    edges, kind = ([low, high], "band") if None not in (low, high) else ((low, "high") if high is None else (high, "low"))
    from scipy.signal import butter

    sections = butter(ORDER, edges, kind, output="sos", fs=1 / sampling_interval)
    taps = 2 * len(sections) + 1 - min((sections[:, 2] == 0).sum(), (sections[:, 5] == 0).sum())
    padding = 3 * int(taps) + 1  # what sosfiltfilt reflects at either end
    cycle = 0 if low is None else math.ceil(1 / (low * sampling_interval) - 1e-9)
    needed = max(padding, cycle)
    if n_time < needed:
        reason = f"one cycle of low = {low:g} Hz" if cycle > padding else "the filter's ends"
        raise InputError(f"{where}: {n_time} frames, but {reason} takes {needed}; give a longer run, or widen the band")


def check_confounds(confounds: jaxtyping.Float[np.ndarray, "row confound"], n_time: int, detrend: bool, where: str) -> None:
    """Refuse confounds of another length, with missing values, or too many of them."""
    rows, columns = confounds.shape
    if rows != n_time:
        raise InputError(f"{where}: {n_time} frames but {rows} rows of confounds; give the confounds of this run, one row a volume")
    if not np.isfinite(confounds).all():
        lacking = np.flatnonzero(~np.isfinite(confounds).all(axis=0))
        raise InputError(f"{where}: confound columns {', '.join(map(str, lacking[:5]))} have missing values; fill or leave out these columns")
    removed = columns + 1 + detrend
    if removed >= n_time:
        raise InputError(f"{where}: {columns} confounds with mean and trend are {removed} columns for {n_time} frames; name fewer confounds")
