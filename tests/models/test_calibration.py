"""What noise is told of its layer: the variance over all images, directions over some of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from yuragi.models import Network, calibration, subspace
from yuragi.noise import Modified, Spontaneous
from yuragi.targets import BrainTarget, SpontaneousModel


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Counting(nn.Flatten):
    """Counts the images that pass."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0

    def forward(self, images: Tensor) -> Tensor:
        self.passed += len(images)
        return super().forward(images)


def network_with(plugin: Spontaneous | Modified) -> Network:
    model = SpontaneousModel.from_autoregression(torch.diag(torch.tensor([0.9, 0.5, 0.1])).double().numpy()[None], torch.eye(3).double().numpy())
    noise = plugin.build(36, BrainTarget(spontaneous=model, variance_ratio=0.3), seeded())
    layers = {"flat": Counting(), "output": nn.Linear(36, 4)}
    return Network(layers, 4, ((0.5,), (0.5,)), {"flat": noise}, image_shape=(1, 6, 6))


def pictures(n: int = 300) -> Tensor:
    return torch.rand(n, 1, 6, 6, generator=seeded(1)) * torch.linspace(0.1, 1, 36).reshape(6, 6)


PLUGINS = [Spontaneous(directions="responses"), Modified(components=4)]


@pytest.mark.parametrize("plugin", PLUGINS)
def test_holding_the_activity_changes_nothing_but_the_passes(plugin: Spontaneous | Modified, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subspace, "EXACT_UNITS", 5)
    one, other = network_with(plugin), network_with(plugin)
    one.calibrate(pictures(), batch=70)
    monkeypatch.setattr(calibration, "HELD_BYTES", 0)
    other.calibrate(pictures(), batch=70)
    assert torch.equal(one.noise["flat"].directions, other.noise["flat"].directions)
    assert one.layers["flat"].passed < other.layers["flat"].passed


def test_directions_are_measured_on_images_from_all_over_and_the_variance_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "DIRECTION_IMAGES", 60)
    network, images = network_with(PLUGINS[0]), pictures()
    network.calibrate(images)
    assert network.layers["flat"].passed == 360
    noise = network.noise["flat"]
    activity = (images.flatten(1) - 0.5) / 0.5
    torch.testing.assert_close(noise.stimulus_variance, activity.var(0).sum())
    chosen = activity[torch.linspace(0, 299, 60).round().long()]
    expected = torch.linalg.eigh(chosen.double().T.cov()).eigenvectors.flip(1)[:, :3]
    torch.testing.assert_close((noise.directions.double().T @ expected).abs(), torch.eye(3).double(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("plugin", PLUGINS)
def test_noise_of_its_own_and_of_other_layers_does_not_enter(plugin: Spontaneous | Modified) -> None:
    """A calibration under loud noise finds what one without it finds, in the mode that the network was in."""
    network = network_with(plugin).train()
    network.calibrate(pictures())
    first = network.noise["flat"].directions.clone()
    network.noise["flat"].relative_variance.fill_(100.0)
    network.calibrate(pictures())
    assert network.training
    assert torch.equal(first, network.noise["flat"].directions)
