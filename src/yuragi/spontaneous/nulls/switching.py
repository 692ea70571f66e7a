"""Switching states as a null model: surrogates from a hidden Markov model of the recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import lazy_loader as lazy
from pydantic import Field, PositiveInt

from yuragi import spontaneous
from yuragi.spontaneous.nulls.base import NullModel

np = lazy.load("numpy")
xr = lazy.load("xarray")


class Switching(NullModel):
    """A hidden Markov model with Gaussian states, fitted to the recording and run with fresh states and noise.

        P(s_t = j | s_{t-1} = i) = P_ij,    y_t | s_t = i ~ N(μ_i, Σ_i)

    It is the rival of the stationary linear models: its surrogates have states, and within a state no memory. The mixture of the states has about
    the recording's mean and covariance; autocorrelation it has only as far as states last. What fitted components leave out is added frame by frame
    in a random order, so that the covariance of the whole is kept.

    states
        their number, or "bic" to choose it among 1 … ``max_states``
    components
        what is fitted, as in `yuragi.spontaneous.fit_hidden_markov`
    seed
        of the random starts of the fit, which belong to the model and not to a surrogate
    """

    kind: Literal["switching"] = "switching"
    states: Literal["bic"] | PositiveInt = Field("bic", description="number of states, or bic to choose it")
    max_states: PositiveInt = Field(6, description="largest number of states tried by bic")
    covariance: Literal["full", "diag", "tied", "spherical"] = Field("full", description="form of the states' covariances; tied: one for all")
    components: Literal["auto"] | PositiveInt | None = Field("auto", description="leading principal components to fit; null: the units themselves")
    restarts: PositiveInt = Field(5, description="runs of the fit from different starts, of which the best is kept")
    seed: int = Field(0, ge=0, description="seed of the fit's random starts")

    def prepare(self, recording: xr.DataArray) -> PreparedSwitching:
        from yuragi.spontaneous.hidden_states import fit_hidden_markov
        from yuragi.spontaneous.recordings import checked_recording

        recording = checked_recording(recording)
        options = self.model_dump(exclude={"kind", "seed"})
        fit = fit_hidden_markov(recording, generator=np.random.default_rng(self.seed), **options)
        left_out = None
        if fit.loadings is not None:
            centred = recording.values - fit.mean.values
            left_out = centred - (centred @ fit.loadings.values.T) @ fit.loadings.values
        return PreparedSwitching(recording, fit, left_out)


@dataclass(frozen=True, eq=False)
class PreparedSwitching:
    """A fitted hidden Markov model and what its components leave out (time, unit), or None."""

    recording: xr.DataArray
    fit: spontaneous.HiddenMarkovFit
    left_out: np.ndarray | None

    def draw(self, generator: np.random.Generator) -> xr.DataArray:
        """A surrogate with a path of states of its own."""
        from yuragi.spontaneous.nulls._shared import like

        values = self.fit.simulate(self.recording.sizes["time"], generator).values
        if self.left_out is not None:
            values = values + generator.permutation(self.left_out)
        return like(self.recording, values)
