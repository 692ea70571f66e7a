"""Models that predict the next frame of a recording, fitted to stretches of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from yuragi.spontaneous.lagged import cholesky
from yuragi.spontaneous.markov import GaussianStates, choose_states, gaussian_log_density, numbers_of_states
from yuragi.spontaneous.selection import chosen_estimate
from yuragi.spontaneous.structures import Estimate


@runtime_checkable
class Predictor(Protocol):
    """A fitted model.

    n_parameters
        numbers that were estimated, covariances included
    order
        past frames that it needs
    """

    n_parameters: int
    order: int

    def predict(self, values: Float[np.ndarray, "time variable"], start: int) -> tuple[np.ndarray, np.ndarray]:
        """For each frame t ≥ start, from the frames before it: the expected frame (ahead, variable) and ln p(y_t | past) in nats (ahead)."""


@runtime_checkable
class PredictiveModel(Protocol):
    """A way to fit a predictor to stretches (time, variable) without gaps of one recording."""

    def fit(self, stretches: Sequence[np.ndarray], names: Sequence[str], generator: np.random.Generator) -> Predictor:
        """A fitted predictor."""


@dataclass(frozen=True)
class MeanModel:
    """The mean of the fitted frames, and their covariance: nothing of the past helps."""

    def fit(self, stretches: Sequence[np.ndarray], names: Sequence[str], generator: np.random.Generator) -> FittedMean:
        whole = np.concatenate(stretches)
        covariance = np.atleast_2d(np.cov(whole.T))
        cholesky(covariance.copy(), names, 0)
        return FittedMean(whole.mean(axis=0), covariance)


@dataclass(frozen=True, eq=False)
class FittedMean:
    mean: np.ndarray
    covariance: np.ndarray
    order: int = 0

    @property
    def n_parameters(self) -> int:
        return self.mean.size + _triangle(self.mean.size)

    def predict(self, values: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
        ahead = values[start:]
        return np.broadcast_to(self.mean, ahead.shape), gaussian_log_density(ahead - self.mean, self.covariance)


@dataclass(frozen=True)
class AutoregressiveModel:
    """A vector autoregression with correlated Gaussian innovations; the arguments are those of `yuragi.spontaneous.fit_var`."""

    order: str | int = "bic"
    max_order: int = 5
    structure: str = "full"
    penalty: str | float | None = None

    def fit(self, stretches: Sequence[np.ndarray], names: Sequence[str], generator: np.random.Generator) -> FittedAutoregression:
        return FittedAutoregression(chosen_estimate(stretches, self.order, self.max_order, self.structure, names, self.penalty))


@dataclass(frozen=True, eq=False)
class FittedAutoregression:
    estimate: Estimate

    @property
    def order(self) -> int:
        return len(self.estimate.coefficients)

    @property
    def n_parameters(self) -> int:
        width = self.estimate.intercept.size
        return int(np.count_nonzero(self.estimate.coefficients)) + width + _triangle(width)

    def predict(self, values: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
        expected = self.estimate.predicted(values, start)
        return expected, gaussian_log_density(values[start:] - expected, self.estimate.noise_covariance)


@dataclass(frozen=True)
class SwitchingModel:
    """A hidden Markov model with Gaussian states; the arguments are those of `yuragi.spontaneous.fit_hidden_markov`."""

    states: str | int = "bic"
    max_states: int = 6
    covariance: str = "full"
    restarts: int = 3

    def fit(self, stretches: Sequence[np.ndarray], names: Sequence[str], generator: np.random.Generator) -> FittedSwitching:
        found = choose_states(stretches, numbers_of_states(self.states, self.max_states), self.covariance, self.restarts, generator)
        return FittedSwitching(found.model, found.n_parameters)


@dataclass(frozen=True, eq=False)
class FittedSwitching:
    states: GaussianStates
    n_parameters: int
    order: int = 0

    def predict(self, values: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
        probabilities, log_density = self.states.filtered(values)
        return probabilities[start:] @ self.states.means, log_density[start:]


def _triangle(width: int) -> int:
    return width * (width + 1) // 2
