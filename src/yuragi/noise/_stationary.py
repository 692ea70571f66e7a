"""The exact stationary distribution of a vector autoregression."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from jaxtyping import Float

from yuragi.errors import InputError


def stationary_covariance(
    coefficients: Float[np.ndarray, "lag component component"],
    innovation_covariance: Float[np.ndarray, "component component"],
    steps: int,
) -> Float[np.ndarray, "joint joint"]:
    """The covariance of ``steps`` consecutive samples of a stationary vector autoregression, oldest first.

    For z_t = Σ_j A_j z_(t-j) + ε_t the state s_t = (z_t, …, z_(t-p+1)) obeys s_t = F s_(t-1) + η_t with the companion matrix F,
    and its covariance P solves P = F P Fᵀ + cov(η).

    coefficients
        A_j, (lag, component, component); no lags means independent samples
    innovation_covariance
        cov(ε), (component, component)
    steps
        how many samples are described together

    Errors: `InputError` if cov(ε) is no covariance matrix, and if the spectral radius of F is not below 1.

    Source: Lütkepohl, New Introduction to Multiple Time Series Analysis (2005), section 2.1.4.

    >>> stationary_covariance(np.array([[[0.6]]]), np.array([[0.64]]), steps=2).round(6)
    array([[1. , 0.6],
           [0.6, 1. ]])
    """
    smallest, largest = np.linalg.eigvalsh(innovation_covariance)[[0, -1]]
    if not np.allclose(innovation_covariance, innovation_covariance.T) or smallest < -1e-6 * abs(largest):
        raise InputError(f"innovation_covariance: not symmetric, or its smallest eigenvalue {smallest:.3g} is negative; give a covariance matrix")
    n_components = len(innovation_covariance)
    n_lags = max(len(coefficients), steps)
    companion = np.eye(n_lags * n_components, k=-n_components)
    if len(coefficients):
        companion[:n_components, : len(coefficients) * n_components] = np.concatenate(list(coefficients), axis=1)
    radius = float(np.abs(np.linalg.eigvals(companion)).max())
    if not radius < 1:
        raise InputError(
            f"coefficients: the spectral radius is {radius:.4g}, and only below 1 is there a stationary start; fit another order or fewer components"
        )
    innovation = np.zeros_like(companion)
    innovation[:n_components, :n_components] = innovation_covariance
    joint = scipy.linalg.solve_discrete_lyapunov(companion, innovation)
    joint = (joint + joint.T) / 2
    latest_first = joint.reshape(n_lags, n_components, n_lags, n_components)[:steps, :, :steps, :]
    return np.ascontiguousarray(latest_first[::-1, :, ::-1, :]).reshape(steps * n_components, steps * n_components)


def symmetric_root(covariance: Float[np.ndarray, "joint joint"]) -> Float[np.ndarray, "joint joint"]:
    """The symmetric R with R R = covariance: unique, and defined for singular covariances too.

    >>> symmetric_root(np.diag([4.0, 0.0]))
    array([[2., 0.],
           [0., 0.]])
    """
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
