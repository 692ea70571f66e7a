"""Every noise, with every option, has the energy that it is asked for over the images that it was calibrated on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from yuragi.models import Network
from yuragi.noise import Modified, Spontaneous, SpontaneousNoise, WhiteNoise
from yuragi.noise.base import Noise
from yuragi.noise.neuronal import NeuronalNoise
from yuragi.plugins import discover
from yuragi.targets import BrainTarget

SHAPE = (1, 5, 5)
RATIO = 0.4
NOISES = {
    "white": WhiteNoise(),
    "white_poisson": WhiteNoise(scaling="poisson"),
    "white_input": WhiteNoise(layer="input"),
    "white_input_poisson": WhiteNoise(layer="input", scaling="poisson"),
    "random": Spontaneous(),
    "shuffled_time": Spontaneous(time_course="shuffled"),
    "responses": Spontaneous(directions="responses"),
    "aligned": Spontaneous(directions="aligned", alignment=0.3),
    "aligned_fully": Spontaneous(directions="aligned", alignment=1),
    "aligned_not": Spontaneous(directions="aligned", alignment=0),
    "shuffled_directions": Spontaneous(directions="shuffled"),
    "shuffled_aligned": Spontaneous(directions="shuffled", alignment=0.3),
    "random_poisson": Spontaneous(scaling="poisson"),
    "responses_poisson": Spontaneous(directions="responses", scaling="poisson", time_course="shuffled"),
    "aligned_poisson": Spontaneous(directions="aligned", alignment=0.3, scaling="poisson"),
    "input": Spontaneous(layer="input", directions="responses"),
    "modified_translation": Modified(components=6, modification="translation"),
    "modified_brightness": Modified(components=6, modification="brightness"),
    "modified_blur": Modified(components=6, modification="blur"),
    "modified_pixel_noise": Modified(components=6, modification="pixel_noise"),
    "modified_poisson": Modified(components=6, scaling="poisson"),
    "modified_input": Modified(components=6, layer="input"),
    "neuronal": NeuronalNoise(layer="hidden1", relative_variance="target"),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network_with(noise: Noise, target: BrainTarget, steps: int = 1) -> Network:
    """Rectified hidden units; the readout hands them on."""
    hidden = nn.Sequential(nn.Flatten(), nn.Linear(25, 20), nn.ReLU())
    with torch.no_grad():
        for parameter in hidden.parameters():
            parameter.normal_(generator=seeded(1))
    layers = {"hidden1": hidden} if noise.layer == "hidden1" else {"flat": nn.Flatten()}
    width = 20 if noise.layer == "hidden1" else 25
    built = noise.model_copy(update={"steps": steps}).build(width, target, seeded(2))
    return Network(layers, width, ((0.0,), (1.0,)), {noise.layer: built}, image_shape=SHAPE)


def pictures(n: int = 400) -> torch.Tensor:
    return torch.rand(n, *SHAPE, generator=seeded(3))


def fluctuations(network: Network, images: torch.Tensor, draws: int) -> torch.Tensor:
    """The noise that reaches what follows the layer, (step, draw, image, unit)."""
    ((name, noise),) = network.noise.items()
    with torch.no_grad():
        activity = network.activities(images, [name])[name]
        return noise(activity, seeded(4), draws).reshape(noise.steps, draws, *activity.shape) - activity


def test_every_plugin_is_among_them() -> None:
    assert {noise.kind for noise in NOISES.values()} == set(discover("yuragi.noise", Noise))


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", NOISES)
def test_energy_is_matched_to_one_percent(name: str, steps: int, target: BrainTarget) -> None:
    network = network_with(NOISES[name], target, steps)
    network.calibrate(pictures(), batch=150)
    (noise,) = network.noise.values()
    got = fluctuations(network, pictures(), 400)[-1]
    energy = (got.square().sum(-1).mean() / noise.stimulus_variance).item()
    assert energy == pytest.approx(RATIO, rel=0.01)
    assert got.mean(dim=(0, 1)).abs().max() < 5 * (got.square().mean(dim=(0, 1)) / 160_000).sqrt().max()


@pytest.mark.parametrize("name", NOISES)
def test_calibration_is_a_function_of_network_and_images(name: str, target: BrainTarget) -> None:
    network, other = network_with(NOISES[name], target), network_with(NOISES[name], target)
    network.calibrate(pictures(), batch=400)
    network.calibrate(pictures(), batch=150)
    other.calibrate(pictures(), batch=150)
    for (key, ours), theirs in zip(network.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), key


@pytest.mark.parametrize("name", NOISES)
def test_record_and_buffers_are_the_whole_noise(name: str, target: BrainTarget) -> None:
    network = network_with(NOISES[name], target, 2)
    network.calibrate(pictures())
    (noise,) = network.noise.values()
    again = SpontaneousNoise.from_record(noise.width, noise.record(), {key: value.clone() for key, value in noise.state_dict().items()})
    activity = torch.randn(7, noise.width, generator=seeded())
    assert repr(again) == repr(noise)
    assert torch.equal(again(activity, seeded(5), 2), noise(activity, seeded(5), 2))
    images = pictures(60)
    structure, twin = noise.structure, again.structure
    if structure is not None:
        seen = [part.passed(images, lambda values: values.flatten(1), part.generator()) for part in (structure, twin)]
        assert torch.equal(*seen)


@pytest.mark.parametrize("name", NOISES)
def test_a_gradient_of_finite_size_reaches_silent_and_active_units(name: str, target: BrainTarget) -> None:
    network = network_with(NOISES[name], target).double()
    network.calibrate(pictures().double())
    (noise,) = network.noise.values()
    activity = torch.rand(2, noise.width, generator=seeded(), dtype=torch.float64).add_(0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: noise(values, seeded(6), 2), (activity,))
    silent = torch.zeros(2, noise.width, dtype=torch.float64, requires_grad=True)
    noise(silent, seeded(6)).sum().backward()
    assert silent.grad.isfinite().all()


@pytest.mark.parametrize("name", [name for name, noise in NOISES.items() if noise.kind == "spontaneous" and noise.scaling == "additive"])
def test_spectrum_and_time_course_are_the_targets(name: str, target: BrainTarget) -> None:
    """Along the directions U the covariance over units and the autocovariance over steps are the model's, within five standard errors."""
    plugin = NOISES[name]
    network = network_with(plugin, target, 3)
    network.calibrate(pictures())
    (noise,) = network.noise.values()
    got = fluctuations(network, pictures(), 200).reshape(3, -1, noise.width).double()
    n, scale = got.shape[1], RATIO * noise.stimulus_variance.item()
    directions = noise.directions.double()
    torch.testing.assert_close(directions.T @ directions, torch.eye(5, dtype=torch.float64), atol=1e-5, rtol=0)
    for lag in range(3):
        model = target.spontaneous.autocovariance(lag) * (lag == 0 or plugin.time_course == "target")
        expected = scale * directions @ torch.tensor(model) @ directions.T
        covariance = scale * directions @ torch.diag(torch.tensor(target.spontaneous.eigenvalues)) @ directions.T
        errors = ((torch.outer(covariance.diagonal(), covariance.diagonal()) + expected.square()) / n).sqrt().clamp(min=1e-6 * scale)
        deviation = (got[2].T @ got[2 - lag] / n - expected).abs() / errors
        assert deviation.max() < 5, lag


def test_components_beyond_half_the_units_leave_room_for_the_complement(target: BrainTarget) -> None:
    assert Spontaneous(directions="aligned", alignment=0.5).build(6, target, seeded()).directions.shape == (6, 3)
    assert Spontaneous(directions="responses").build(6, target, seeded()).directions.shape == (6, 5)


def test_directions_are_those_of_the_same_seed(target: BrainTarget) -> None:
    """Arms of one seed share their random parts, and their weights are none of the noise's business."""
    plain = Spontaneous().build(30, target, seeded(7))
    aligned = Spontaneous(directions="aligned", alignment=0.0).build(30, target, seeded(7))
    assert torch.equal(plain.directions, aligned.structure.complement)
    assert np.array_equal(plain.coefficients, aligned.coefficients)
