"""A digit reader solved in closed form, deterministic or with noise in its hidden layer."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits


class Reader(torch.nn.Module):
    """Random features with a least-squares readout; ``deviation`` of white noise before the nonlinearity."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, deviation: float = 0.0) -> None:
        super().__init__()
        features = torch.randn(64, 150, generator=torch.Generator().manual_seed(5), dtype=images.dtype) / 8
        self.features = torch.nn.Parameter(features)
        hidden = torch.relu(self.projected(images))
        gram = hidden.T @ hidden + 1e-1 * torch.eye(150, dtype=images.dtype)
        centred = torch.nn.functional.one_hot(labels, 10).to(images.dtype) - 0.1
        self.readout = torch.nn.Parameter(10 * torch.linalg.solve(gram, hidden.T @ centred).detach())
        self.deviation, self.stochastic = deviation, deviation > 0
        self.dropout = torch.nn.Dropout(0.5)

    def projected(self, images: torch.Tensor) -> torch.Tensor:
        return (images.flatten(1) - 0.3) @ self.features

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.dropout(torch.relu(self.projected(images)) @ self.readout)

    def sample_logits(self, images: torch.Tensor, generator: torch.Generator, draws: int) -> torch.Tensor:
        noise = torch.randn(draws, len(images), self.features.shape[1], generator=generator, dtype=images.dtype)
        return torch.relu(self.projected(images) + self.deviation * noise) @ self.readout


@pytest.fixture(scope="session")
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    bunch = load_digits()
    return torch.tensor(bunch.images / 16, dtype=torch.float32)[:, None], torch.tensor(bunch.target, dtype=torch.int64)


@pytest.fixture
def reader(digits: tuple[torch.Tensor, torch.Tensor]) -> Reader:
    return Reader(digits[0][:1200], digits[1][:1200]).eval()


@pytest.fixture
def noisy(digits: tuple[torch.Tensor, torch.Tensor]) -> Reader:
    return Reader(digits[0][:1200], digits[1][:1200], deviation=0.1).eval()


@pytest.fixture
def unseen(digits: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return digits[0][1200:1320], digits[1][1200:1320]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)
