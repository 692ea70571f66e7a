"""Activity that is set to 0 below 0 once the noise is added."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from yuragi.models import Perceptron
from yuragi.noise import SpontaneousNoise
from yuragi.noise.base import Noise
from yuragi.plugins import discover
from yuragi.targets import BrainTarget
from yuragi.training.checkpoint import load_network, save_network

KINDS = discover("yuragi.noise", Noise)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def built(kind: str, target: BrainTarget, rectified: bool) -> SpontaneousNoise:
    noise = KINDS[kind](relative_variance=0.5, rectified=rectified, steps=2).build(12, target, seeded())
    activity = torch.rand(200, 12, generator=seeded(1))
    noise.calibrate(
        activity, (torch.linalg.qr(torch.randn(12, noise.coefficients.shape[1], generator=seeded(2)))[0], torch.ones(noise.coefficients.shape[1]))
    )
    return noise


@pytest.mark.parametrize("kind", KINDS)
def test_what_every_noise_makes_negative_becomes_zero(kind: str, target: BrainTarget) -> None:
    plain, rectified = (built(kind, target, value) for value in (False, True))
    activity = torch.rand(50, 12, generator=seeded(3))
    before, after = (noise(activity, seeded(4), 3) for noise in (plain, rectified))
    assert (before < 0).any()
    assert torch.equal(after, before.clamp(min=0))
    again = SpontaneousNoise.from_record(12, rectified.record(), {name: value.clone() for name, value in rectified.state_dict().items()})
    assert torch.equal(again(activity, seeded(4), 3), after)
    assert "rectified" in repr(again)
    assert "rectified" not in repr(plain)


def test_the_mean_of_rectified_noise_on_silence_is_known() -> None:
    """E max(σ z, 0) = σ / √(2π)."""
    noise = SpontaneousNoise(4, np.zeros((0, 1, 1)), np.ones((1, 1)), relative_variance=1.0, rectified=True)
    noise.stimulus_variance.fill_(4.0)
    found = noise(torch.zeros(50_000, 4), seeded()).mean().item()
    assert found == pytest.approx(1 / math.sqrt(2 * math.pi), rel=0.01)


def test_gradients_pass_where_activity_is_left() -> None:
    noise = SpontaneousNoise(4, np.zeros((0, 1, 1)), np.ones((1, 1)), relative_variance=1.0, rectified=True)
    noise.stimulus_variance.fill_(4.0)
    activity = torch.full((100, 4), 0.5, requires_grad=True)
    values = noise(activity, seeded())
    values.sum().backward()
    assert torch.equal(activity.grad, (values > 0).float())
    assert 0 < activity.grad.mean() < 1


def test_a_record_without_the_key_is_not_rectified() -> None:
    noise = SpontaneousNoise(4, np.zeros((0, 1, 1)), np.ones((1, 1)), relative_variance=1.0)
    record = {key: value for key, value in noise.record().items() if key != "rectified"}
    assert not SpontaneousNoise.from_record(4, record, noise.state_dict()).rectified


def test_a_file_keeps_it(tmp_path: Path, target: BrainTarget) -> None:
    architecture = Perceptron(hidden=(12,))
    network = architecture.build((1, 4, 4), 3, seeded(), [KINDS["white"](relative_variance=0.5, rectified=True)])
    images = torch.rand(20, 1, 4, 4, generator=seeded(1))
    network.calibrate(images)
    save_network(network, {"network": architecture.model_dump(mode="json")}, tmp_path / "network.safetensors")
    again = load_network(tmp_path / "network.safetensors")
    assert again.noise["hidden1"].rectified
    assert torch.equal(again(images, seeded(5)), network.eval()(images, seeded(5)))
