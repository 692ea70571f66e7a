"""Attacks and evaluation on the package's own networks and noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yuragi.attacks import FGSM, PGD, RandomNoise
from yuragi.models import CNN, Network, Perceptron
from yuragi.noise.white import WhiteNoise
from yuragi.robustness.evaluate import evaluate
from yuragi.robustness.guards import inspect_network


def build(architecture, digits, *, noise_at: str | None = None, steps: int = 1) -> Network:
    """A network trained on 1,200 digits without noise, which then gets noise at a layer."""
    images, labels = digits[0][:1200], digits[1][:1200]
    network = architecture.build((1, 8, 8), 10, torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimiser.step()
    optimiser.zero_grad()
    if not noise_at:
        return network
    noise = WhiteNoise(layer=noise_at, relative_variance=1.0, steps=steps)
    noisy = architecture.build((1, 8, 8), 10, torch.Generator(), noise=[noise])
    noisy.layers.load_state_dict(network.layers.state_dict())
    noisy.calibrate(images)
    return noisy


@pytest.mark.parametrize(
    ("architecture", "noise_at", "steps"),
    [
        (Perceptron(hidden=(60, 40)), None, 1),
        (Perceptron(hidden=(60, 40)), "hidden1", 1),
        (Perceptron(hidden=(60, 40)), "hidden1", 3),
        (Perceptron(hidden=(60,)), "input", 1),
        (CNN(), "hidden1", 1),
    ],
    ids=["deterministic", "noise", "noise-over-time", "noise-at-input", "cnn"],
)
def test_attacks_know_the_defence(architecture, noise_at, steps, digits, unseen, generator):
    network = build(architecture, digits, noise_at=noise_at, steps=steps)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    attacks = {"random": RandomNoise(), "fgsm": FGSM(draws=8), "pgd": PGD(steps=5, draws=8)}
    images, labels = unseen[0][:60], unseen[1][:60]
    result = evaluate(network, images, labels, attacks, [0.0, 0.15], generator, scoring_draws=20, selection_draws=20)
    accuracy = result["fraction_correct"].mean("image")
    clean = float(result["clean_fraction_correct"].mean())
    assert clean > 0.5
    assert np.allclose(accuracy.sel(epsilon=0), clean)
    assert float(accuracy.sel(attack="pgd", epsilon=0.15)) < clean - 0.3
    assert float(accuracy.sel(attack="random", epsilon=0.15)) > float(accuracy.sel(attack="pgd", epsilon=0.15)) + 0.2
    assert result.attrs["stochastic"] == int(noise_at is not None)
    assert all(text.startswith("ok") for key, text in result.attrs.items() if key.startswith("guard"))
    assert network.training
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_noise_that_is_switched_off_is_told(digits, unseen, generator):
    network = build(Perceptron(hidden=(30,)), digits, noise_at="hidden1")
    assert inspect_network(network, *unseen, generator).suspicious == []
    network.noise["hidden1"].relative_variance.zero_()
    assert inspect_network(network, *unseen, generator).suspicious == ["randomness"]
