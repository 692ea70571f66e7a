"""The container of layers: normalisation, named activity, and noise in the right place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from yuragi.errors import InputError
from yuragi.models import Network
from yuragi.noise import SpontaneousNoise

SHAPE = (2, 3, 3)
IDENTITY = ((0.0, 0.0), (1.0, 1.0))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise_for(width: int, *, relative_variance: float = 0.5, steps: int = 3, seed: int = 0) -> SpontaneousNoise:
    """Two components, one lag."""
    directions = np.linalg.qr(np.random.default_rng(seed).standard_normal((width, 2)))[0]
    coefficients = np.array([[[0.7, 0.2], [0.0, 0.3]]])
    return SpontaneousNoise(width, coefficients, np.eye(2), directions=directions, relative_variance=relative_variance, steps=steps)


def layers(seed: int = 0) -> dict[str, nn.Module]:
    built = {
        "hidden1": nn.Sequential(nn.Flatten(), nn.Linear(18, 7), nn.Tanh()),
        "hidden2": nn.Sequential(nn.Linear(7, 6), nn.Tanh()),
        "output": nn.Linear(6, 4),
    }
    generator = seeded(seed)
    with torch.no_grad():
        for module in built.values():
            for parameter in module.parameters():
                parameter.normal_(generator=generator)
    return built


def images(n: int = 5, seed: int = 3) -> torch.Tensor:
    return torch.rand(n, *SHAPE, generator=seeded(seed))


WIDTHS = {"input": 18, "hidden1": 7, "hidden2": 6, "output": 4}


def network_with(*noisy: str, relative_variance: float = 0.5, steps: int = 3) -> Network:
    noise = {name: noise_for(WIDTHS[name], relative_variance=relative_variance, steps=steps) for name in noisy}
    network = Network(layers(), 4, IDENTITY, noise, image_shape=SHAPE)
    network.calibrate(images(50))
    return network


def test_normalisation_is_inside() -> None:
    mean, std = (0.2, 0.4), (0.5, 0.25)
    shifted = (images() - torch.tensor(mean).reshape(1, 2, 1, 1)) / torch.tensor(std).reshape(1, 2, 1, 1)
    inside, outside = Network(layers(), 4, (mean, std)), Network(layers(), 4, IDENTITY)
    torch.testing.assert_close(inside(images()), outside(shifted))
    assert not torch.allclose(inside(images()), outside(images()))


def test_activities_are_those_of_the_layers_and_stop_at_the_last_wanted() -> None:
    network = network_with("hidden1")
    calls = []
    network.layers["output"].register_forward_hook(lambda *_: calls.append(1))
    found = network.activities(images(), ["hidden2", "input", "hidden1"])
    assert not calls
    assert list(found) == ["hidden2", "input", "hidden1"]
    assert {name: tuple(values.shape) for name, values in found.items()} == {name: (5, WIDTHS[name]) for name in found}
    torch.testing.assert_close(found["input"], images().flatten(1))
    torch.testing.assert_close(found["hidden2"], network.layers["hidden2"](network.layers["hidden1"](images())))
    assert network.activities(images(), []) == {}


def test_unknown_layer_lists_those_there() -> None:
    network = network_with()
    for ask in (lambda: network.activities(images(), ["hiden1"]), lambda: network.width("hiden1")):
        with pytest.raises(InputError, match=r"layer 'hiden1' does not exist; did you mean 'hidden1'\? Known: hidden1, hidden2, input, output"):
            ask()
    with pytest.raises(InputError, match="'hidden9' does not exist"):
        Network(layers(), 4, IDENTITY, {"hidden9": noise_for(7)})


def test_widths_and_names() -> None:
    network = network_with()
    assert network.layer_names == ("hidden1", "hidden2", "output")
    assert {name: network.width(name) for name in WIDTHS} == WIDTHS
    with pytest.raises(InputError, match="image_shape"):
        Network(layers(), 4, IDENTITY).width("hidden1")


@pytest.mark.parametrize("training", [True, False])
def test_noise_is_on_in_both_modes_and_needs_a_generator(training: bool) -> None:
    network = network_with("hidden1").train(training)
    assert network.stochastic
    assert not torch.allclose(network(images(), seeded(0)), network(images(), seeded(1)))
    with pytest.raises(InputError, match=r"noise at hidden1; pass a torch\.Generator"):
        network(images())


def test_same_seed_same_bytes() -> None:
    network = network_with("input", "hidden2")
    assert torch.equal(network.sample_logits(images(), seeded(4), 3), network.sample_logits(images(), seeded(4), 3))


def test_deterministic_network_needs_no_generator() -> None:
    network = network_with()
    assert not network.stochastic
    logits = network.sample_logits(images(), None, 3)
    assert logits.shape == (3, 5, 4)
    assert torch.equal(logits[2], network(images()))


@pytest.mark.parametrize("noisy", [("input",), ("hidden1",), ("output",), ("input", "hidden1", "hidden2")])
def test_noise_of_no_size_leaves_the_logits(noisy: tuple[str, ...]) -> None:
    network = network_with(*noisy, relative_variance=0.0)
    torch.testing.assert_close(network.sample_logits(images(), seeded(), 2), network_with()(images()).expand(2, 5, 4), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("noisy", [("input",), ("hidden1",), ("hidden1", "hidden2"), ("input", "output")])
def test_logits_are_the_mean_over_steps_of_passes_by_hand(noisy: tuple[str, ...]) -> None:
    """The oracle runs every draw and step on its own, with the noise that the layers draw from the same seed, first layer first."""
    network, draws = network_with(*noisy), 2
    generator = seeded(8)
    drawn = {name: network.noise[name].sample(5, generator, draws) for name in noisy}
    logits = network.sample_logits(images(), seeded(8), draws)
    for draw in range(draws):
        passes = []
        for step in range(3):
            values = images()
            if "input" in drawn:
                values = values + drawn["input"][step, draw].reshape(values.shape)
            for name, layer in network.layers.items():
                values = layer(values)
                if name in drawn:
                    values = values + drawn[name][step, draw]
            passes.append(values)
        torch.testing.assert_close(logits[draw], torch.stack(passes).mean(0), rtol=1e-5, atol=1e-5)


def test_many_draws_have_the_statistics_of_a_loop() -> None:
    network, n = network_with("hidden1", steps=2), 3000
    with torch.no_grad():
        together = network.sample_logits(images(2), seeded(0), n).flatten(1)
        generator = seeded(1)
        loop = torch.stack([network(images(2), generator) for _ in range(n)]).flatten(1)
    errors = (loop.var(0) / n + together.var(0) / n).sqrt()
    assert ((together.mean(0) - loop.mean(0)).abs() / errors).max() < 4.5
    assert (together.std(0) / loop.std(0)).log().abs().max() < 4.5 / np.sqrt(n)
    torch.testing.assert_close(together.T.corrcoef(), loop.T.corrcoef(), atol=0.09, rtol=0)


def test_what_comes_before_the_noise_runs_once() -> None:
    network = network_with("hidden1")
    seen = {name: [] for name in network.layer_names}
    for name, layer in network.layers.items():
        layer.register_forward_hook(lambda module, inputs, output, name=name: seen[name].append(len(output)))
    network.sample_logits(images(), seeded(), 4)
    assert seen == {"hidden1": [5], "hidden2": [5 * 4 * 3], "output": [5 * 4 * 3]}


@pytest.mark.parametrize("noisy", [("input",), ("hidden1",), ("input", "hidden2")])
def test_gradient_equals_finite_differences_with_the_noise_frozen(noisy: tuple[str, ...]) -> None:
    network = network_with(*noisy).double()
    pixels = images(2).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: network.sample_logits(values, seeded(5), 2), (pixels,))


def test_calibration_measures_noise_free_activity_in_batches_and_keeps_the_mode() -> None:
    network = network_with("hidden1", "hidden2").train()
    many = images(100)
    network.calibrate(many, batch=33)
    assert network.training
    for name in ("hidden1", "hidden2"):
        expected = network.activities(many, [name])[name].var(0).sum()
        torch.testing.assert_close(network.noise[name].stimulus_variance, expected.detach())


def test_noise_has_the_promised_size_inside_the_network() -> None:
    network = network_with("hidden1")
    before = network.activities(images(), ["hidden1"])["hidden1"]
    got = []
    network.layers["hidden2"].register_forward_pre_hook(lambda module, inputs: got.append(inputs[0]))
    with torch.no_grad():
        network.sample_logits(images(), seeded(), 2000)
    noise = got[0].reshape(-1, 5, 7) - before.detach()
    assert (noise.square().mean(dim=(0, 1)).sum() / network.noise["hidden1"].stimulus_variance).item() == pytest.approx(0.5, rel=0.05)


def test_numbers_of_steps_must_agree() -> None:
    with pytest.raises(InputError, match="steps differ"):
        Network(layers(), 4, IDENTITY, {"hidden1": noise_for(7, steps=2), "hidden2": noise_for(6, steps=3)})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.zeros(5, 2, 3, 4), "shape"),
        (torch.zeros(5, 1, 3, 3), "shape"),
        (torch.zeros(2, 3, 3), "shape"),
        (torch.zeros(5, 2, 3, 3, dtype=torch.uint8), "divide bytes by 255"),
    ],
)
def test_images_that_do_not_fit_are_refused(wrong: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        network_with()(wrong)


def test_other_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="name of the pixels"):
        Network({"input": nn.Flatten()}, 4, IDENTITY)
    with pytest.raises(InputError, match="normalisation"):
        Network(layers(), 4, ((0.0, 0.0), (1.0, 0.0)))
    with pytest.raises(InputError, match="normalisation"):
        Network(layers(), 4, ((0.0,), (1.0,)), image_shape=SHAPE)
    with pytest.raises(InputError, match="10 classes need logits"):
        Network(layers(), 10, IDENTITY)(images())
    with pytest.raises(InputError, match="draws = 0"):
        network_with("hidden1").sample_logits(images(), seeded(), 0)


def test_an_empty_batch_passes() -> None:
    assert network_with("hidden1", "hidden2").sample_logits(images(0), seeded(), 2).shape == (2, 0, 4)


def test_images_are_left_alone() -> None:
    given = images()
    network_with("input").sample_logits(given, seeded(), 2)
    assert torch.equal(given, images())
