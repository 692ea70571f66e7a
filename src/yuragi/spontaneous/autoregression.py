"""The arithmetic of a stationary vector autoregression: companion matrix, stationary covariance, autocovariances.

For y_t = Σ_l A_l y_{t-l} + e_t with cov(e) = Q, the state s_t = (y_t, y_{t-1}, …, y_{t-p+1}), newest first, follows
s_t = F s_{t-1} + (e_t, 0, …) with the companion matrix F (Lütkepohl 2005, New Introduction to Multiple Time Series Analysis, §2.1).
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from jaxtyping import Float


def companion(coefficients: Float[np.ndarray, "lag unit unit"]) -> Float[np.ndarray, "state state"]:
    """F: the coefficients A_1 … A_p side by side above a shifted identity.

    >>> companion(np.array([[[0.5]], [[0.2]]]))
    array([[0.5, 0.2],
           [1. , 0. ]])
    """
    lags, units, _ = coefficients.shape
    top = coefficients.transpose(1, 0, 2).reshape(units, lags * units)
    return np.vstack([top, np.eye((lags - 1) * units, lags * units)])


def spectral_radius(coefficients: Float[np.ndarray, "lag unit unit"]) -> float:
    """The largest modulus of the companion matrix's eigenvalues; the process is stationary when it is below 1."""
    return float(np.abs(np.linalg.eigvals(companion(coefficients))).max())


def state_covariance(
    coefficients: Float[np.ndarray, "lag unit unit"], noise_covariance: Float[np.ndarray, "unit unit"]
) -> Float[np.ndarray, "state state"]:
    """The covariance V of the state: the solution of the discrete Lyapunov equation V = F V F' + Q (Q in the newest block)."""
    transition = companion(coefficients)
    noise = np.zeros_like(transition)
    units = len(noise_covariance)
    noise[:units, :units] = noise_covariance
    solution = scipy.linalg.solve_discrete_lyapunov(transition, noise)
    return (solution + solution.T) / 2


def autocovariances(
    coefficients: Float[np.ndarray, "lag unit unit"], noise_covariance: Float[np.ndarray, "unit unit"], most: int
) -> Float[np.ndarray, "lags unit unit"]:
    """Γ_l = E[y_t y_{t-l}'] for l = 0 … ``most``: blocks of the state covariance, then Γ_l = Σ_j A_j Γ_{l-j}.

    >>> autocovariances(np.array([[[0.5]]]), np.array([[0.75]]), 2).ravel().round(12)
    array([1.  , 0.5 , 0.25])
    """
    lags, units, _ = coefficients.shape
    newest = state_covariance(coefficients, noise_covariance)[:units]
    gamma = [newest[:, lag * units : (lag + 1) * units] for lag in range(lags)]
    for lag in range(lags, most + 1):
        gamma.append(sum(coefficients[j] @ gamma[lag - 1 - j] for j in range(lags)))
    return np.stack(gamma[: most + 1])
