"""Fitting a vector autoregression to a recording of spontaneous activity."""

from __future__ import annotations

import numpy as np
import xarray as xr

from yuragi.spontaneous.lagged import fit_lags
from yuragi.spontaneous.recordings import checked_recording, sampling_interval_of
from yuragi.spontaneous.reduction import PrincipalComponents, leading_components
from yuragi.spontaneous.selection import RULES, bic, checked_penalty, criterion_of_orders, highest_order, over_orders
from yuragi.spontaneous.structures import Estimate, check_length, check_structure, estimate
from yuragi.spontaneous.var_model import VARFit

__all__ = ["VARFit", "bic", "fit_var", "select_order"]


def fit_var(
    recording: xr.DataArray,
    order: str | int = "bic",
    max_order: int = 5,
    components: str | int | None = "auto",
    structure: str = "full",
    penalty: str | float | None = None,
) -> VARFit:
    """Fit a vector autoregression to a recording by least squares.

    y_t = c + Σ_{l=1…p} A_l y_{t-l} + e_t,  cov(e) = Q

    with y_t the units' activity in frame t, or the scores of its leading principal components. Q is the residual sum of squares over
    n - pK - 1, with n = T - p frames and K variables (over n less the coefficients of an equation, where those are fewer). The order "bic" is the
    one that makes smallest

    BIC(p) = ln det Σ̃_p + (ln n / n) k,  Σ̃_p = residual sum of squares / n,  n = T - max_order,

    with k = p K² coefficients (p K for a diagonal structure, those that are not 0 for a sparse one), where all orders are fitted to the same last n
    frames; the fit itself then uses all T - p frames. The order "held_out" makes smallest the squared error one frame ahead in five contiguous
    blocks, each predicted from the others: the mean over variables of Σ (y - ŷ)² / Σ (y - mean of the training frames)². Memory: a copy of the
    recording and a Gram matrix of size K (max_order + 1); lags are never laid side by side.

    recording
        y (time, unit), stationary, equally spaced in time, without missing values; demeaned or not
    order
        p, or "bic" or "held_out" to choose it among 1 … max_order
    max_order
        the highest order tried by "bic" and "held_out"
    components
        None fits all units; a number fits that many leading principal components (of the covariance, not of the correlation). "auto" fits all
        units when T ≥ 10 N p, that is with at least 10 frames for each coefficient of an equation; otherwise the leading T // (10 p) components,
        or fewer if fewer explain 95 % of the variance. p is ``max_order`` while the order is chosen, and the chosen order in the fit itself. A
        structure that is not full has few coefficients in an equation, and "auto" keeps all units as long as T > N + 10 p
    structure
        "full": every A_l[i, j]; "diagonal": each unit's own past alone, A_l[i, i]; "sparse": the lasso, see `yuragi.spontaneous.sparse.fit_sparse`.
        Innovations are correlated between units in all of them
    penalty
        of the sparse structure: "bic", "held_out" or a share of the smallest penalty that leaves no coefficient, above 0 and at most 1. None: by the
        rule that chooses the order, "bic" where it is given

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
    >>> fit_var(xr.DataArray(activity, dims=("time", "unit")), structure="diagonal").n_parameters
    6
    """
    highest = highest_order(order, max_order)
    check_structure(structure)
    penalty = checked_penalty(structure, penalty, order)
    recording = checked_recording(recording)
    mean = recording.values.mean(axis=0)
    values, kept, labels = _space(recording, mean, components, highest, structure)
    chosen, criterion, highest_fit = highest, None, None
    if order in RULES:
        criterion, highest_fit = criterion_of_orders([values], highest, structure, _names(kept, labels), penalty, str(order))
        chosen = int(criterion["order"].values[criterion.values.argmin()])
    if criterion is None or chosen < highest or highest_fit is None:
        # Fewer lags leave frames for more components.
        values, kept, labels = _space(recording, mean, components, chosen, structure)
        found = estimate([values], chosen, structure, _names(kept, labels), penalty)
    else:
        found = highest_fit
    if criterion is None:
        criterion = over_orders([found.bic], [chosen], "bic")
    return _described(found, recording, mean, kept, labels, criterion, structure)


