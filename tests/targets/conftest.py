"""A fitted spectrum, a fitted autoregression, and a target of both."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from yuragi.targets import BrainTarget


def stable_autoregression(units=8, order=1, radius=0.9, seed=0):
    """A stable process with neither symmetric coefficients nor white innovations, as a fit would tell it."""
    generator = np.random.default_rng(seed)
    a = generator.standard_normal((order, units, units)) / np.sqrt(units)
    companion = np.vstack([np.hstack(list(a)), np.eye((order - 1) * units, order * units)])
    a *= (radius / np.abs(np.linalg.eigvals(companion)).max()) ** np.arange(1, order + 1)[:, None, None]
    mixing = generator.standard_normal((units, units))
    return SimpleNamespace(coefficients=a, noise_covariance=mixing @ mixing.T, sampling_interval=0.72)


@pytest.fixture
def autoregression():
    """The function that makes a fitted autoregression of some size, order, spectral radius and seed."""
    return stable_autoregression


@pytest.fixture
def spectra():
    return {
        "V1": SimpleNamespace(alpha=1.04, alpha_interval=(0.98, 1.1), ranks=(11, 500), r_squared=0.99),
        "IT": SimpleNamespace(alpha=0.8, alpha_interval=None, ranks=(5, 60), r_squared=0.9),
    }


@pytest.fixture
def whole_target(spectra):
    sources = {"V1": "recording A", "spontaneous": "recording B", "variance_ratio": "recording C"}
    return BrainTarget.from_fits(spectra, stable_autoregression(), 0.4, sources)
