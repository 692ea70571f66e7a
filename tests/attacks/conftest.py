"""Digits, a small network that reads them, and the same network with noise in its hidden layer."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits


class NoisyHidden(torch.nn.Module):
    """Two layers with white noise before the nonlinearity: the smallest network whose noise an attack has to average over."""

    stochastic = True

    def __init__(self, first: torch.nn.Linear, last: torch.nn.Linear, deviation: float) -> None:
        super().__init__()
        self.first, self.last, self.deviation = first, last, deviation
        self.most_at_once = 0

    def sample_logits(self, images: torch.Tensor, generator: torch.Generator, draws: int) -> torch.Tensor:
        self.most_at_once = max(self.most_at_once, len(images) * draws)
        hidden = self.first(images.flatten(1))
        noise = torch.randn(draws, *hidden.shape, generator=generator, dtype=hidden.dtype)
        return self.last(torch.relu(hidden + self.deviation * noise))


@pytest.fixture(scope="session")
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    bunch = load_digits()
    return torch.tensor(bunch.images / 16, dtype=torch.float32)[:, None], torch.tensor(bunch.target, dtype=torch.int64)


@pytest.fixture(scope="session")
def trained(digits: tuple[torch.Tensor, torch.Tensor]) -> torch.nn.Sequential:
    images, labels = digits[0][:1200], digits[1][:1200]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimiser.step()
    optimiser.zero_grad()
    return model.eval()


@pytest.fixture
def noisy(trained: torch.nn.Sequential) -> NoisyHidden:
    return NoisyHidden(trained[1], trained[3], deviation=2.0).eval()


@pytest.fixture
def unseen(digits: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return digits[0][1200:1500], digits[1][1200:1500]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)
