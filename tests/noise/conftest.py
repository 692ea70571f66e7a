"""A brain target with a known spontaneous model: five components, two lags, components that drive one another."""

from __future__ import annotations

import numpy as np
import pytest

from yuragi.targets import BrainTarget, SpontaneousModel


@pytest.fixture(scope="session")
def model() -> SpontaneousModel:
    rng = np.random.default_rng(7)
    first = np.diag([0.9, 0.7, 0.5, 0.3, 0.1]) + 0.08 * rng.standard_normal((5, 5))
    second = np.diag([-0.3, 0.1, 0.2, 0.0, 0.1]) + 0.05 * rng.standard_normal((5, 5))
    mixing = rng.standard_normal((5, 5))
    return SpontaneousModel.from_autoregression(np.stack([first, second]), mixing @ mixing.T + np.eye(5), 0.5)


@pytest.fixture(scope="session")
def target(model: SpontaneousModel) -> BrainTarget:
    return BrainTarget(spontaneous=model, variance_ratio=0.4)
