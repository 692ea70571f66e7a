"""How far a fitted autoregression would move if the same process had been recorded again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from yuragi import autoregression
from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.spontaneous.structures import estimate
from yuragi.spontaneous.var_model import VARFit


class ModelIntervals(NamedTuple):
    """Intervals of what a brain target takes over from a fitted autoregression; see `model_intervals`."""

    eigenvalues: Float[np.ndarray, "component 2"]
    spectral_radius: tuple[float, float]


def model_intervals(fit: VARFit, *, bootstraps: int = 100, level: float = 0.95, generator: np.random.Generator) -> ModelIntervals:
    """Intervals of the shares of variance and of the spectral radius, by simulating the fit and fitting the simulations.

        θ̂ ± (quantiles of θ* - θ̂, reflected),     θ = log λ_k / Σ λ  and  log(1 - ρ),     θ* from the b-th simulation, b = 1 … B

    with λ the eigenvalues of the stationary covariance and ρ the spectral radius. The reflection (the basic bootstrap) takes out the bias that
    fitting has: a fit to few frames spreads the eigenvalues of the companion matrix. On these scales λ stays above 0 and ρ below 1.

    fit
        a stationary autoregression of T frames; simulations have as many and are fitted in the same space with the same order, structure and penalty
    bootstraps
        B, at least 20
    level
        coverage
    generator
        draws the simulations

    An `InputError` tells a fit that is not stationary or so near it that no simulation is fitted as stationary, and a fit with fewer frames than
    its order asks for.

    Source: Davison & Hinkley 1997, Bootstrap Methods and their Application, §5.2.

    >>> from yuragi.spontaneous.var import fit_var
    >>> import xarray as xr
    >>> generator = np.random.default_rng(0)
    >>> fit = fit_var(xr.DataArray(generator.standard_normal((400, 3)), dims=("time", "unit")), order=1)
    >>> intervals = model_intervals(fit, bootstraps=20, generator=generator)
    >>> intervals.eigenvalues.shape, intervals.spectral_radius[1] < 1
    ((3, 2), True)
    """
    if bootstraps < 20:
        raise InputError(f"bootstraps = {bootstraps}: an interval needs 20 at least; 100 are customary")
    if not 0 < level < 1:
        raise InputError(f"level: {level}, expected a coverage between 0 and 1; 0.95 is customary")
    names = [f"{fit.variable} {label}" for label in fit.intercept[fit.variable].values]
    own = _transformed(fit.coefficients.values, fit.noise_covariance.values)
    draws = []
    for _ in track(range(bootstraps), "intervals of the autoregression"):
        simulated = fit.scores(fit.simulate(fit.n_frames, generator)).values
        again = estimate([simulated], fit.order, fit.structure, names, "bic" if fit.penalty is None else fit.penalty)
        # A simulation near the border may be fitted as unstable: it tells that the radius reaches 1, and nothing of the eigenvalues.
        stable = autoregression.spectral_radius(again.coefficients) < 1
        draws.append(_transformed(again.coefficients, again.noise_covariance) if stable else np.append(np.full(len(names), np.nan), -np.inf))
    if np.isnan(draws).any(axis=1).all():
        raise InputError(
            f"fit: none of {bootstraps} simulations is fitted as stationary, the spectral radius is {fit.spectral_radius:.4f}; "
            "remove slow drifts from the recording, fit fewer components, or ask for no intervals (bootstraps: 0 in a configuration)"
        )
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
    with np.errstate(over="ignore"):
        ends = np.stack([2 * own - high, 2 * own - low])
    radius = 1 - np.exp(ends[:, -1])
    return ModelIntervals(np.exp(ends[:, :-1]).T, (max(float(radius[1]), 0.0), float(radius[0])))


def _transformed(
    coefficients: Float[np.ndarray, "lag variable variable"], noise: Float[np.ndarray, "variable variable"]
) -> Float[np.ndarray, " all"]:
    """log of each component's share of the stationary variance, largest first, and log(1 - spectral radius)."""
    variances = np.linalg.eigvalsh(autoregression.autocovariance(coefficients, noise, 0))[::-1]
    return np.append(np.log(variances / variances.sum()), np.log1p(-autoregression.spectral_radius(coefficients)))
