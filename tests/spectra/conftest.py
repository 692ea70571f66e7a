"""Responses whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest


def planted(
    stimuli: int, units: int, *, alpha: float = 1.0, noise: str = "white", strength: float = 1.0, repeats: int = 2, seed: int = 0
) -> np.ndarray:
    """Gaussian responses with eigenvalues n^-alpha along random directions, and ``strength`` times as much noise variance, summed over units."""
    generator = np.random.default_rng(seed)
    deviations = np.arange(1, units + 1) ** (-alpha / 2)
    directions = np.linalg.qr(generator.standard_normal((units, units)))[0]
    signal = generator.standard_normal((stimuli, units)) * deviations
    scale = deviations if noise == "signal" else np.sqrt(np.mean(deviations**2))
    trials = signal + np.sqrt(strength) * scale * generator.standard_normal((repeats, stimuli, units))
    return trials @ directions.T


@pytest.fixture(scope="session")
def plant() -> Callable[..., np.ndarray]:
    return planted
