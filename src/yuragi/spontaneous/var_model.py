"""A fitted vector autoregression: what it says about the recording, and surrogates drawn from it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from yuragi import autoregression
from yuragi.errors import InputError
from yuragi.spontaneous.recordings import checked_recording

_CRITERIA = {
    "bic": "Bayesian information criterion of each order, all on the same frames",
    "held_out": "squared error of each order in held-out blocks, over the variance",
}


@dataclass(frozen=True, eq=False)
class VARFit:
    """A fitted vector autoregression: what `fit_var` returns, and what surrogate recordings are drawn from.

        y_t = c + Σ_{l=1…p} A_l y_{t-l} + e_t,    cov(e) = Q

    y is the activity of the units, or, where ``loadings`` are given, the scores W (activity - mean) of leading principal components; then
    (component) stands for (unit) in the shapes of A, Q and c.

    coefficients
        A, (lag, unit, other_unit), without unit: the influence of the other, ``lag`` frames ago, on the first
    noise_covariance
        Q, (unit, other_unit), in the recording's unit squared
    intercept
        c, (unit), in the recording's unit
    criterion
        what chose the order, over (order), the candidates on the same frames: BIC(p) in nats, named "bic", or the squared error of held-out frames
        over their variance, named "held_out"
    mean
        mean of the recording, (unit), in its unit
    loadings
        W, (component, unit), orthonormal rows; None where the units themselves were fitted
    explained_variance
        share of the recording's variance in the fitted space, 0 to 1; 1 where the units themselves were fitted
    sampling_interval
        Δt, seconds between frames; NaN where unknown
    n_frames
        T, the length of the recording in frames
    structure
        which coefficients were estimated: "full", "diagonal" or "sparse"; the others are 0
    inverse_gram
        diagonal of (Z'Z)^-1, (lag, other_unit), with Z the constant and the lagged activity of the equations: what standard errors need beside Q;
        None for a sparse fit
    penalty
        of a sparse fit: the share of the smallest penalty that leaves no coefficient; None for the others

    `simulate`, `autocovariance` and what rests on them raise `InputError` for a fit that is not stationary (spectral radius of 1 or more).

    Source: Lütkepohl 2005, New Introduction to Multiple Time Series Analysis, §2.1.

    >>> from yuragi.spontaneous import fit_var
    >>> generator = np.random.default_rng(0)
    >>> fit = fit_var(xr.DataArray(generator.standard_normal((400, 3)), dims=("time", "unit")), order=2)
    >>> fit.coefficients.sizes["lag"], fit.noise_covariance.shape, bool(fit.spectral_radius < 1)
    (2, (3, 3), True)
    >>> dict(fit.simulate(50, generator).sizes)
    {'time': 50, 'unit': 3}
    """

    coefficients: xr.DataArray
    noise_covariance: xr.DataArray
    intercept: xr.DataArray
    criterion: xr.DataArray
    mean: xr.DataArray
    loadings: xr.DataArray | None
    explained_variance: float
    sampling_interval: float
    n_frames: int
    structure: str = "full"
    inverse_gram: xr.DataArray | None = None
    penalty: float | None = None

    def __repr__(self) -> str:
        space = f"{self.mean.size} units" if self.loadings is None else f"{self.intercept.size} components of {self.mean.size} units"
        structure = "" if self.structure == "full" else f"{self.structure}, "
        return (
            f"VARFit({structure}order {self.order}, {space}, {100 * self.explained_variance:.1f} % of the variance, "
            f"spectral radius {self.spectral_radius:.3f}, {self.n_frames} frames)"
        )

    @property
    def order(self) -> int:
        """p, the number of lags."""
        return self.coefficients.sizes["lag"]

    @property
    def variable(self) -> str:
        """What was fitted: "unit" or "component"."""
        return str(self.intercept.dims[0])

    @property
    def n_parameters(self) -> int:
        """Coefficients that were estimated and are not 0, and constants; the innovations' covariance not counted."""
        return int(np.count_nonzero(self.coefficients)) + self.intercept.size

    @property
    def standard_errors(self) -> xr.DataArray:
        """sqrt(Q_ii (Z'Z)^-1_jj) of every coefficient (lag, unit, other_unit): the diagonal of their covariance alone; NaN where none was estimated.

        They hold for a process of this order with many frames. Where components were fitted, the components count as known.

        An `InputError` tells a sparse fit, whose coefficients a penalty holds down, and a file that was written without them.

        Source: Lütkepohl 2005, §3.2.
        """
        if self.inverse_gram is None:
            reason = "a penalty biases a sparse fit" if self.structure == "sparse" else "this file does not hold what they need"
            raise InputError(f"fit: it has no standard errors, {reason}; fit again with fit_var(..., structure='full' or 'diagonal')")
        variances = np.diagonal(self.noise_covariance.values)
        errors = np.sqrt(variances[None, :, None] * self.inverse_gram.values[:, None, :])
        if self.structure == "diagonal":
            errors[:, ~np.eye(len(variances), dtype=bool)] = np.nan
        return self.coefficients.copy(data=errors).rename("standard_errors")

    @functools.cached_property
    def spectral_radius(self) -> float:
        """The largest modulus of the companion matrix's eigenvalues; below 1 the process is stationary."""
        return autoregression.spectral_radius(self.coefficients.values)

    @functools.cached_property
    def stationary_covariance(self) -> xr.DataArray:
        """Γ_0, the covariance that the process settles to: the solution of the discrete Lyapunov equation of the companion form."""
        return self.autocovariance(0)

    @functools.cached_property
    def stationary_mean(self) -> xr.DataArray:
        """μ = (I - Σ_l A_l)^-1 c, the mean that the process settles to."""
        self._require_stationary("its mean")
        total = self.coefficients.values.sum(axis=0)
        return self.intercept.copy(data=np.linalg.solve(np.eye(len(total)) - total, self.intercept.values))

    def autocovariance(self, lag: int) -> xr.DataArray:
        """Γ_lag = E[(y_t - μ)(y_{t-lag} - μ)'], exact from the coefficients; Γ_{-lag} = Γ_lag'."""
        self._require_stationary("its autocovariance")
        gamma = autoregression.autocovariance(self.coefficients.values, self.noise_covariance.values, lag)
        return self.noise_covariance.copy(data=gamma)

    def scores(self, recording: xr.DataArray) -> xr.DataArray:
        """A recording in the fitted space: itself where the units were fitted, else W (activity - mean) (time, component).

        recording
            activity (time, unit) with as many units as the fit has
        """
        recording = checked_recording(recording)
        if recording.sizes["unit"] != self.mean.size:
            raise InputError(f"recording: {recording.sizes['unit']} units where the fit has {self.mean.size}; give the recording that was fitted")
        if self.loadings is None:
            return recording
        values = (recording.values - self.mean.values) @ self.loadings.values.T
        coords = {"component": self.loadings["component"].values}
        return xr.DataArray(values, dims=("time", "component"), coords=coords, attrs=recording.attrs)

    def simulate(self, n_time: int, generator: np.random.Generator) -> xr.DataArray:
        """A surrogate recording (time, unit): Gaussian innovations through the fitted process, stationary from its first frame.

        The first p frames are drawn from their exact joint stationary distribution, so no burn-in is needed. Where components were fitted the
        surrogate lies in their span: mean + W' y.

        n_time
            number of frames
        generator
            the source of randomness

        An `InputError` tells a fit that is not stationary (spectral radius of 1 or more).
        """
        self._require_stationary("a simulation")
        if n_time < 1:
            raise InputError(f"n_time={n_time}: give at least 1 frame")
        order, width = self.order, self.intercept.size
        start, innovation = self._factors
        path = np.empty((order + n_time, width))
        state = start @ generator.standard_normal(order * width)
        path[:order] = state.reshape(order, width)[::-1]
        path[order:] = generator.standard_normal((n_time, width)) @ innovation.T
        # Oldest lag first, so that the past of a frame is one contiguous stretch of the path.
        weights = self.coefficients.values[::-1].transpose(1, 0, 2).reshape(width, order * width)
        for t in range(n_time):
            path[order + t] += weights @ path[t : t + order].ravel()
        values = path[order:] + self.stationary_mean.values
        if self.loadings is not None:
            values = values @ self.loadings.values + self.mean.values
        interval = 1.0 if math.isnan(self.sampling_interval) else self.sampling_interval
        return xr.DataArray(
            values,
            dims=("time", "unit"),
            coords={"time": np.arange(n_time) * interval, "unit": self.mean["unit"].values},
            name="recording",
            attrs={
                "source": f"simulated from a vector autoregression of order {order}",
                "sampling_interval": self.sampling_interval,
                "truth_spectral_radius": self.spectral_radius,
            },
        )

    def to_dataset(self) -> xr.Dataset:
        """The fit as a dataset, for NetCDF; `from_dataset` reads it back."""
        described = {
            "coefficients": "influence of the second variable, lag frames ago, on the first",
            "noise_covariance": "covariance of the innovations",
            "intercept": "constant term of each equation",
            "criterion": _CRITERIA.get(str(self.criterion.name), _CRITERIA["bic"]),
            "mean": "mean of each unit over the recording",
            "loadings": "orthonormal direction of each fitted principal component over units",
            "inverse_gram": "diagonal of the inverse Gram matrix of the constant and the lagged variables",
        }
        arrays = {name: getattr(self, name) for name in described if getattr(self, name) is not None}
        data = xr.Dataset({name: array.rename(name).assign_attrs(long_name=described[name]) for name, array in arrays.items()})
        data.attrs = {
            "title": "vector autoregression fitted to a recording of spontaneous activity",
            "explained_variance": self.explained_variance,
            "sampling_interval": self.sampling_interval,
            "n_frames": self.n_frames,
            "structure": self.structure,
            "criterion": "bic" if self.criterion.name is None else str(self.criterion.name),
        }
        if self.penalty is not None:
            data.attrs["penalty"] = self.penalty
        return data

    @classmethod
    def from_dataset(cls, data: xr.Dataset) -> VARFit:
        """The fit that `to_dataset` wrote; an `InputError` names what is missing."""
        needed = ("coefficients", "noise_covariance", "intercept", "criterion", "mean")
        missing = [name for name in needed if name not in data] + [
            name for name in ("explained_variance", "sampling_interval", "n_frames") if name not in data.attrs
        ]
        if missing:
            present = ", ".join(map(str, [*data.data_vars, *data.attrs]))
            raise InputError(f"not a fitted autoregression: {', '.join(missing)} missing; present: {present}")
        arrays = {name: data[name].drop_attrs() for name in needed}
        arrays["criterion"] = arrays["criterion"].rename(data.attrs.get("criterion", "bic"))
        optional = {name: data[name].drop_attrs() if name in data else None for name in ("loadings", "inverse_gram")}
        return cls(
            **arrays,
            **optional,
            explained_variance=float(data.attrs["explained_variance"]),
            sampling_interval=float(data.attrs["sampling_interval"]),
            n_frames=int(data.attrs["n_frames"]),
            structure=str(data.attrs.get("structure", "full")),
            penalty=float(data.attrs["penalty"]) if "penalty" in data.attrs else None,
        )

    @functools.cached_property
    def _factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Square roots of the covariances of the state, newest frame first, and of the innovations."""
        a, q = self.coefficients.values, self.noise_covariance.values
        return autoregression.symmetric_root(autoregression.state_covariance(a, q)), autoregression.symmetric_root(q)

    def _require_stationary(self, what: str) -> None:
        if not self.spectral_radius < 1:
            raise InputError(
                f"fit: spectral radius {self.spectral_radius:.4f} is not below 1, so {what} does not exist; "
                "remove slow drifts from the recording, fit fewer components, or lower the order"
            )
