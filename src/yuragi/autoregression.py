"""The algebra of a stationary vector autoregression of order p.

    y_t = Σ_{l=1…p} A_l y_{t-l} + e_t,    cov(e_t) = Q

Its state s_t = (y_t, y_{t-1}, …, y_{t-p+1}), newest first, follows s_t = F s_{t-1} + (e_t, 0, …, 0) with the companion matrix

        ⎡ A_1 A_2 … A_p ⎤
    F = ⎢  I   0  …  0  ⎥
        ⎣  0   …  I  0  ⎦

The process is stationary where the spectral radius of F is below 1. Order 0 is independent samples: a process of order 1 with A_1 = 0.

Arguments share their names: ``coefficients`` are A (lag, variable, other), the influence of the other, ``lag`` samples ago, on the first;
``noise_covariance`` is Q (variable, other).

Source: Lütkepohl 2005, New Introduction to Multiple Time Series Analysis, §2.1.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from yuragi.errors import InputError

# Relative to the variance: far above the rounding of float64 and of a file in float32, far below any effect of interest.
TOLERANCE = 1e-5


def companion(coefficients: Float[np.ndarray, "lag variable variable"]) -> Float[np.ndarray, "state state"]:
    """F: the coefficients A_1 … A_p side by side above a shifted identity.

    >>> companion(np.array([[[0.5]], [[0.2]]]))
    array([[0.5, 0.2],
           [1. , 0. ]])
    """
    coefficients = _with_lags(coefficients, 1)
    lags, width, _ = coefficients.shape
    return np.vstack([np.hstack(list(coefficients)), np.eye((lags - 1) * width, lags * width)])


def spectral_radius(coefficients: Float[np.ndarray, "lag variable variable"]) -> float:
    """The largest modulus of the companion matrix's eigenvalues; the process is stationary when it is below 1."""
    return float(np.abs(np.linalg.eigvals(companion(coefficients))).max())


def state_covariance(
    coefficients: Float[np.ndarray, "lag variable variable"], noise_covariance: Float[np.ndarray, "variable variable"], samples: int | None = None
) -> Float[np.ndarray, "state state"]:
    """The covariance of successive samples of the stationary process, newest first.

    V = F V F' + Q, the discrete Lyapunov equation of the state (Q in the newest block); more samples than lags are a longer state, whose further
    coefficients are 0.

    samples
        how many are described together; None: as many as there are lags, or one where there is none

    An `InputError` tells a process that is not stationary.

    >>> state_covariance(np.array([[[0.6]]]), np.array([[0.64]]), samples=2).round(12)
    array([[1. , 0.6],
           [0.6, 1. ]])
    """
    from scipy.linalg import solve_discrete_lyapunov

    check_stationary(coefficients)
    transition = companion(_with_lags(coefficients, samples or 1))
    width = len(noise_covariance)
    noise = np.zeros_like(transition)
    noise[:width, :width] = noise_covariance
    solution = solve_discrete_lyapunov(transition, noise)
    described = len(transition) if samples is None else samples * width
    return ((solution + solution.T) / 2)[:described, :described]


def autocovariances(
    coefficients: Float[np.ndarray, "lag variable variable"], noise_covariance: Float[np.ndarray, "variable variable"], most: int
) -> Float[np.ndarray, "lags variable variable"]:
    """Γ_l = E[y_t y_{t-l}'] for l = 0 … ``most``: blocks of the state's covariance, then Γ_l = Σ_j A_j Γ_{l-j}.

    An `InputError` tells a process that is not stationary.

    >>> autocovariances(np.array([[[0.5]]]), np.array([[0.75]]), 2).ravel().round(12)
    array([1.  , 0.5 , 0.25])
    """
    coefficients = _with_lags(coefficients, 1)
    newest = state_covariance(coefficients, noise_covariance)[: len(noise_covariance)]
    gamma = np.split(newest, len(coefficients), axis=1)
    for lag in range(len(coefficients), most + 1):
        gamma.append(sum(a @ gamma[lag - 1 - j] for j, a in enumerate(coefficients)))
    return np.stack(gamma[: most + 1])


