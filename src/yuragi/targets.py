"""The brain target: the one file that crosses from recordings to networks.

A small NetCDF file with, for each stage of the hierarchy, the exponent of the covariance spectrum with its interval, and the model
of spontaneous activity. Anyone can write one by hand, in a notebook, from their own data: `BrainTarget.read` tells what is missing or wrong. The
smallest files hold ``alpha (stage)``, or the three variables ``eigenvalues (component)``, ``coefficients (lag, component, other_component)``
and ``innovation_covariance (component, other_component)``.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import lazy_loader as lazy
import numpy as np
from jaxtyping import Float

from yuragi.errors import InputError, unknown
from yuragi.files import read_netcdf, write_netcdf

xr = lazy.load("xarray")

# Relative to the variance: far above the rounding of float64 and of a file in float32, far below any effect of interest.
TOLERANCE = 1e-5


@runtime_checkable
class SpectrumFit(Protocol):
    """What a fitted power law must tell: α, its interval or None, the ranks of the fit (1-based, inclusive) and R²."""

    alpha: float
    alpha_interval: tuple[float, float] | None
    ranks: tuple[int, int]
    r_squared: float


@runtime_checkable
class Autoregression(Protocol):
    """What a fitted autoregression must tell: A (lag, variable, other), Q (variable, other) and the seconds between frames."""

    coefficients: Any
    noise_covariance: Any
    sampling_interval: float


@dataclass(frozen=True)
class Stage:
    """The covariance spectrum of one stage of the hierarchy: λ_n ∝ n^-α.

    alpha
        α
    alpha_interval
        (low, high), or None where it is unknown
    ranks
        first and last rank of the fit, 1-based and inclusive, or None where they are unknown
    r_squared
        of the fit in log-log coordinates, or None where it is unknown
    """

    alpha: float
    alpha_interval: tuple[float, float] | None = None
    ranks: tuple[int, int] | None = None
    r_squared: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.alpha) and self.alpha > 0):
            raise InputError(f"alpha is {self.alpha:g}; a spectrum that decays has a finite exponent above 0")
        if self.alpha_interval is not None:
            low, high = self.alpha_interval
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise InputError(f"alpha_interval is ({low:g}, {high:g}); give (low, high), or None where it is unknown")
        if self.ranks is not None and not 1 <= self.ranks[0] < self.ranks[1]:
            raise InputError(f"ranks are {self.ranks}; give (first, last) with 1 <= first < last")


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
        if abs(self.eigenvalues.sum() - 1) > TOLERANCE:
            raise InputError(f"eigenvalues sum to {self.eigenvalues.sum():g}; divide them and innovation_covariance by it, so that they sum to 1")
        _check_covariance("innovation_covariance", self.innovation_covariance)
        if math.isinf(self.sampling_interval) or self.sampling_interval <= 0:
            raise InputError(f"sampling_interval is {self.sampling_interval:g}; give seconds above 0, or NaN where it is unknown")
        _check_stable(self.coefficients)
        off = np.abs(self.autocovariance(0) - np.diag(self.eigenvalues)).max()
        if off > TOLERANCE * self.eigenvalues[0]:
            raise InputError(
                f"eigenvalues differ by {off:.2g} from the stationary covariance of coefficients and innovation_covariance; "
                "SpontaneousModel.from_autoregression computes eigenvalues that agree"
            )

    @classmethod
    def from_autoregression(
        cls,
        coefficients: Float[np.ndarray, "lag unit unit"],
        noise_covariance: Float[np.ndarray, "unit unit"],
        sampling_interval: float = math.nan,
    ) -> SpontaneousModel:
        """An autoregression in any basis, rotated into the principal components of its stationary covariance S and scaled to tr S = 1.

        S = U diag(λ) U', A'_l = U' A_l U, Q' = U' Q U / tr S, λ' = λ / tr S. The largest entry of each column of U is positive.

        coefficients
            A (lag, unit, other unit)
        noise_covariance
            Q (unit, other unit)
        """
        coefficients, noise = np.asarray(coefficients, dtype=np.float64), np.asarray(noise_covariance, dtype=np.float64)
        _check_stable(coefficients)
        stationary = _autocovariances(coefficients, noise, 0)[0]
        variances, axes = np.linalg.eigh(stationary)
        variances, axes = variances[::-1], axes[:, ::-1]
        axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0))
        total = variances.sum()
        rotated = axes.T @ noise @ axes / total
        return cls(variances / total, axes.T @ coefficients @ axes, (rotated + rotated.T) / 2, sampling_interval)

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
        return _spectral_radius(self.coefficients)

    def autocovariance(self, lag: int) -> Float[np.ndarray, "component component"]:
        """Γ_lag = E[z_t z_{t-lag}'] (component, other component); Γ_{-lag} = Γ_lag'."""
        gamma = _autocovariances(self.coefficients, self.innovation_covariance, abs(lag))[-1]
        return gamma if lag >= 0 else gamma.T

    @property
    def lag_one_autocorrelation(self) -> Float[np.ndarray, " component"]:
        """Correlation of each component with itself one frame earlier (component,)."""
        return np.diagonal(self.autocovariance(1)) / self.eigenvalues

    @functools.cached_property
    def stationary_factor(self) -> Float[np.ndarray, "state state"]:
        """R with R R' = cov(z_t, z_{t-1}, …, z_{t-p+1}), newest first: R times standard normal numbers starts the process in its stationary state.

        For order 1 it is diag(√λ).
        """
        return _square_root(_state_covariance(self.coefficients, self.innovation_covariance))

    def truncated(self, n_components: int) -> SpontaneousModel:
        """The model of the leading components alone, for a layer with fewer units than the model has components.

        It predicts the leading components best from their own past (the Yule-Walker equations on their exact autocovariances), so it keeps
        their autocovariances at lags 0 … p, up to the scale that makes their variance sum to 1, and stays stable. What the dropped components
        told about the leading ones goes into the innovations. For order 1 the coefficients are the leading block of A and
        Q' = Λ - A Λ A' with Λ the leading eigenvalues.

        n_components
            how many to keep, 1 … K
        """
        if not 1 <= n_components <= self.n_components:
            raise InputError(f"n_components={n_components}: the model has {self.n_components}; choose 1 to {self.n_components}")
        if n_components == self.n_components:
            return self
        n, p = n_components, self.order
        gamma = _autocovariances(self.coefficients, self.innovation_covariance, p)[:, :n, :n]
        gamma[0] = np.diag(self.eigenvalues[:n])
        past = np.block([[gamma[j - i] if j >= i else gamma[i - j].T for j in range(p)] for i in range(p)])
        ahead = np.hstack(list(gamma[1:]))
        stacked = np.linalg.solve(past, ahead.T).T
        innovation = gamma[0] - stacked @ ahead.T
        total = self.eigenvalues[:n].sum()
        return SpontaneousModel(
            self.eigenvalues[:n] / total,
            stacked.reshape(n, p, n).transpose(1, 0, 2),
            (innovation + innovation.T) / (2 * total),
            self.sampling_interval,
        )


@dataclass(frozen=True, eq=False)
class BrainTarget:
    """What a network is asked to share with the brain: spectral exponents of stages, and a model of spontaneous activity.

    stages
        name of a stage → `Stage`, in the order of the hierarchy
    spontaneous
        the `SpontaneousModel`, or None
    variance_ratio
        spontaneous variance over stimulus-driven variance, both summed over units, or None where it is unknown
    provenance
        name of a stage, or "spontaneous" → where its numbers come from

    >>> target = BrainTarget({"V1": Stage(1.04, (0.98, 1.10)), "V4": Stage(0.9)})
    >>> target.alpha("V1")
    1.04
    >>> target.alpha("V2")
    Traceback (most recent call last):
    yuragi.errors.InputError: stage 'V2' does not exist; Known: V1, V4
    """

    stages: Mapping[str, Stage] = field(default_factory=dict)
    spontaneous: SpontaneousModel | None = None
    variance_ratio: float | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.stages and self.spontaneous is None:
            raise InputError("a target needs at least one stage with its alpha, or a spontaneous model")
        if "spontaneous" in self.stages:
            raise InputError("stage 'spontaneous' has the name of the spontaneous model; rename the stage")
        if self.variance_ratio is not None and not (math.isfinite(self.variance_ratio) and self.variance_ratio > 0):
            raise InputError(f"variance_ratio is {self.variance_ratio:g}; give a finite number above 0, or leave it out")
        for name in self.provenance:
            if name not in (*self.stages, "spontaneous"):
                raise unknown("provenance of", name, (*self.stages, "spontaneous"))

    @classmethod
    def from_fits(
        cls,
        spectra: Mapping[str, SpectrumFit],
        spontaneous: Autoregression | None = None,
        variance_ratio: float | None = None,
        provenance: Mapping[str, str] | None = None,
    ) -> BrainTarget:
        """A target from fitted power laws (`yuragi.spectra.fit_power_law`) and a fitted autoregression (`yuragi.spontaneous.fit_var`)."""
        stages = {}
        for name, fit in spectra.items():
            try:
                interval = None if fit.alpha_interval is None else (float(fit.alpha_interval[0]), float(fit.alpha_interval[1]))
                stages[name] = Stage(float(fit.alpha), interval, (int(fit.ranks[0]), int(fit.ranks[1])), float(fit.r_squared))
            except InputError as error:
                raise InputError(f"stage {name}: {error}") from error
        model = None
        if spontaneous is not None:
            model = SpontaneousModel.from_autoregression(
                np.asarray(spontaneous.coefficients), np.asarray(spontaneous.noise_covariance), float(spontaneous.sampling_interval)
            )
        return cls(stages, model, variance_ratio, dict(provenance or {}))

    def alpha(self, stage: str) -> float:
        """α of a stage; an `InputError` lists the stages that exist."""
        return self._stage(stage).alpha

    def alpha_interval(self, stage: str) -> tuple[float, float] | None:
        """The interval (low, high) of α of a stage, or None where it is unknown."""
        return self._stage(stage).alpha_interval

    def _stage(self, stage: str) -> Stage:
        if stage not in self.stages:
            raise unknown("stage", stage, self.stages)
        return self.stages[stage]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the target as NetCDF: whole or not at all, the same bytes for the same target."""
        write_netcdf(self.to_dataset(), path)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> BrainTarget:
        """Read a target, computed or written by hand; an `InputError` names the file, what is wrong with it and the remedy."""
        data = read_netcdf(path)
        try:
            return cls.from_dataset(data)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def to_dataset(self) -> xr.Dataset:
        """The target as a dataset whose variables explain themselves."""
        variables: dict[str, tuple[tuple[str, ...], Any]] = {}
        coords: dict[str, Any] = {}
        if self.stages:
            stages = list(self.stages.values())
            intervals = [stage.alpha_interval or (math.nan, math.nan) for stage in stages]
            ranks = [stage.ranks or (math.nan, math.nan) for stage in stages]
            columns = {
                "alpha": [stage.alpha for stage in stages],
                "alpha_low": [low for low, _ in intervals],
                "alpha_high": [high for _, high in intervals],
                "first_rank": [first for first, _ in ranks],
                "last_rank": [last for _, last in ranks],
                "r_squared": [math.nan if stage.r_squared is None else stage.r_squared for stage in stages],
            }
            variables |= {name: (("stage",), np.array(column, dtype=np.float64)) for name, column in columns.items()}
            variables["provenance"] = (("stage",), np.array([self.provenance.get(name, "") for name in self.stages], dtype=object))
            coords["stage"] = np.array(list(self.stages), dtype=object)
        if self.spontaneous is not None:
            variables |= {name: (dims, getattr(self.spontaneous, name)) for name, dims in _SPONTANEOUS.items()}
            variables["sampling_interval"] = ((), self.spontaneous.sampling_interval)
            numbers = np.arange(1, self.spontaneous.n_components + 1)
            coords |= {"lag": np.arange(1, self.spontaneous.order + 1), "component": numbers, "other_component": numbers}
        if "spontaneous" in self.provenance:
            variables["spontaneous_provenance"] = ((), np.array(self.provenance["spontaneous"], dtype=object))
        if self.variance_ratio is not None:
            variables["variance_ratio"] = ((), self.variance_ratio)
        described = {name: (dims, value, _DESCRIBED[name]) for name, (dims, value) in variables.items()}
        return xr.Dataset(described, coords=coords, attrs={"contents": "brain target", "description": _DESCRIPTION})

    @classmethod
    def from_dataset(cls, data: xr.Dataset) -> BrainTarget:
        """The target that a dataset holds; only ``alpha``, or the three arrays of the spontaneous model, are needed."""
        present = ", ".join(map(str, data.data_vars)) or "none"
        found = [name for name in _SPONTANEOUS if name in data]
        if "alpha" not in data and not found:
            raise InputError(f"holds neither alpha (stage) nor {', '.join(_SPONTANEOUS)}; variables present: {present}")
        if found and len(found) < len(_SPONTANEOUS):
            missing = ", ".join(name for name in _SPONTANEOUS if name not in data)
            raise InputError(f"the spontaneous model lacks {missing}; variables present: {present}")
        stages = _read_stages(data) if "alpha" in data else {}
        provenance = {}
        if stages and "provenance" in data:
            provenance = {name: str(text) for name, text in zip(stages, _array(data, "provenance", ("stage",)), strict=True) if text}
        model = None
        if found:
            arrays = {name: _array(data, name, dims) for name, dims in _SPONTANEOUS.items()}
            interval = _scalar(data, "sampling_interval")
            model = SpontaneousModel(**arrays, sampling_interval=math.nan if interval is None else interval)
        if "spontaneous_provenance" in data:
            provenance["spontaneous"] = str(data["spontaneous_provenance"].item())
        return cls(stages, model, _scalar(data, "variance_ratio"), provenance)

    def __repr__(self) -> str:
        stages = ", ".join(f"{name} {stage.alpha:.2f}" for name, stage in self.stages.items())
        parts = [f"alpha: {stages}" if stages else "", repr(self.spontaneous) if self.spontaneous else ""]
        parts.append("" if self.variance_ratio is None else f"variance ratio {self.variance_ratio:.3g}")
        return f"BrainTarget({'; '.join(part for part in parts if part)})"

    def show(self) -> str:
        """The target for a person to read, as ``yuragi show target.nc`` prints it."""
        lines = ["Brain target"]
        if self.stages:
            width = max(map(len, self.stages))
            lines += ["", "Covariance spectra, variance at rank n ∝ n^-alpha:"]
            for name, stage in self.stages.items():
                text = f"  {name:<{width}}  alpha {stage.alpha:.3f}"
                text += " (no interval)" if stage.alpha_interval is None else " ({:.3f} to {:.3f})".format(*stage.alpha_interval)
                text += "" if stage.ranks is None else ", ranks {} to {}".format(*stage.ranks)
                text += "" if stage.r_squared is None else f", R² {stage.r_squared:.3f}"
                lines += [text] + ([f"  {'':<{width}}  from {self.provenance[name]}"] if self.provenance.get(name) else [])
        if self.spontaneous is not None:
            lines += ["", "Spontaneous activity:", *_shown_model(self.spontaneous)]
            if self.provenance.get("spontaneous"):
                lines.append(f"  from {self.provenance['spontaneous']}")
        ratio = "unknown" if self.variance_ratio is None else f"{self.variance_ratio:.3g}"
        return "\n".join([*lines, "", f"Variance ratio, spontaneous / stimulus-driven: {ratio}"])


_DESCRIPTION = (
    "What a network is asked to share with the brain. Per stage: the exponent alpha of the covariance spectrum, variance at rank n proportional to "
    "n^-alpha. Spontaneous activity z along its own principal components, total variance 1: z(t) = sum over lags of coefficients(lag) z(t - lag) + "
    "e(t), with e Gaussian of covariance innovation_covariance. Written by hand it needs only alpha (stage), or the three arrays of "
    "the spontaneous model."
)

_SPONTANEOUS = {
    "eigenvalues": ("component",),
    "coefficients": ("lag", "component", "other_component"),
    "innovation_covariance": ("component", "other_component"),
}

_DESCRIBED = {
    "alpha": {"long_name": "exponent of the covariance spectrum", "units": "1", "description": "variance at rank n is proportional to n^-alpha"},
    "alpha_low": {"long_name": "lower end of the interval of alpha", "units": "1", "description": "NaN where the interval is unknown"},
    "alpha_high": {"long_name": "upper end of the interval of alpha", "units": "1", "description": "NaN where the interval is unknown"},
    "first_rank": {"long_name": "first rank of the power-law fit", "units": "1", "description": "counted from 1, inclusive; NaN where unknown"},
    "last_rank": {"long_name": "last rank of the power-law fit", "units": "1", "description": "counted from 1, inclusive; NaN where unknown"},
    "r_squared": {"long_name": "R squared of the power-law fit", "units": "1", "description": "in log-log coordinates; NaN where unknown"},
    "provenance": {"long_name": "source of alpha", "description": "where the numbers of the stage come from"},
    "eigenvalues": {
        "long_name": "variance of each component of spontaneous activity",
        "units": "1",
        "description": "eigenvalues of the stationary covariance, descending, all above 0, sum 1",
    },
    "coefficients": {
        "long_name": "autoregressive coefficients",
        "units": "1",
        "description": "influence of other_component, lag frames ago, on component; the process they give is stable",
    },
    "innovation_covariance": {
        "long_name": "covariance of the innovations",
        "units": "1",
        "description": "the noise that enters in each frame, on the scale where the total stationary variance is 1",
    },
    "sampling_interval": {"long_name": "time between frames", "units": "s", "description": "duration of one lag; NaN where unknown"},
    "spontaneous_provenance": {"long_name": "source of the spontaneous model", "description": "where the spontaneous model comes from"},
    "variance_ratio": {
        "long_name": "spontaneous variance over stimulus-driven variance",
        "units": "1",
        "description": "each summed over units",
    },
}


def _read_stages(data: xr.Dataset) -> dict[str, Stage]:
    alpha = _array(data, "alpha", ("stage",))
    if "stage" not in data.coords:
        raise InputError("alpha has no coordinate 'stage'; give the names of the stages, for instance data.assign_coords(stage=['V1', 'V4'])")
    names = [str(name) for name in data["stage"].values]
    if len(set(names)) < len(names):
        raise InputError(f"stage holds a name twice ({', '.join(names)}); each stage needs its own")
    optional = ("alpha_low", "alpha_high", "first_rank", "last_rank", "r_squared")
    columns = {name: _array(data, name, ("stage",)) if name in data else np.full(len(names), math.nan) for name in optional}
    stages = {}
    for index, name in enumerate(names):
        low, high, first, last, r_squared = (None if math.isnan(column[index]) else float(column[index]) for column in columns.values())
        if (low is None) != (high is None) or (first is None) != (last is None):
            raise InputError(f"stage {name}: alpha_low and alpha_high, and first_rank and last_rank, go in pairs; give both or neither")
        interval = None if low is None else (low, high)
        ranks = None if first is None else (int(first), int(last))
        try:
            stages[name] = Stage(float(alpha[index]), interval, ranks, r_squared)
        except InputError as error:
            raise InputError(f"stage {name}: {error}") from error
    return stages


def _array(data: xr.Dataset, name: str, dims: tuple[str, ...]) -> np.ndarray:
    if set(data[name].dims) != set(dims):
        raise InputError(f"{name} has dimensions ({', '.join(map(str, data[name].dims))}); ({', '.join(dims)}) are needed")
    return data[name].transpose(*dims).values


def _scalar(data: xr.Dataset, name: str) -> float | None:
    if name not in data:
        return None
    if data[name].size != 1:
        raise InputError(f"{name} has {data[name].size} values; one number is needed")
    return float(data[name].item())


def _shown_model(model: SpontaneousModel) -> list[str]:
    interval = "unknown" if math.isnan(model.sampling_interval) else f"{model.sampling_interval:g} s"
    leading = ", ".join(f"{100 * share:.1f}" for share in model.eigenvalues[:5])
    remembered = model.lag_one_autocorrelation
    return [
        f"  autoregression of order {model.order} on {model.n_components} components, {interval} between frames",
        f"  spectral radius {model.spectral_radius:.3f}",
        f"  share of variance of the leading components, %: {leading}",
        f"  lag-one autocorrelation {remembered.min():.3f} to {remembered.max():.3f}, mean weighted by variance {remembered @ model.eigenvalues:.3f}",
    ]


def _companion(coefficients: np.ndarray) -> np.ndarray:
    lags, width, _ = coefficients.shape
    top = coefficients.transpose(1, 0, 2).reshape(width, lags * width)
    return np.vstack([top, np.eye((lags - 1) * width, lags * width)])


def _spectral_radius(coefficients: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(_companion(coefficients))).max())


