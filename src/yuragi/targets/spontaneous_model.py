"""A model of spontaneous activity in its own principal components."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from yuragi import autoregression
from yuragi.errors import InputError


@runtime_checkable
class Intervals(Protocol):
    """What the uncertainty of a fitted autoregression must tell; see `yuragi.spontaneous.model_intervals`."""

    eigenvalues: Any
    spectral_radius: Any


@dataclass(frozen=True, eq=False)
class SpontaneousModel:
    """Spontaneous activity of total variance 1 along its own principal components: z_t = Σ_l A_l z_{t-l} + e_t, cov(e) = Q.

    The components are the eigenvectors of the process's stationary covariance, so E[z_t z_t'] = diag(λ) with Σ λ = 1. Arrays are copied,
    checked and made read-only. `from_autoregression` brings a model from any basis and scale into this form.

    eigenvalues
        λ (component,), descending, above 0, sum 1
    coefficients
        A (lag, component, other component): the influence of the other, ``lag`` frames ago, on the first
    innovation_covariance
        Q (component, other component)
    sampling_interval
        seconds between frames; NaN where unknown
    eigenvalue_intervals
        (component, 2): low and high end of each λ, or None where they are unknown; see `yuragi.spontaneous.model_intervals`
    spectral_radius_interval
        (low, high) of the spectral radius, or None where it is unknown

    An `InputError` tells shapes that do not fit, eigenvalues out of order or not above 0, an unstable process, and eigenvalues that are
    not the stationary covariance of A and Q.

    >>> variances, memory = np.array([0.8, 0.2]), np.array([0.5, 0.1])
    >>> model = SpontaneousModel(variances, np.diag(memory)[None], np.diag(variances * (1 - memory**2)))
    >>> model.spectral_radius
    0.5
    """

    eigenvalues: np.ndarray
    coefficients: np.ndarray
    innovation_covariance: np.ndarray
    sampling_interval: float = math.nan
    eigenvalue_intervals: np.ndarray | None = None
    spectral_radius_interval: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name, dimensions in (("eigenvalues", 1), ("coefficients", 3), ("innovation_covariance", 2)):
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.ndim != dimensions or array.size == 0:
                raise InputError(f"{name} has shape {array.shape}; {dimensions} dimensions, none empty, are needed")
            if not np.isfinite(array).all():
                raise InputError(f"{name} has {(~np.isfinite(array)).sum()} values that are not finite; fit the model again")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        width = len(self.eigenvalues)
        for name, shape in (("coefficients", (len(self.coefficients), width, width)), ("innovation_covariance", (width, width))):
            if getattr(self, name).shape != shape:
                raise InputError(f"{name} has shape {getattr(self, name).shape}; {width} eigenvalues need {shape}")
        if self.eigenvalues.min() <= 0:
            raise InputError(f"eigenvalues: the smallest is {self.eigenvalues.min():g}; drop components without variance, all must be above 0")
        if (np.diff(self.eigenvalues) > 0).any():
            raise InputError("eigenvalues are not in descending order; sort them, and the components of the other arrays with them")
        if abs(self.eigenvalues.sum() - 1) > autoregression.TOLERANCE:
            raise InputError(f"eigenvalues sum to {self.eigenvalues.sum():g}; divide them and innovation_covariance by it, so that they sum to 1")
        autoregression.check_covariance("innovation_covariance", self.innovation_covariance)
        if math.isinf(self.sampling_interval) or self.sampling_interval <= 0:
            raise InputError(f"sampling_interval is {self.sampling_interval:g}; give seconds above 0, or NaN where it is unknown")
        self._check_intervals()
        off = np.abs(self.autocovariance(0) - np.diag(self.eigenvalues)).max()
        if off > autoregression.TOLERANCE * self.eigenvalues[0]:
            raise InputError(
                f"eigenvalues differ by {off:.2g} from the stationary covariance of coefficients and innovation_covariance; "
                "SpontaneousModel.from_autoregression computes eigenvalues that agree"
            )

    def _check_intervals(self) -> None:
        if self.eigenvalue_intervals is not None:
            ends = np.array(self.eigenvalue_intervals, dtype=np.float64)
            if ends.shape != (self.n_components, 2) or not (ends[:, 0] <= ends[:, 1]).all():
                raise InputError(
                    f"eigenvalue_intervals has shape {ends.shape}; give (low, high) with low <= high for each of {self.n_components}, or leave it out"
                )
            ends.flags.writeable = False
            object.__setattr__(self, "eigenvalue_intervals", ends)
        if self.spectral_radius_interval is not None:
            low, high = self.spectral_radius_interval
            if not 0 <= low <= high:
                raise InputError(f"spectral_radius_interval is ({low:g}, {high:g}); give (low, high) from 0 up, or leave it out")

    @classmethod
    def from_autoregression(
        cls,
        coefficients: Float[np.ndarray, "lag unit unit"],
        noise_covariance: Float[np.ndarray, "unit unit"],
        sampling_interval: float = math.nan,
        intervals: Intervals | None = None,
    ) -> SpontaneousModel:
        """An autoregression in any basis, rotated into the principal components of its stationary covariance S and scaled to tr S = 1.

        S = U diag(λ) U', A'_l = U' A_l U, Q' = U' Q U / tr S, λ' = λ / tr S. The largest entry of each column of U is positive.

        coefficients
            A (lag, unit, other unit)
        noise_covariance
            Q (unit, other unit)
        intervals
            of λ and of the spectral radius, which neither rotation nor scale changes; None where they are unknown
        """
        coefficients, noise = np.asarray(coefficients, dtype=np.float64), np.asarray(noise_covariance, dtype=np.float64)
        variances, axes = np.linalg.eigh(autoregression.autocovariance(coefficients, noise, 0))
        variances, axes = variances[::-1], axes[:, ::-1]
        axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0))
        total = variances.sum()
        rotated = axes.T @ noise @ axes / total
        return cls(
            variances / total,
            axes.T @ coefficients @ axes,
            (rotated + rotated.T) / 2,
            sampling_interval,
            None if intervals is None else intervals.eigenvalues,
            None if intervals is None else intervals.spectral_radius,
        )

    def __repr__(self) -> str:
        return f"SpontaneousModel(order {self.order}, {self.n_components} components, spectral radius {self.spectral_radius:.3f})"

    @property
    def order(self) -> int:
        """p, the number of lags."""
        return len(self.coefficients)

    @property
    def n_components(self) -> int:
        """K, the number of components."""
        return len(self.eigenvalues)

    @functools.cached_property
    def spectral_radius(self) -> float:
        """The largest modulus of the companion matrix's eigenvalues."""
        return autoregression.spectral_radius(self.coefficients)

    def autocovariance(self, lag: int) -> Float[np.ndarray, "component component"]:
        """Γ_lag = E[z_t z_{t-lag}'] (component, other component); Γ_{-lag} = Γ_lag'."""
        return autoregression.autocovariance(self.coefficients, self.innovation_covariance, lag)

    @property
    def lag_one_autocorrelation(self) -> Float[np.ndarray, " component"]:
        """Correlation of each component with itself one frame earlier (component,)."""
        return np.diagonal(self.autocovariance(1)) / self.eigenvalues

    @functools.cached_property
    def stationary_factor(self) -> Float[np.ndarray, "state state"]:
        """R with R R' = cov(z_t, z_{t-1}, …, z_{t-p+1}), newest first: R times standard normal numbers starts the process in its stationary state.

        For order 1 it is diag(√λ).
        """
        return autoregression.symmetric_root(autoregression.state_covariance(self.coefficients, self.innovation_covariance))

    def truncated(self, n_components: int) -> SpontaneousModel:
        """The model of the leading components alone, for a layer with fewer units than the model has components.

        It predicts the leading components best from their own past (the Yule-Walker equations on their exact autocovariances), so it keeps
        their autocovariances at lags 0 … p, up to the scale that makes their variance sum to 1, and stays stable. What the dropped components
        told about the leading ones goes into the innovations. For order 1 the coefficients are the leading block of A and
        Q' = Λ - A Λ A' with Λ the leading eigenvalues. Intervals are those of the whole model and do not come along.

        n_components
            how many to keep, 1 … K
        """
        if not 1 <= n_components <= self.n_components:
            raise InputError(f"n_components={n_components}: the model has {self.n_components}; choose 1 to {self.n_components}")
        if n_components == self.n_components:
            return self
        leading = self.eigenvalues[:n_components]
        gamma = autoregression.autocovariances(self.coefficients, self.innovation_covariance, self.order)[:, :n_components, :n_components]
        gamma[0] = np.diag(leading)
        coefficients, innovation = autoregression.yule_walker(gamma)
        return SpontaneousModel(leading / leading.sum(), coefficients, innovation / leading.sum(), self.sampling_interval)

    def show(self) -> list[str]:
        """The model in lines for a person to read."""
        interval = "unknown" if math.isnan(self.sampling_interval) else f"{self.sampling_interval:g} s"
        shares = ", ".join(f"{100 * share:.1f}" for share in self.eigenvalues[:5])
        remembered = self.lag_one_autocorrelation
        mean = remembered @ self.eigenvalues
        radius = self.spectral_radius_interval
        return [
            f"autoregression of order {self.order} on {self.n_components} components, {interval} between frames",
            f"spectral radius {self.spectral_radius:.3f}" + ("" if radius is None else f" ({radius[0]:.3f} to {radius[1]:.3f})"),
            f"share of variance of the leading components, %: {shares}",
            f"lag-one autocorrelation {remembered.min():.3f} to {remembered.max():.3f}, mean weighted by variance {mean:.3f}",
        ]
