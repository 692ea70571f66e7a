"""Trajectories of a stationary autoregression, many at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from yuragi.noise._streams import normal


def trajectories(
    steps: int, trials: tuple[int, int, int], coefficients: Tensor, innovation_factor: Tensor, stationary_factor: Tensor, generator: torch.Generator
) -> Tensor:
    """z, (step, trial, component): the first steps jointly from the stationary distribution, the others by the recursion.

    steps
        how many
    trials
        (draws, images, copies), the last running fastest; all are independent
    coefficients
        A_j, (lag, component, component)
    innovation_factor
        the symmetric root of cov(ε), (component, component)
    stationary_factor
        the symmetric root of the covariance of the first steps, oldest first, as many as there are lags but no more than ``steps``
    generator
        of any device; z comes back on that of the factors
    """
    n_components, n_lags = len(innovation_factor), len(coefficients)
    n_start = len(stationary_factor) // n_components
    drawn = normal(trials, (steps, n_components), generator, stationary_factor.dtype).to(stationary_factor.device)
    if n_lags == 0:
        # In place, for the memory of isotropic noise is what it costs.
        return drawn.mul_(stationary_factor) if n_components == 1 else drawn @ stationary_factor
    if n_start == 1:
        start = _times(drawn[:1], stationary_factor)
    else:
        joint = drawn[:n_start].transpose(0, 1).reshape(-1, n_start * n_components) @ stationary_factor
        start = joint.reshape(-1, n_start, n_components).transpose(0, 1)
    if steps == n_start:
        return start
    innovations = _times(drawn[n_start:], innovation_factor)
    onward = coefficients.transpose(1, 2).reshape(n_lags * n_components, n_components)
    trajectory = list(start)
    for innovation in innovations:
        past = torch.cat(trajectory[: -n_lags - 1 : -1], dim=1)
        trajectory.append(innovation + _times(past, onward))
    return torch.stack(trajectory)


def _times(values: Tensor, matrix: Tensor) -> Tensor:
    """``values @ matrix``; a 1 by 1 matrix multiplies element by element, which is several times faster."""
    return values * matrix if matrix.shape == (1, 1) else values @ matrix