def select_order(recording: xr.DataArray, max_order: int = 5) -> xr.Dataset:
    """Information criteria of the full autoregressions of order 1 … max_order on all units, fitted to the same frames from one Cholesky factor.

    ln det Σ̃_p + c k / n  with n = T - max_order,  k = p K² + K (constants counted, as statsmodels does),  Σ̃_p = residual sum of squares / n

    with c = 2 for AIC, ln n for BIC, 2 ln ln n for HQIC. The order to choose has the smallest value.

    recording
        y (time, unit)
    max_order
        P, the highest order

    Returns ``aic``, ``bic``, ``hqic`` over ``order``.

    Source: Lütkepohl 2005, §4.3.

    >>> noise = xr.DataArray(np.random.default_rng(0).standard_normal((500, 3)), dims=("time", "unit"))
    >>> int(select_order(noise, 4)["bic"].idxmin("order"))
    1
    """
    highest = highest_order("bic", max_order)
    recording = checked_recording(recording)
    names = [f"unit {label}" for label in recording["unit"].values]
    check_length([recording.values], highest, "full", names)
    fit = fit_lags(recording.values, highest, names)
    n, units = fit.frames, len(names)
    orders = np.arange(1, highest + 1)
    coefficients = orders * units**2 + units
    weights = {"aic": 2.0, "bic": np.log(n), "hqic": 2 * np.log(np.log(n))}
    likelihood = fit.log_determinants - units * np.log(n)
    return xr.Dataset({name: ("order", likelihood + weight * coefficients / n) for name, weight in weights.items()}, coords={"order": orders})


def _space(
    recording: xr.DataArray, mean: np.ndarray, components: str | int | None, order: int, structure: str
) -> tuple[np.ndarray, PrincipalComponents | None, np.ndarray]:
    """What is fitted (time, variable), the components that it is made of (None: the units themselves), and the variables' labels."""
    frames, units = recording.shape
    if components == "auto" and structure != "full" and frames > units + 10 * order:
        components = None
    kept = leading_components(recording, components, order)
    if kept is None:
        return recording.values, None, recording["unit"].values
    return (recording.values - mean) @ kept.loadings.values.T, kept, kept.loadings["component"].values


def _described(
    found: Estimate,
    recording: xr.DataArray,
    mean: np.ndarray,
    kept: PrincipalComponents | None,
    labels: np.ndarray,
    criterion: xr.DataArray,
    structure: str,
) -> VARFit:
    variable = "unit" if kept is None else "component"
    second = f"other_{variable}"
    labelled = {variable: labels, second: labels}
    lags = np.arange(1, len(found.coefficients) + 1)
    inverse = found.inverse_gram
    return VARFit(
        coefficients=xr.DataArray(found.coefficients, dims=("lag", variable, second), coords={"lag": lags, **labelled}),
        noise_covariance=xr.DataArray(found.noise_covariance, dims=(variable, second), coords=labelled),
        intercept=xr.DataArray(found.intercept, dims=variable, coords={variable: labels}),
        criterion=criterion,
        mean=xr.DataArray(mean, dims="unit", coords={"unit": recording["unit"].values}),
        loadings=None if kept is None else kept.loadings,
        explained_variance=1.0 if kept is None else float(kept.shares.sum()),
        sampling_interval=sampling_interval_of(recording),
        n_frames=recording.sizes["time"],
        structure=structure,
        inverse_gram=None if inverse is None else xr.DataArray(inverse, dims=("lag", second), coords={"lag": lags, second: labels}),
        penalty=found.penalty,
    )


def _names(kept: PrincipalComponents | None, labels: np.ndarray) -> list[str]:
    variable = "unit" if kept is None else "component"
    return [f"{variable} {label}" for label in labels]
