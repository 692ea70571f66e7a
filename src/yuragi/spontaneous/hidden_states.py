"""Switching states: a hidden Markov model of spontaneous activity, the rival of the autoregression."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from yuragi.errors import InputError
from yuragi.spontaneous.markov import GaussianStates, check_covariance_kind, choose_states, numbers_of_states
from yuragi.spontaneous.recordings import checked_recording, sampling_interval_of
from yuragi.spontaneous.reduction import leading_components


@dataclass(frozen=True, eq=False)
class HiddenMarkovFit:
    """A fitted hidden Markov model: what `fit_hidden_markov` returns.

        P(s_t = j | s_{t-1} = i) = P_ij,    y_t | s_t = i ~ N(μ_i, Σ_i)

    y is the activity of the units, or, where ``loadings`` are given, the scores W (activity - mean) of leading principal components. States
    are numbered from 0 by their share of time, largest first.

    start
        P(s_1 = i), (state)
    transition
        P_ij, (state, next_state), rows sum to 1
    means
        μ, (state, variable), in the recording's unit
    covariances
        Σ, (state, variable, other_variable), in the recording's unit squared
    log_likelihood
        of the fitted recording, in nats
    criterion
        BIC of each number of states tried, (states): -2 log-likelihood + ln T x parameters
    n_parameters
        free numbers of start, transitions, means and covariances
    mean
        mean of the recording, (unit)
    loadings
        W, (component, unit), orthonormal rows; None where the units themselves were fitted
    explained_variance
        share of the recording's variance in the fitted space
    sampling_interval
        seconds between frames; NaN where unknown
    n_frames
        T
    converged
        whether the likelihood had come to rest

    Source: Rabiner 1989, Proc IEEE 77:257.
    """

    start: xr.DataArray
    transition: xr.DataArray
    means: xr.DataArray
    covariances: xr.DataArray
    log_likelihood: float
    criterion: xr.DataArray
    n_parameters: int
    mean: xr.DataArray
    loadings: xr.DataArray | None
    explained_variance: float
    sampling_interval: float
    n_frames: int
    converged: bool

    def __repr__(self) -> str:
        space = f"{self.mean.size} units" if self.loadings is None else f"{self.means.shape[1]} components of {self.mean.size} units"
        return f"HiddenMarkovFit({self.n_states} states, {space}, mean dwell {float(self.dwell.mean()):.1f} frames, {self.n_frames} frames)"

    @property
    def n_states(self) -> int:
        """S."""
        return self.start.size

    @property
    def variable(self) -> str:
        """What was fitted: "unit" or "component"."""
        return str(self.means.dims[1])

    @property
    def occupancy(self) -> xr.DataArray:
        """π with π P = π: the share of time that the chain spends in each state (state)."""
        return self.start.copy(data=self._states.stationary)

    @property
    def dwell(self) -> xr.DataArray:
        """1 / (1 - P_ii): the mean number of frames before a state is left (state); infinite for a state that is never left."""
        with np.errstate(divide="ignore"):
            return self.start.copy(data=1 / (1 - np.diagonal(self.transition.values).clip(max=1)))

    def scores(self, recording: xr.DataArray) -> xr.DataArray:
        """A recording in the fitted space (time, variable): itself where the units were fitted, else W (activity - mean)."""
        recording = checked_recording(recording)
        if recording.sizes["unit"] != self.mean.size:
            raise InputError(f"recording: {recording.sizes['unit']} units where the fit has {self.mean.size}; give the units that were fitted")
        if self.loadings is None:
            return recording
        values = (recording.values - self.mean.values) @ self.loadings.values.T
        return xr.DataArray(values, dims=("time", "component"), coords={"component": self.loadings["component"].values}, attrs=recording.attrs)

    def labels(self, recording: xr.DataArray) -> xr.DataArray:
        """The most likely path of states (time), all frames considered together (Viterbi)."""
        values = self.scores(recording).values
        likelihoods, (log_start, log_transition) = self._states.log_likelihoods(values), self._logarithms()
        best, came_from = log_start + likelihoods[0], np.zeros(likelihoods.shape, dtype=np.intp)
        for t in range(1, len(values)):
            through = best[:, None] + log_transition
            came_from[t] = through.argmax(axis=0)
            best = through.max(axis=0) + likelihoods[t]
        path = np.empty(len(values), dtype=np.int64)
        path[-1] = best.argmax()
        for t in range(len(values) - 1, 0, -1):
            path[t - 1] = came_from[t, path[t]]
        coords = {"time": recording["time"].values} if "time" in recording.coords else {}
        return xr.DataArray(path, dims="time", coords=coords, name="state")

    def predict(self, recording: xr.DataArray) -> xr.Dataset:
        """One frame ahead, from the past frames of the same recording alone (filtering).

        Returns ``mean`` Σ_s P(s_t = s | y_1 … y_{t-1}) μ_s (time, variable), ``log_density`` ln p(y_t | y_1 … y_{t-1}) (time) in nats, and
        ``probability`` P(s_t | y_1 … y_{t-1}) (time, state). The first frame is predicted from the chain's stationary distribution.

        recording
            activity (time, unit), held out or not
        """
        expected, log_density = self._states.filtered(self.scores(recording).values)
        return xr.Dataset(
            {
                "mean": (("time", self.variable), expected @ self.means.values),
                "log_density": ("time", log_density),
                "probability": (("time", "state"), expected),
            },
            coords={self.variable: self.means[self.variable].values, "state": self.start["state"].values},
        )

    def simulate(self, n_time: int, generator: np.random.Generator) -> xr.DataArray:
        """A surrogate recording (time, unit) from the chain's stationary distribution on, with its path as the coordinate ``state`` of time.

        Where components were fitted the surrogate lies in their span: mean + W' y.
        """
        if n_time < 1:
            raise InputError(f"n_time={n_time}: give at least 1 frame")
        states = self._states
        cumulative = np.cumsum(np.vstack([states.stationary, states.transition]), axis=1)
        draws, path, row = generator.random(n_time), np.empty(n_time, dtype=np.int64), 0
        for t in range(n_time):
            # The last sum may fall short of 1 by rounding.
            path[t] = min(np.searchsorted(cumulative[row], draws[t], side="right"), self.n_states - 1)
            row = path[t] + 1
        noise = generator.standard_normal((n_time, self.means.shape[1]))
        values = states.means[path]
        for state, covariance in enumerate(states.covariances):
            here = path == state
            values[here] += noise[here] @ np.linalg.cholesky(covariance).T
        if self.loadings is not None:
            values = values @ self.loadings.values + self.mean.values
        interval = 1.0 if math.isnan(self.sampling_interval) else self.sampling_interval
        return xr.DataArray(
            values,
            dims=("time", "unit"),
            coords={"time": np.arange(n_time) * interval, "unit": self.mean["unit"].values, "state": ("time", path)},
            name="recording",
            attrs={"source": f"simulated from a hidden Markov model of {self.n_states} states", "sampling_interval": self.sampling_interval},
        )

    @property
    def _states(self) -> GaussianStates:
        return GaussianStates(self.start.values, self.transition.values, self.means.values, self.covariances.values)

    def _logarithms(self) -> tuple[Float[np.ndarray, " state"], Float[np.ndarray, "state state"]]:
        with np.errstate(divide="ignore"):
            return np.log(self.start.values), np.log(self.transition.values)


def fit_hidden_markov(
    recording: xr.DataArray,
    *,
    generator: np.random.Generator,
    states: str | int = "bic",
    max_states: int = 6,
    covariance: str = "full",
    components: str | int | None = "auto",
    restarts: int = 5,
) -> HiddenMarkovFit:
    """Fit a hidden Markov model with Gaussian states to a recording by expectation maximisation (hmmlearn).

    recording
        y (time, unit), equally spaced in time, without missing values
    generator
        of the random starts
    states
        S, or "bic": the number among 1 … max_states with the smallest BIC, -2 log-likelihood + ln T x parameters
    covariance
        of each state: "full", "diag", "spherical", or "tied" (one for all states)
    components
        None fits all units; a number that many leading principal components; "auto" all units where T ≥ 10 N S (S is ``max_states`` while BIC
        chooses), otherwise the leading T // (10 S) components, or fewer if fewer explain 95 % of the variance
    restarts
        runs from different starts, of which the most likely is kept

    An `InputError` tells what `checked_recording` tells, unknown options, and more states than the frames carry.

    >>> generator = np.random.default_rng(0)
    >>> path = np.repeat([0, 1, 0, 1], 100)
    >>> activity = np.array([[0.0, 0.0], [4.0, -4.0]])[path] + generator.standard_normal((400, 2))
    >>> fit = fit_hidden_markov(xr.DataArray(activity, dims=("time", "unit")), generator=generator, max_states=3, restarts=2)
    >>> fit.n_states, int((np.diff(fit.labels(xr.DataArray(activity, dims=("time", "unit")))) != 0).sum())
    (2, 3)
    """
    check_covariance_kind(covariance)
    tried = numbers_of_states(states, max_states)
    if restarts < 1:
        raise InputError(f"restarts={restarts}: give at least 1")
    recording = checked_recording(recording)
    mean = recording.values.mean(axis=0)
    kept = leading_components(recording, components, tried[-1])
    variable = "unit" if kept is None else "component"
    values = recording.values if kept is None else (recording.values - mean) @ kept.loadings.values.T
    labels = recording["unit"].values if kept is None else kept.loadings["component"].values
    found = choose_states([values], tried, covariance, restarts, generator)
    numbers = np.arange(len(found.model.start))
    state, following = {"state": numbers}, {"next_state": numbers}
    second = f"other_{variable}"
    return HiddenMarkovFit(
        start=xr.DataArray(found.model.start, dims="state", coords=state),
        transition=xr.DataArray(found.model.transition, dims=("state", "next_state"), coords=state | following),
        means=xr.DataArray(found.model.means, dims=("state", variable), coords=state | {variable: labels}),
        covariances=xr.DataArray(found.model.covariances, dims=("state", variable, second), coords=state | {variable: labels, second: labels}),
        log_likelihood=found.log_likelihood,
        criterion=xr.DataArray(found.criterion, dims="states", coords={"states": tried}, name="bic"),
        n_parameters=found.n_parameters,
        mean=xr.DataArray(mean, dims="unit", coords={"unit": recording["unit"].values}),
        loadings=None if kept is None else kept.loadings,
        explained_variance=1.0 if kept is None else float(kept.shares.sum()),
        sampling_interval=sampling_interval_of(recording),
        n_frames=recording.sizes["time"],
        converged=found.converged,
    )
