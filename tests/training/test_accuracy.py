"""Accuracy is the fraction of right answers, over draws where there is noise."""

from __future__ import annotations

import pytest
import torch

from yuragi.attacks.scores import score
from yuragi.models.perceptron import Perceptron
from yuragi.noise.streams import NoiseStream
from yuragi.noise.white import WhiteNoise
from yuragi.training.accuracy import accuracy
from yuragi.training.build import build_network

IMAGES = torch.rand(100, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("chunk", [7, 4096])
def test_of_a_deterministic_network(chunk) -> None:
    network = build_network(Perceptron(hidden=(20,)), (1, 8, 8), 4, seed=0)
    answers = network(IMAGES).argmax(1)
    labels = torch.where(torch.arange(100) < 70, answers, (answers + 1) % 4)
    assert accuracy(network, IMAGES, labels, torch.Generator(), chunk=chunk) == pytest.approx(0.7)


def test_of_a_stochastic_network_is_the_mean_over_draws() -> None:
    network = build_network(Perceptron(hidden=(20,)), (1, 8, 8), 4, seed=0, noise=WhiteNoise(layer="hidden1", relative_variance=2.0))
    network.calibrate(IMAGES)
    labels = network.activities(IMAGES, ["output"])["output"].argmax(1)
    draws = network.sample_logits(IMAGES, NoiseStream.drawn(torch.Generator().manual_seed(2)), 40).argmax(2)
    expected = (draws == labels).double().mean().item()
    assert 0.2 < expected < 0.98
    assert accuracy(network, IMAGES, labels, torch.Generator().manual_seed(2), draws=40) == pytest.approx(expected)


def test_parts_meet_the_noise_that_all_would_meet_together() -> None:
    network = build_network(Perceptron(hidden=(20,)), (1, 8, 8), 4, seed=0, noise=WhiteNoise(layer="hidden1", relative_variance=2.0))
    network.calibrate(IMAGES)
    labels = torch.arange(100) % 4
    whole = score(network, IMAGES, labels, NoiseStream(3), 10).fraction_correct
    stream = NoiseStream(3)
    parts = [score(network, IMAGES[part], labels[part], stream, 10).fraction_correct for part in (slice(0, 30), slice(30, 100))]
    assert torch.equal(torch.cat(parts), whole)
    assert len(torch.unique(whole)) > 2
