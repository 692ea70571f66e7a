"""How many dimensions a spectrum fills: the participation ratio."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import xarray as xr

from yuragi.errors import InputError, unknown

Negative = Literal["keep", "zero"]


def participation_ratio(spectrum: xr.DataArray | np.ndarray, *, negative: Negative = "keep") -> float:
    """The number of dimensions that share the variance, were it spread evenly among them.

        D = (Σ_n λ_n)² / Σ_n λ_n²

    It is N for N equal eigenvalues and 1 where one holds everything. For λ_n = n^-alpha it is set by the leading ranks when alpha > 1/2, where an
    exponent is fitted further down: the two tell different things of a spectrum.

    spectrum
        λ_n, a vector, in any unit
    negative
        what becomes of eigenvalues below zero, which cross-validation leaves: ``"keep"`` keeps them in both sums, so that Σ λ_n stays an unbiased
        estimate of the stimulus-driven variance; ``"zero"`` sets them to 0, which keeps noise of one sign only and enlarges D

    Returns a number of dimensions. It is no unbiased estimate: Σ λ_n² of an estimated spectrum holds the variance of the estimates as well, which
    lowers D, and D of a sample cannot exceed its stimuli or units. Compare areas at equal numbers of both. Raises `InputError` where the sum of the
    eigenvalues is not above zero.

    Rajan, Abbott & Sompolinsky 2010, NeurIPS; Gao et al. 2017, bioRxiv 214262.

    >>> participation_ratio(np.array([3.0, 3.0, 3.0, 3.0]))
    4.0
    >>> round(participation_ratio(np.array([4.0, 1.0, -1.0])), 3), round(participation_ratio(np.array([4.0, 1.0, -1.0]), negative="zero"), 3)
    (0.889, 1.471)
    """
    if negative not in get_args(Negative):
        raise unknown("negative", negative, get_args(Negative))
    values = np.asarray(spectrum, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise InputError(f"spectrum: shape is {values.shape}, expected a vector of eigenvalues; select one spectrum")
    if not np.isfinite(values).all():
        raise InputError(f"spectrum: {int((~np.isfinite(values)).sum())} eigenvalues are not finite; compute the spectrum from finite responses")
    if negative == "zero":
        values = np.maximum(values, 0.0)
    total = values.sum()
    if total <= 0:
        raise InputError(f"spectrum: its eigenvalues sum to {total:.3g}, not above 0, so that no variance is shared out; use more stimuli or repeats")
    values = values / total  # squares neither overflow nor vanish
    return float(1 / (values @ values))