def _state_covariance(coefficients: np.ndarray, innovation: np.ndarray) -> np.ndarray:
    """V = F V F' + Q for the state of the last p frames, newest first, with F the companion matrix."""
    from scipy.linalg import solve_discrete_lyapunov

    transition = _companion(coefficients)
    noise = np.zeros_like(transition)
    noise[: len(innovation), : len(innovation)] = innovation
    solution = solve_discrete_lyapunov(transition, noise)
    return (solution + solution.T) / 2


def _autocovariances(coefficients: np.ndarray, innovation: np.ndarray, most: int) -> np.ndarray:
    """Γ_0 … Γ_most: blocks of the state covariance, then Γ_l = Σ_j A_j Γ_{l-j}."""
    lags, width, _ = coefficients.shape
    newest = _state_covariance(coefficients, innovation)[:width]
    gamma = [newest[:, lag * width : (lag + 1) * width] for lag in range(lags)]
    for lag in range(lags, most + 1):
        gamma.append(sum(coefficients[j] @ gamma[lag - 1 - j] for j in range(lags)))
    return np.stack(gamma[: most + 1])


def _square_root(covariance: np.ndarray) -> np.ndarray:
    variances, directions = np.linalg.eigh(covariance)
    return (directions * np.sqrt(variances.clip(min=0))) @ directions.T


def _check_covariance(name: str, covariance: np.ndarray) -> None:
    size = np.abs(covariance).max()
    if np.abs(covariance - covariance.T).max() > TOLERANCE * size:
        raise InputError(f"{name} is not symmetric; a covariance is, so average it with its transpose or compute it again")
    smallest = np.linalg.eigvalsh(covariance)[0]
    if smallest < -TOLERANCE * size:
        raise InputError(f"{name} has the negative eigenvalue {smallest:.3g}; a covariance has none, so compute it again")


def _check_stable(coefficients: np.ndarray) -> None:
    radius = _spectral_radius(coefficients)
    if not radius < 1:
        raise InputError(
            f"coefficients have spectral radius {radius:.4f}; below 1 is needed, or the process does not settle: fit fewer components or lags"
        )
