"""Autoregressive surrogates: linear dynamics fitted to a recording, run with fresh innovations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Annotated, Literal

import lazy_loader as lazy
from pydantic import BeforeValidator, Field, model_validator

from yuragi import spontaneous
from yuragi.errors import InputError
from yuragi.spontaneous.nulls.base import NullModel

np = lazy.load("numpy")
xr = lazy.load("xarray")


def _count_or(*words: str | None) -> BeforeValidator:
    def check(value: object) -> object:
        whole = isinstance(value, Integral) and not isinstance(value, bool) and value >= 1
        if not whole and value not in words:
            known = " or ".join("null" if word is None else f"'{word}'" for word in words)
            raise ValueError(f"{value!r} is no choice; give a whole number of at least 1, or {known}")
        return value

    return BeforeValidator(check)


# Of a surrogate's start this share may be left in its slowest mode when the burn-in ends.
REMEMBERED = 0.01
# Surrogates that are run side by side by `draws`: one product a frame for all of them.
BATCH = 8


class Autoregressive(NullModel):
    """A vector autoregression fitted to the recording, run with fresh innovations.

        y_t = m + Σ_{l=1…p} A_l (y_{t-l} - m) + e_t

    m is the recording's mean; A is fitted by least squares (`yuragi.spontaneous.fit_var`). In expectation the surrogates share with the recording its
    mean, its covariance and its autocovariances at lags 1 … p, but for terms of the order p/T, from the ends of the recording. They are linear and
    stationary, and Gaussian where their innovations are.

    order
        p, or "bic" to choose it among 1 … ``max_order``
    max_order
        the highest order tried by "bic"
    components
        what is fitted: None for all units, a number for that many leading principal components, "auto" for the units where the recording is long
        enough and components where it is not. What fitted components leave out is added as a static part: independent frames with its
        covariance, so that the covariance of the whole is kept
    innovations
        "gaussian": with the covariance of the residuals over their number less one, not over their degrees of freedom, so that the variance of the
        surrogates is the recording's; the start is drawn from the exact stationary distribution.
        "permuted": the residual vectors themselves, in random order, each frame's whole, so that their distribution over units is kept; the last
        T - p frames use each of them exactly once. What fitted components leave out is permuted too, in an order of its own: it is uncorrelated with
        the components in the same frame but not with their residuals, and the same order for both would change the covariance
    burn_in
        frames run and dropped before a surrogate with permuted innovations, which starts from p successive frames of the recording taken at random;
        None: as many as the slowest mode needs to forget 99 % of its start, at most 10 T

    Preparing raises `InputError` for a recording that is too short, whose covariance is singular or whose fit is not stationary.

    Source: Liégeois et al. 2017, NeuroImage 163:437, which draws its innovations once for all surrogates and has no burn-in.
    """

    kind: Literal["autoregressive"] = "autoregressive"
    order: Annotated[int | Literal["bic"], _count_or("bic")] = Field(1, description="lags in frames, or bic to choose them")
    max_order: int = Field(5, ge=1, description="highest order tried by bic")
    components: Annotated[int | Literal["auto"] | None, _count_or("auto", None)] = Field(
        "auto", description="leading principal components to fit; null: the units themselves"
    )
    innovations: Literal["gaussian", "permuted"] = Field(
        "gaussian", description="what drives a surrogate: Gaussian numbers or the permuted residuals"
    )
    burn_in: int | None = Field(None, ge=0, description="frames dropped at the start with permuted innovations; null: from the fit")

    @model_validator(mode="after")
    def _needed_burn_in(self) -> Autoregressive:
        if self.burn_in is not None and self.innovations == "gaussian":
            raise ValueError(f"burn_in = {self.burn_in}: Gaussian innovations start in the stationary distribution; leave burn_in out")
        return self

    def prepare(self, recording: xr.DataArray) -> PreparedAutoregressive:
        from yuragi.spontaneous.nulls._shared import covariance_factor
        from yuragi.spontaneous.recordings import checked_recording
        from yuragi.spontaneous.var import fit_var

        recording = checked_recording(recording)
        fit = fit_var(recording, self.order, self.max_order, self.components)
        if not fit.spectral_radius < 1:
            raise InputError(
                f"recording: the autoregression of order {fit.order} fitted to it has spectral radius {fit.spectral_radius:.4f}, and surrogates need "
                "one below 1; remove slow drifts, give a steadier segment, lower order, or fit fewer components"
            )
        frames, order = recording.sizes["time"], fit.order
        centred = recording.values - recording.values.mean(axis=0)
        scores, left_out = centred, None
        if fit.loadings is not None:
            loadings = fit.loadings.values
            scores = centred @ loadings.T
            if len(loadings) < min(frames - 1, centred.shape[1]):
                left_out = centred - scores @ loadings
        residuals = scores[order:] - sum(scores[order - lag : frames - lag] @ a.T for lag, a in enumerate(fit.coefficients.values, 1))
        residuals -= residuals.mean(axis=0)
        left_factor = covariance_factor(left_out) if left_out is not None and self.innovations == "gaussian" else None
        burn_in = min(_memory(fit.spectral_radius), 10 * frames) if self.burn_in is None else self.burn_in
        return PreparedAutoregressive(recording, fit, self.innovations == "permuted", burn_in, scores, residuals, left_out, left_factor)


@dataclass(frozen=True, eq=False)
class PreparedAutoregressive:
    """A fit with what it leaves: residuals (time, variable), and what components leave out (time, unit) with a factor of its covariance."""

    recording: xr.DataArray
    fit: spontaneous.VARFit
    permuted: bool
    burn_in: int
    scores: np.ndarray
    residuals: np.ndarray
    left_out: np.ndarray | None
    left_factor: np.ndarray | None

    def __post_init__(self) -> None:
        from yuragi.autoregression import state_covariance, symmetric_root

        start = innovation = None
        if not self.permuted:
            noise = self.residuals.T @ self.residuals / (len(self.residuals) - 1)
            start, innovation = symmetric_root(state_covariance(self.fit.coefficients.values, noise)), symmetric_root(noise)
        object.__setattr__(self, "_roots", (start, innovation))

    def draw(self, generator: np.random.Generator) -> xr.DataArray:
        """A surrogate with fresh innovations."""
        return next(self.draws(generator, 1))

    def draws(self, generator: np.random.Generator, count: int) -> Iterator[xr.DataArray]:
        """``count`` independent surrogates, one at a time; some are run side by side, which takes less than half the time of single ones."""
        for first in range(0, count, BATCH):
            yield from self._batch(generator, min(BATCH, count - first))

    def _batch(self, generator: np.random.Generator, count: int) -> Iterator[xr.DataArray]:
        from yuragi.spontaneous.nulls._shared import like

        path = self._permuted(generator, count) if self.permuted else self._gaussian(generator, count)
        _run(self.fit.coefficients.values, path)
        frames = self.recording.sizes["time"]
        mean = self.recording.values.mean(axis=0)
        for index in range(count):
            values = path[-frames:, index]
            if self.fit.loadings is not None:
                values = values @ self.fit.loadings.values
            if self.left_out is not None and self.permuted:
                values = values + generator.permutation(self.left_out)
            elif self.left_factor is not None:
                values = values + generator.standard_normal((frames, len(self.left_factor))) @ self.left_factor
            yield like(self.recording, values + mean)

    def _gaussian(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """The first p frames, jointly stationary, and innovations (p + T, surrogate, variable)."""
        start, innovation = self._roots
        order, frames, width = self.fit.order, len(self.scores), self.scores.shape[1]
        path = np.empty((order + frames, count, width))
        state = (generator.standard_normal((count, order * width)) @ start).reshape(count, order, width)  # newest frame first
        path[:order] = state.transpose(1, 0, 2)[::-1]
        np.matmul(generator.standard_normal((frames * count, width)), innovation, out=path[order:].reshape(frames * count, width))
        return path

    def _permuted(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """p frames of the recording and permuted residuals (p + burn-in + T, surrogate, variable)."""
        order, frames, residuals = self.fit.order, len(self.scores), len(self.residuals)
        run = self.burn_in + frames
        passes = -(-run // residuals)
        used = np.stack([np.concatenate([generator.permutation(residuals) for _ in range(passes)])[-run:] for _ in range(count)], axis=1)
        first = generator.integers(0, frames - order + 1, count)
        start = self.scores[first + np.arange(order)[:, None]]
        return np.concatenate([start, self.residuals[used]])


def _run(coefficients: np.ndarray, path: np.ndarray) -> None:
    """Turn innovations into activity in place: y_t = e_t + Σ_l A_l y_{t-l}, from frame p of ``path`` (time, surrogate, variable) on."""
    weights = [np.ascontiguousarray(a.T) for a in coefficients]
    order = len(weights)
    part = np.empty(path.shape[1:])
    for t in range(order, len(path)):
        frame = path[t]
        for lag in range(order):
            np.matmul(path[t - 1 - lag], weights[lag], out=part)
            frame += part


def _memory(radius: float) -> int:
    """Frames after which a mode that shrinks by ``radius`` a frame has forgotten its start."""
    return math.ceil(math.log(REMEMBERED) / math.log(max(radius, 1e-9)))


def autoregressive_surrogate(
    recording: xr.DataArray | spontaneous.VARFit,
    generator: np.random.Generator,
    *,
    order: int | str = 1,
    innovations: str = "gaussian",
    burn_in: int | None = None,
    components: int | str | None = "auto",
    max_order: int = 5,
) -> xr.DataArray:
    """A surrogate (time, unit) from an autoregression fitted to a recording: linear, stationary, with its covariance and first autocovariances.

    See `Autoregressive` for the arguments; for many surrogates, ``Autoregressive(...).prepare(recording).draws(generator, count)`` fits once.

    recording
        activity (time, unit), equally spaced in time; or a fit, whose own simulation of its own length is then returned: Gaussian, with its own
        noise covariance, and within the components where these were fitted
    generator
        the source of randomness

    An `InputError` tells a recording that cannot be fitted, a fit that is not stationary, and a fit without the residuals that are to be permuted.

    >>> slow = np.random.default_rng(0).standard_normal((400, 2))
    >>> slow[1:] += 0.9 * slow[:-1]
    >>> recording = xr.DataArray(slow, dims=("time", "unit"))
    >>> surrogate = autoregressive_surrogate(recording, np.random.default_rng(1), innovations="permuted")
    >>> dict(surrogate.sizes)
    {'time': 400, 'unit': 2}
    """
    from yuragi.settings import validate

    spec = {"order": order, "innovations": innovations, "burn_in": burn_in, "components": components, "max_order": max_order}
    model = validate(Autoregressive, spec, "autoregressive_surrogate")
    if not isinstance(recording, spontaneous.VARFit):
        return model.prepare(recording).draw(generator)
    if model.innovations == "permuted":
        raise InputError("innovations='permuted': a fit does not hold its residuals; give the recording that was fitted")
    return recording.simulate(recording.n_frames, generator)
