"""What the arguments of a stochastic layer must be."""

from __future__ import annotations

import math

import numpy as np

from yuragi.autoregression import check_covariance
from yuragi.errors import InputError


def check_noise(
    width: int,
    coefficients: np.ndarray,
    innovation_covariance: np.ndarray,
    directions: np.ndarray | None,
    relative_variance: float,
    steps: int,
) -> None:
    """An `InputError` for shapes that do not fit, directions that are not orthonormal, a negative ρ and less than one step."""
    if steps < 1:
        raise InputError(f"steps = {steps}: a draw has at least one time step; give 1 or more")
    if not (relative_variance >= 0 and math.isfinite(relative_variance)):
        raise InputError(
            f"relative_variance = {relative_variance}: the noise variance over the stimulus variance; give a finite number of at least 0"
        )
    n_components = len(innovation_covariance)
    if innovation_covariance.shape != (n_components, n_components):
        raise InputError(f"innovation_covariance: shape {innovation_covariance.shape}; give (component, component)")
    check_covariance("innovation_covariance", innovation_covariance)
    if coefficients.ndim != 3 or coefficients.shape[1:] != (n_components, n_components):
        raise InputError(f"coefficients: shape {coefficients.shape}; {n_components} components need (lag, {n_components}, {n_components})")
    if directions is None:
        if n_components != 1:
            raise InputError(f"directions = None: isotropic noise follows a univariate model, not one of {n_components} components; give directions")
        return
    if directions.shape != (width, n_components):
        raise InputError(f"directions: shape {directions.shape}, but {width} units and {n_components} components need ({width}, {n_components})")
    if not np.allclose(directions.T @ directions, np.eye(n_components), atol=1e-4):
        raise InputError("directions: the columns are not orthonormal; take the Q of numpy.linalg.qr(directions)")
