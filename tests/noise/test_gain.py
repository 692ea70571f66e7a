"""Noise whose size follows the activity."""

from __future__ import annotations

import pytest
import torch

from yuragi.noise import SpontaneousNoise, WhiteNoise
from yuragi.noise.neuronal import NeuronalNoise


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def activity(n: int = 200) -> torch.Tensor:
    return torch.randn(n, 6, generator=seeded(1)).relu() * torch.arange(1.0, 7)


def variances(noise: SpontaneousNoise, at: torch.Tensor, draws: int = 40_000) -> torch.Tensor:
    return (noise(at, seeded(2), draws).reshape(draws, *at.shape) - at).square().mean(0)


def test_poisson_variance_is_proportional_to_activity() -> None:
    noise = WhiteNoise(relative_variance=0.3, scaling="poisson").build(6, None, seeded())
    noise.calibrate(activity())
    at = torch.tensor([[0.0, 0.5, 1, 2, 4, -4]])
    got = variances(noise, at)[0]
    mean = activity().mean()
    slope = 0.3 * activity().var(0).sum() / (activity().mean(0) + 1e-4 * mean).sum()
    torch.testing.assert_close(got, slope * (at[0].abs() + 1e-4 * mean), rtol=0.04, atol=0)


def test_additive_noise_is_the_control() -> None:
    noise = WhiteNoise(relative_variance=0.3).build(6, None, seeded())
    noise.calibrate(activity())
    got = variances(noise, torch.tensor([[0.0, 0.5, 1, 2, 4, -4]]))[0]
    torch.testing.assert_close(got, got.mean().expand(6), rtol=0.04, atol=0)


def test_neuronal_noise_is_the_published_formula() -> None:
    """x ↦ s x + l, a spike count's variance, and back."""
    noise = NeuronalNoise().build(6, None, seeded())
    noise.calibrate(activity())
    at = torch.tensor([[-1.0, -0.2, 0, 0.5, 1, 4]])
    counts = 0.35 * at + 0.07
    torch.testing.assert_close(variances(noise, at), (counts.relu() + 1e-4) / 0.35**2, rtol=0.04, atol=0)
    published = counts + torch.randn(1, 1, 6, generator=seeded(3))[0] * (counts.relu() + 1e-4).sqrt()
    torch.testing.assert_close(noise(at, seeded(3)), (published - 0.07) / 0.35)


def test_neuronal_noise_tells_the_energy_that_it_has() -> None:
    noise = NeuronalNoise().build(6, None, seeded())
    noise.calibrate(activity())
    energy = variances(noise, activity(), 2000).sum(1).mean() / activity().var(0).sum()
    assert noise.relative_variance.item() == pytest.approx(energy.item(), rel=0.01)


def test_gain_follows_noisy_activity_of_an_earlier_layer() -> None:
    noise = WhiteNoise(relative_variance=0.3, scaling="poisson", steps=2).build(6, None, seeded())
    noise.calibrate(activity())
    rows = torch.rand(2 * 3 * 4, 6, generator=seeded(4))
    together = noise(rows, seeded(5), 3, n_images=4) - rows
    latent = noise.sample(4, seeded(5), 3).reshape(24, 6)
    torch.testing.assert_close(together, latent * noise.gain(rows))


def test_a_silent_layer_has_no_noise_and_finite_gradients() -> None:
    noise = WhiteNoise(relative_variance=0.3, scaling="poisson").build(6, None, seeded())
    noise.calibrate(torch.zeros(10, 6))
    silent = torch.zeros(4, 6, requires_grad=True)
    answer = noise(silent, seeded())
    answer.sum().backward()
    assert answer.abs().max() == 0
    assert torch.equal(silent.grad, torch.ones(4, 6))