def autocovariance(
    coefficients: Float[np.ndarray, "lag variable variable"], noise_covariance: Float[np.ndarray, "variable variable"], lag: int
) -> Float[np.ndarray, "variable variable"]:
    """Γ_lag alone, of any sign: Γ_{-lag} = Γ_lag'."""
    gamma = autocovariances(coefficients, noise_covariance, abs(lag))[-1]
    return gamma if lag >= 0 else gamma.T


def yule_walker(
    gamma: Float[np.ndarray, "lags variable variable"],
) -> tuple[Float[np.ndarray, "lag variable variable"], Float[np.ndarray, "variable variable"]]:
    """The coefficients and the noise covariance of the autoregression of order p that has given autocovariances at lags 0 … p.

    (A_1 … A_p) G = (Γ_1 … Γ_p) with the blocks G_ij = Γ_{j-i};    Q = Γ_0 - Σ_l A_l Γ_l'

    It predicts a process best, in the mean square, from its last p samples, and it is stationary.

    gamma
        Γ_0 … Γ_p (lag, variable, other), of some stationary process

    >>> coefficients, noise_covariance = yule_walker(np.array([[[1.0]], [[0.6]]]))
    >>> coefficients.ravel(), noise_covariance.ravel()
    (array([0.6]), array([0.64]))
    """
    order, width = len(gamma) - 1, gamma.shape[-1]
    both_signs = np.concatenate([gamma[:0:-1].transpose(0, 2, 1), gamma])
    lags = np.arange(order)[None, :] - np.arange(order)[:, None]
    past = both_signs[order + lags].transpose(0, 2, 1, 3).reshape(order * width, order * width)
    ahead = gamma[1:].transpose(1, 0, 2).reshape(width, order * width)
    stacked = np.linalg.solve(past, ahead.T).T
    noise = gamma[0] - stacked @ ahead.T
    return stacked.reshape(width, order, width).transpose(1, 0, 2), (noise + noise.T) / 2


def symmetric_root(covariance: Float[np.ndarray, "joint joint"]) -> Float[np.ndarray, "joint joint"]:
    """The symmetric R with R R = covariance: unique, and defined for singular covariances too; rounding below zero counts as zero.

    R times standard normal numbers has that covariance.

    >>> symmetric_root(np.diag([4.0, 0.0]))
    array([[2., 0.],
           [0., 0.]])
    """
    variances, directions = np.linalg.eigh(covariance)
    return (directions * np.sqrt(variances.clip(min=0))) @ directions.T


def check_stationary(coefficients: Float[np.ndarray, "lag variable variable"]) -> None:
    """An `InputError` where the spectral radius is not below 1."""
    radius = spectral_radius(coefficients)
    if not radius < 1:
        raise InputError(
            f"coefficients have spectral radius {radius:.4f}; below 1 is needed, or the process does not settle: fit fewer components or lags"
        )


def check_covariance(name: str, covariance: Float[np.ndarray, "variable variable"]) -> None:
    """An `InputError` where a matrix is no covariance: not symmetric, or with a negative eigenvalue, beyond what rounding explains.

    name
        of the argument or variable, for the message
    """
    size = np.abs(covariance).max()
    if np.abs(covariance - covariance.T).max() > TOLERANCE * size:
        raise InputError(f"{name} is not symmetric; a covariance is, so average it with its transpose or compute it again")
    smallest = np.linalg.eigvalsh(covariance)[0]
    if smallest < -TOLERANCE * size:
        raise InputError(f"{name} has the negative eigenvalue {smallest:.3g}; a covariance has none, so compute it again")


def _with_lags(coefficients: Float[np.ndarray, "lag variable variable"], lags: int) -> Float[np.ndarray, "all_lags variable variable"]:
    """The same process with at least ``lags`` lags; those added have the coefficient 0."""
    missing = lags - len(coefficients)
    if missing <= 0:
        return coefficients
    return np.concatenate([coefficients, np.zeros((missing, *coefficients.shape[1:]))])
