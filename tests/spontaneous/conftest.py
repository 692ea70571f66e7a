"""Recordings with a planted vector autoregression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

Planted = tuple[xr.DataArray, np.ndarray, np.ndarray]


def planted_coefficients(units: int, radius: float, generator: np.random.Generator, order: int = 1) -> np.ndarray:
    """A (lag, unit, unit) whose companion matrix has exactly the spectral radius asked for."""
    a = generator.standard_normal((order, units, units)) / np.sqrt(units)
    companion = np.vstack([np.hstack(list(a)), np.eye((order - 1) * units, order * units)])
    shrink = radius / np.abs(np.linalg.eigvals(companion)).max()
    return a * shrink ** np.arange(1, order + 1)[:, None, None]


def run_process(a: np.ndarray, frames: int, generator: np.random.Generator, mixing: np.ndarray | None = None) -> np.ndarray:
    """y (time, unit) of the process, by the recursion as written, after 500 frames of burn-in."""
    order, units, _ = a.shape
    noise = generator.standard_normal((frames + 500, units)) @ (np.eye(units) if mixing is None else mixing.T)
    y = np.zeros_like(noise)
    for t in range(len(y)):
        y[t] = noise[t] + sum((a[j] @ y[t - j - 1] for j in range(min(order, t))), np.zeros(units))
    return y[500:]


def labelled(values: np.ndarray, interval: float = 0.5) -> xr.DataArray:
    coords = {"time": np.arange(len(values)) * interval, "unit": [f"u{i}" for i in range(values.shape[1])]}
    return xr.DataArray(values, dims=("time", "unit"), coords=coords, name="recording", attrs={"sampling_interval": interval})


@pytest.fixture
def plant() -> Callable[..., Planted]:
    """plant(units, frames, radius, order, seed) → the recording, A (lag, unit, unit) and the noise covariance."""

    def make(units: int = 6, frames: int = 600, radius: float = 0.8, order: int = 1, seed: int = 0) -> Planted:
        generator = np.random.default_rng(seed)
        a = planted_coefficients(units, radius, generator, order)
        mixing = np.eye(units) + 0.3 * generator.standard_normal((units, units)) / np.sqrt(units)
        return labelled(run_process(a, frames, generator, mixing) + 3.0), a, mixing @ mixing.T

    return make
