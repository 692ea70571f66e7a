"""The algebra of a hidden Markov model with Gaussian states: fitting by hmmlearn, filtering, and what is counted."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float
from scipy.special import logsumexp

from yuragi.errors import InputError, unknown

COVARIANCES = ("full", "diag", "tied", "spherical")


class GaussianStates(NamedTuple):
    """A Markov chain of S states and a Gaussian for each.

    start (state), transition (from state, to state), means (state, variable), covariances (state, variable, other variable)
    """

    start: Float[np.ndarray, " state"]
    transition: Float[np.ndarray, "state state"]
    means: Float[np.ndarray, "state variable"]
    covariances: Float[np.ndarray, "state variable variable"]

    @property
    def stationary(self) -> Float[np.ndarray, " state"]:
        """π with π P = π, the share of time in each state that the chain settles to."""
        size = len(self.transition)
        equations = np.vstack([self.transition.T - np.eye(size), np.ones(size)])
        found = np.linalg.lstsq(equations, np.append(np.zeros(size), 1.0), rcond=None)[0].clip(min=0)
        return found / found.sum()

    def log_likelihoods(self, values: Float[np.ndarray, "time variable"]) -> Float[np.ndarray, "time state"]:
        """ln N(y_t; μ_s, Σ_s)."""
        found = np.empty((len(values), len(self.means)))
        for state, (mean, covariance) in enumerate(zip(self.means, self.covariances, strict=True)):
            found[:, state] = gaussian_log_density(values - mean, covariance)
        return found

    def filtered(
        self, values: Float[np.ndarray, "time variable"], start: Float[np.ndarray, " state"] | None = None
    ) -> tuple[Float[np.ndarray, "time state"], Float[np.ndarray, " time"]]:
        """P(s_t | y_1 … y_{t-1}) and ln p(y_t | y_1 … y_{t-1}) of every frame.

        P(s_t | past) = Σ_r P(s_{t-1} = r | past, y_{t-1}) P(s_t | r),    p(y_t | past) = Σ_s P(s_t = s | past) N(y_t; μ_s, Σ_s)

        start
            P(s_1); None: the chain's stationary distribution
        """
        likelihoods = self.log_likelihoods(values)
        highest = likelihoods.max(axis=1)
        weights = np.exp(likelihoods - highest[:, None])
        expected, density = np.empty_like(weights), np.empty(len(values))
        now = self.stationary if start is None else start
        for t, weight in enumerate(weights):
            expected[t] = now
            joint = now * weight
            density[t] = joint.sum()
            # Where every state that the past allows is out of reach in float64, the likelihood alone tells where the chain is.
            now = (joint / density[t] if density[t] > 0 else weight / weight.sum()) @ self.transition
        with np.errstate(divide="ignore"):
            log_density = np.log(density) + highest
        lost = ~np.isfinite(log_density)
        if lost.any():
            with np.errstate(divide="ignore"):
                log_density[lost] = logsumexp(np.log(expected[lost]) + likelihoods[lost], axis=1)
        return expected, log_density


def gaussian_log_density(
    errors: Float[np.ndarray, "time variable"], covariance: Float[np.ndarray, "variable variable"]
) -> Float[np.ndarray, " time"]:
    """ln N(error; 0, covariance) of each frame, in nats."""
    factor = np.linalg.cholesky(covariance)
    white = scipy.linalg.solve_triangular(factor, errors.T, lower=True)
    return -0.5 * (np.square(white).sum(axis=0) + errors.shape[1] * np.log(2 * np.pi)) - np.log(np.diagonal(factor)).sum()


def count_parameters(states: int, width: int, covariance: str) -> int:
    """Free numbers: S - 1 of the start, S (S - 1) of the transitions, S K of the means, and those of the covariances."""
    triangle = width * (width + 1) // 2
    of_covariances = {"full": states * triangle, "diag": states * width, "tied": triangle, "spherical": states}[covariance]
    return states - 1 + states * (states - 1) + states * width + of_covariances


def check_covariance_kind(covariance: str) -> None:
    """An `InputError` for a form of covariance that does not exist."""
    if covariance not in COVARIANCES:
        raise unknown("covariance", covariance, COVARIANCES)


def fit_states(
    stretches: Sequence[Float[np.ndarray, "_ variable"]], states: int, covariance: str, restarts: int, generator: np.random.Generator
) -> tuple[GaussianStates, float, bool]:
    """The most likely of several runs of expectation maximisation; its log-likelihood, and whether it converged.

    Variables are scaled to unit variance for the fit, because hmmlearn's prior of the variances (0.01) counts in their units. States are numbered by
    their share of time, largest first.
    """
    from hmmlearn.hmm import GaussianHMM

    whole = np.concatenate(stretches)
    shift, scale = whole.mean(axis=0), whole.std(axis=0)
    scaled, lengths = (whole - shift) / scale, [len(values) for values in stretches]
    # A covariance of a state's own needs more frames than variables, or its likelihood has no bound.
    least = len(scale) + 1 if covariance == "full" else 2
    best, best_score = None, -np.inf
    for seed in generator.integers(2**32, size=restarts):
        model = GaussianHMM(states, covariance_type=covariance, n_iter=300, tol=1e-5 * len(whole), random_state=np.random.RandomState(seed))
        with _quiet_hmmlearn(), contextlib.suppress(ValueError, np.linalg.LinAlgError):
            # A run in which a state loses all its frames ends in an error; the others go on.
            model.fit(scaled, lengths)
            score = model.score(scaled, lengths)
            np.linalg.cholesky(model.covars_)
            if np.isfinite(score) and score > best_score and model.predict_proba(scaled, lengths).sum(axis=0).min() >= least:
                best, best_score = model, score
    if best is None:
        raise InputError(f"states={states}: no run of {restarts} found {states} states with frames of their own; ask for fewer, or fewer components")
    found = GaussianStates(best.startprob_, best.transmat_, best.means_ * scale + shift, best.covars_ * np.outer(scale, scale))
    order = np.argsort(-found.stationary, kind="stable")
    ordered = GaussianStates(found.start[order], found.transition[np.ix_(order, order)], found.means[order], found.covariances[order])
    return ordered, float(best_score - len(whole) * np.log(scale).sum()), bool(best.monitor_.converged)


class ChosenStates(NamedTuple):
    """The fit with the smallest BIC; ``criterion`` has one value for each number of states tried."""

    model: GaussianStates
    log_likelihood: float
    converged: bool
    n_parameters: int
    criterion: Float[np.ndarray, " number"]


def choose_states(
    stretches: Sequence[Float[np.ndarray, "_ variable"]], numbers: Sequence[int], covariance: str, restarts: int, generator: np.random.Generator
) -> ChosenStates:
    """Fit each number of states; BIC = -2 log-likelihood + ln T x parameters.

    A number of states for which no run finds states with frames of their own has an infinite criterion. An `InputError` tells fewer frames than the
    largest number of states needs, and numbers that all fail.
    """
    check_covariance_kind(covariance)
    frames, width = sum(map(len, stretches)), stretches[0].shape[1]
    needed = max(numbers) * (width + 1)
    if frames < needed:
        raise InputError(
            f"recording: {frames} frames are too few for {max(numbers)} states of {width} variables, {needed} are needed; "
            "ask for fewer states (states=, max_states=) or fewer components (components=)"
        )
    found: dict[int, tuple[GaussianStates, float, bool]] = {}
    for number in numbers:
        try:
            found[number] = fit_states(stretches, number, covariance, restarts, generator)
        except InputError:
            if number == numbers[-1] and not found:
                raise
    counts = [count_parameters(number, width, covariance) for number in numbers]
    likelihoods = [found[number][1] if number in found else -np.inf for number in numbers]
    criterion = np.array([np.log(frames) * count - 2 * likelihood for likelihood, count in zip(likelihoods, counts, strict=True)])
    best = int(criterion.argmin())
    return ChosenStates(*found[numbers[best]], counts[best], criterion)


def numbers_of_states(states: str | int, max_states: int) -> list[int]:
    """The numbers of states to try; an `InputError` for what is no number."""
    name, value = ("max_states", max_states) if states == "bic" else ("states", states)
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value!r}: give a whole number of at least 1" + (" or 'bic'" if name == "states" else ""))
    return list(range(1, int(value) + 1)) if states == "bic" else [int(value)]


@contextlib.contextmanager
def _quiet_hmmlearn() -> Iterator[None]:
    """hmmlearn tells through logging what its results tell too: a likelihood that fell by rounding, a state without frames."""
    logger = logging.getLogger("hmmlearn")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
