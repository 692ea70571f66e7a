"""Noise is made as large as it must be for a planted cost in clean accuracy, and for a given energy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

from yuragi.attacks.scores import score
from yuragi.errors import InputError
from yuragi.models import Network, Perceptron
from yuragi.noise import NeuronalNoise
from yuragi.robustness.matching import match_accuracy, match_energy, noisy_versions, with_relative_variance
from yuragi.targets import BrainTarget, SpontaneousModel, Stage


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def target() -> BrainTarget:
    return BrainTarget(spontaneous=SpontaneousModel.from_autoregression(np.diag([0.8, 0.4])[None], np.diag([0.6, 0.2])))


def images(n: int = 300) -> torch.Tensor:
    return torch.rand(n, 1, 4, 4, generator=seeded(1))


def perceptron() -> Network:
    return Perceptron(hidden=(20, 15), activation="relu").build((1, 4, 4), 3, seeded(2)).eval()


def answers(network: Network, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return network(x).argmax(1)


def test_every_noise_costs_what_was_asked_for(target: BrainTarget) -> None:
    """On draws that the search has not seen, too."""
    network, x = perceptron(), images()
    y = answers(network, x)
    for name, version in noisy_versions(network, "hidden1", x, seeded(), target=target).items():
        matched = match_accuracy(version, x, y, seeded(3), drop=0.1, draws=20)
        assert matched.clean == 1, name
        assert matched.accuracy == pytest.approx(0.9, abs=0.002), name
        fresh = score(matched.network, x, y, seeded(9), 50).fraction_correct.mean().item()
        assert fresh == pytest.approx(0.9, abs=0.02), name
        assert all(float(module.relative_variance) == 1 for module in version.noise.values()), name
        assert matched.relative_variance == {place: float(module.relative_variance) for place, module in matched.network.noise.items()}


def test_the_size_equals_the_closed_form_of_a_linear_network() -> None:
    """Two classes one hyperplane divides: accuracy = mean Φ(distance / σ), so that σ follows from the drop."""
    normal = torch.randn(16, generator=seeded(4))
    readout = nn.Linear(16, 2, bias=False)
    with torch.no_grad():
        readout.weight.copy_(torch.stack([normal, -normal]) / normal.norm())
    network = Network({"first": nn.Flatten(), "output": readout}, 2, ((0.5,), (1.0,)), image_shape=(1, 4, 4)).eval()
    x = images(400)
    distance = ((x.flatten(1) - 0.5) @ normal / normal.norm()).abs().numpy()
    matched = match_accuracy(noisy_versions(network, "first", x, seeded())["input"], x, answers(network, x), seeded(), drop=0.15, draws=100)
    sigma = math.sqrt(matched.relative_variance["input"] * float(x.flatten(1).var(0).sum()) / 16)
    assert norm.cdf(distance / sigma).mean() == pytest.approx(0.85, abs=0.008)


def test_energy_is_shared_by_the_places_of_the_noise() -> None:
    made = noisy_versions(perceptron(), "hidden2", images(), seeded())
    assert list(made) == ["input", "hidden_white", "both"]
    assert [float(n.relative_variance) for n in match_energy(made["both"], 0.5).noise.values()] == [0.25, 0.25]
    one = match_energy(made["hidden_white"], 0.5).noise["hidden2"]
    values = perceptron().activities(images(), ["hidden2"])["hidden2"]
    sampled = one.sample(20_000, seeded()).square().sum(-1).mean().item()
    assert sampled / values.double().var(0).sum().item() == pytest.approx(0.5, rel=0.03)


def test_rectified_where_the_layer_is_never_negative() -> None:
    made = noisy_versions(perceptron(), "hidden1", images(), seeded())
    assert made["hidden_white"].noise["hidden1"].rectified
    assert not made["input"].noise["input"].rectified
    tanh = Perceptron(hidden=(9,), activation="tanh").build((1, 4, 4), 3, seeded(2))
    assert not noisy_versions(tanh, "hidden1", images(), seeded())["hidden_white"].noise["hidden1"].rectified
    assert not noisy_versions(perceptron(), "hidden1", images(), seeded(), rectified=False)["both"].noise["hidden1"].rectified


def test_same_seed_same_size() -> None:
    network, x = perceptron(), images(100)
    found = [match_accuracy(noisy_versions(network, "hidden1", x, seeded())["both"], x, answers(network, x), seeded(3), drop=0.1) for _ in range(2)]
    assert found[0].relative_variance == found[1].relative_variance


def test_bad_input() -> None:
    network, x = perceptron(), images(60)
    y = answers(network, x)
    noisy = noisy_versions(network, "hidden1", x, seeded())["hidden_white"]
    with pytest.raises(InputError, match=r"drop = 0.9: no noise at hidden1 lowers the clean accuracy of 1.000 so far"):
        match_accuracy(noisy, x, y, seeded(), drop=0.9)
    with pytest.raises(InputError, match=r"drop = 1\.5"):
        match_accuracy(noisy, x, y, seeded(), drop=1.5)
    with pytest.raises(InputError, match="no noise that could be matched"):
        match_accuracy(network, x, y, seeded())
    with pytest.raises(InputError, match="no noise at 'hidden2', only at hidden1"):
        with_relative_variance(noisy, {"hidden2": 1.0})
    with pytest.raises(InputError, match=r"relative_variance = -1.0 at 'hidden1'"):
        with_relative_variance(noisy, {"hidden1": -1.0})
    with pytest.raises(InputError, match="name one of those"):
        noisy_versions(network, "input", x, seeded())
    with pytest.raises(InputError, match="layer 'hidden7' does not exist"):
        noisy_versions(network, "hidden7", x, seeded())
    with pytest.raises(InputError, match="no spontaneous model"):
        noisy_versions(network, "hidden1", x, seeded(), target=BrainTarget({"V1": Stage(1.0)}))
    absolute = network.with_noise({"hidden1": NeuronalNoise(layer="hidden1").build(20, None, seeded())})
    absolute.calibrate(x)
    with pytest.raises(InputError, match="absolute level"):
        with_relative_variance(absolute, {"hidden1": 1.0})
