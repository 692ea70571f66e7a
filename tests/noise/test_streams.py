"""Noise that belongs to images and draws: the same numbers however a batch is cut, and the right distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yuragi.models.perceptron import Perceptron
from yuragi.noise.layer import SpontaneousNoise
from yuragi.noise.streams import FrozenStream, NoiseStream


def noisy_network(steps: int = 3) -> torch.nn.Module:
    """A perceptron with white noise at its pixels and autoregressive noise along few directions of its hidden layer."""
    plain = Perceptron(hidden=(20,)).build((1, 4, 4), 3, torch.Generator().manual_seed(0))
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 3)))[0]
    hidden = SpontaneousNoise(20, np.array([np.diag([0.9, 0.5, -0.4])]), np.eye(3), directions=directions, relative_variance=0.5, steps=steps)
    pixels = SpontaneousNoise(16, np.zeros((0, 1, 1)), np.ones((1, 1)), relative_variance=0.1, steps=steps)
    network = plain.with_noise({"input": pixels, "hidden1": hidden}).eval()
    network.calibrate(torch.rand(50, 1, 4, 4, generator=torch.Generator().manual_seed(1)))
    return network


@pytest.mark.parametrize(("images_at_once", "draws_at_once"), [(1, 4), (1, 2), (1, 1), (2, 4)])
def test_every_image_and_draw_keeps_its_noise(images_at_once, draws_at_once):
    network, draws = noisy_network(), 4
    images = torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        whole = network.sample_logits(images, NoiseStream(7).begin(), draws)
        stream, parts = NoiseStream(7), []
        for start in range(0, 5, images_at_once):
            of_images = [
                network.sample_logits(images[start : start + images_at_once], stream.begin(), draws_at_once) for _ in range(0, draws, draws_at_once)
            ]
            parts.append(torch.cat(of_images))
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-6)
    assert float(whole.std(0).min()) > 1e-3  # the draws differ, ...
    assert not torch.allclose(network.sample_logits(images[:1], NoiseStream(8).begin(), draws), whole[:, :1], atol=1e-3)  # ... and the seeds do


def test_a_longer_batch_begins_like_a_shorter_one():
    network = noisy_network()
    images = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        short, long = (network.sample_logits(images[:n], NoiseStream(7).begin(), 3) for n in (2, 6))
    assert torch.allclose(short, long[:, :2], atol=1e-6)


def test_the_distribution_is_that_of_an_ordinary_generator():
    network, images = noisy_network(), torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        one = network.sample_logits(images, NoiseStream(7).begin(), 8000)
        other = network.sample_logits(images, torch.Generator().manual_seed(7), 8000)
    error = (one.var(0) / 8000 + other.var(0) / 8000).sqrt()
    assert ((one.mean(0) - other.mean(0)).abs() < 5 * error).all()
    assert torch.allclose(one.std(0), other.std(0), rtol=0.06)


def test_the_time_course_is_that_of_the_autoregression():
    coefficient, steps = 0.8, 6
    noise = SpontaneousNoise(1, np.full((1, 1, 1), coefficient), np.ones((1, 1)), relative_variance=1.0, steps=steps)
    noise.calibrate(torch.randn(100, 1, generator=torch.Generator().manual_seed(0)))
    values = noise(torch.zeros(4000, 1), NoiseStream(3).begin(), draws=5).reshape(steps, -1)
    correlations = np.corrcoef(values.numpy())
    expected = coefficient ** np.abs(np.subtract.outer(np.arange(steps), np.arange(steps)))
    assert np.abs(correlations - expected).max() < 0.04


def test_frozen_noise_makes_a_network_deterministic():
    network, images = noisy_network(), torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    frozen = FrozenStream(7)
    with torch.no_grad():
        whole = network.sample_logits(images, frozen.begin(), 1)
        alone = torch.cat([network.sample_logits(images[i : i + 1], frozen.begin(), 1) for i in (4, 3, 2, 1, 0)], 1).flip(1)
        other = network.sample_logits(images, FrozenStream(8).begin(), 1)
    assert torch.allclose(whole, alone, atol=1e-6)
    assert not torch.allclose(whole, other, atol=1e-3)
