"""Fitting a vector autoregression to a recording of spontaneous activity."""

from __future__ import annotations

import numpy as np
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous.lagged import LaggedFit, fit_lags
from yuragi.spontaneous.recordings import checked_recording, sampling_interval_of
from yuragi.spontaneous.reduction import PrincipalComponents, leading_components
from yuragi.spontaneous.var_model import VARFit


def fit_var(recording: xr.DataArray, order: str | int = "bic", max_order: int = 5, components: str | int | None = "auto") -> VARFit:
    """Fit a vector autoregression to a recording by least squares.

    y_t = c + Σ_{l=1…p} A_l y_{t-l} + e_t,  cov(e) = Q

    with y_t the units' activity in frame t, or the scores of its leading principal components. Q is the residual sum of squares over
    n - pK - 1, with n = T - p frames and K variables. The order is the one that makes smallest

    BIC(p) = ln det Σ̃_p + (ln n / n) p K²,  Σ̃_p = residual sum of squares / n,  n = T - max_order,

    where all orders are fitted to the same last n frames; the fit itself then uses all T - p frames. Memory: a copy of the
    recording and a Gram matrix of size K (max_order + 1); lags are never laid side by side.

    recording
        y (time, unit), stationary, equally spaced in time, without missing values; demeaned or not
    order
        p, or "bic" to choose it among 1 … max_order
    max_order
        the highest order tried by "bic"
    components
        None fits all units; a number fits that many leading principal components (of the covariance, not of the correlation). "auto" fits all
        units when T ≥ 10 N p, that is with at least 10 frames for each coefficient of an equation; otherwise the leading T // (10 p) components,
        or fewer if fewer explain 95 % of the variance. p is ``max_order`` while "bic" chooses, and the chosen order in the fit itself

    An `InputError` tells missing values, constant units, gaps in time, a recording too short for the order, a singular covariance.

    Source: Lütkepohl 2005, New Introduction to Multiple Time Series Analysis, §3.2 (least squares), §4.3 (order).

    >>> generator = np.random.default_rng(0)
    >>> noise = generator.standard_normal((2000, 3))
    >>> activity = np.zeros((2000, 3))
    >>> for t in range(1, 2000):
    ...     activity[t] = 0.8 * activity[t - 1] + noise[t]
    >>> fit = fit_var(xr.DataArray(activity, dims=("time", "unit"), name="recording"))
    >>> fit.order, round(fit.spectral_radius, 1)
    (1, 0.8)
    """
    highest = _highest_order(order, max_order)
    recording = checked_recording(recording)
    mean = recording.mean("time")
    fit, kept, labels = _fitted(recording, mean, components, highest)
    criterion = bic(fit)
    chosen = highest
    if order != "bic":
        criterion = criterion[-1:]
    elif (chosen := int(criterion["order"].values[criterion.values.argmin()])) < highest:
        # Fewer lags leave frames for more components.
        fit, kept, labels = _fitted(recording, mean, components, chosen)
    variable = "unit" if kept is None else "component"
    second = f"other_{variable}"
    labelled = {variable: labels, second: labels}
    return VARFit(
        coefficients=xr.DataArray(fit.coefficients, dims=("lag", variable, second), coords={"lag": np.arange(1, chosen + 1), **labelled}),
        noise_covariance=xr.DataArray(fit.residual[-1] / (fit.frames - chosen * len(labels) - 1), dims=(variable, second), coords=labelled),
        intercept=xr.DataArray(fit.intercept, dims=variable, coords={variable: labels}),
        criterion=criterion,
        mean=xr.DataArray(mean.values, dims="unit", coords={"unit": recording["unit"].values}),
        loadings=None if kept is None else kept.loadings,
        explained_variance=1.0 if kept is None else float(kept.shares.sum()),
        sampling_interval=sampling_interval_of(recording),
        n_frames=recording.sizes["time"],
    )


def _fitted(
    recording: xr.DataArray, mean: xr.DataArray, components: str | int | None, order: int
) -> tuple[LaggedFit, PrincipalComponents | None, np.ndarray]:
    """The fits of all orders up to ``order``, the components that they are made on (None: the units themselves), and the variables' labels."""
    kept = leading_components(recording, components, order)
    if kept is None:
        variable, values, labels = "unit", recording.values, recording["unit"].values
    else:
        variable, labels = "component", kept.loadings["component"].values
        values = (recording.values - mean.values) @ kept.loadings.values.T
    _check_length(values, order, variable)
    return fit_lags(values, order, [f"{variable} {label}" for label in labels]), kept, labels


def bic(fit: LaggedFit) -> xr.DataArray:
    """BIC(p) = ln det Σ̃_p + (ln n / n) p K² for p = 1 … P, all on the same n frames."""
    orders = np.arange(1, len(fit.residual) + 1)
    units = fit.residual.shape[-1]
    log_determinants = np.linalg.slogdet(fit.residual / fit.frames).logabsdet
    values = log_determinants + np.log(fit.frames) / fit.frames * orders * units**2
    return xr.DataArray(values, dims="order", coords={"order": orders}, name="bic")


def _highest_order(order: str | int, max_order: int) -> int:
    name, value = ("max_order", max_order) if order == "bic" else ("order", order)
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value!r}: give a whole number of at least 1" + (" or 'bic'" if name == "order" else ""))
    return int(value)


def _check_length(values: np.ndarray, order: int, variable: str) -> None:
    frames, width = values.shape
    # The residuals of K equations with pK + 1 coefficients each need K frames more for a covariance of full rank.
    needed = order + width * order + 1 + width
    if frames < needed:
        raise InputError(
            f"recording: {frames} frames are too few for order {order} with {width} {variable}s, "
            f"{width * order + 1} coefficients an equation: {needed} are needed; "
            "lower order or max_order, or fit fewer leading components (components=...)"
        )
