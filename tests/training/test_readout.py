"""How much noise reaches the logits, against networks where it is known."""

from __future__ import annotations

import pytest
import torch

from yuragi.errors import InputError
from yuragi.training.readout import noise_at_readout


class Noisy(torch.nn.Module):
    """Logits are the pixels; noise of a known variance is added to them, in the first class only."""

    stochastic = True

    def __init__(self, variance: float) -> None:
        super().__init__()
        self.deviation = variance**0.5

    def sample_logits(self, images: torch.Tensor, generator: torch.Generator, draws: int) -> torch.Tensor:
        logits = images.flatten(1).expand(draws, -1, -1).clone()
        logits[..., 0] += self.deviation * torch.randn(logits.shape[:2], generator=generator)
        return logits


@pytest.mark.parametrize("variance", [0.0, 0.01, 0.5])
@pytest.mark.parametrize("chunk", [7, 4096])
def test_it_is_the_planted_ratio(variance: float, chunk: int) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2000, 1, 1, 3, generator=generator)
    found = noise_at_readout(Noisy(variance), images, generator, draws=8, chunk=chunk)
    assert found == pytest.approx(variance / (3 / 12), rel=0.08, abs=1e-9)


def test_a_network_without_noise_has_none() -> None:
    assert noise_at_readout(torch.nn.Flatten(), torch.rand(4, 1, 1, 3), torch.Generator()) == 0


def test_one_draw_tells_no_variance() -> None:
    with pytest.raises(InputError, match="at least 2 of each"):
        noise_at_readout(Noisy(0.1), torch.rand(4, 1, 1, 3), torch.Generator(), draws=1)
