"""The contract that every architecture keeps, for every shape of image that the library has."""

from __future__ import annotations

import math

import pydantic
import pytest
import torch

from yuragi.errors import InputError
from yuragi.models import CNN, Perceptron
from yuragi.models.base import Architecture
from yuragi.noise import WhiteNoise
from yuragi.plugins import discover

KINDS = discover("yuragi.models", Architecture)
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(shape: tuple[int, int, int], n: int = 6) -> torch.Tensor:
    return torch.rand(n, *shape, generator=seeded(9))


@pytest.fixture(params=[(kind, shape) for kind in KINDS for shape in SHAPES], ids=str)
def case(request: pytest.FixtureRequest) -> tuple[Architecture, tuple[int, int, int]]:
    kind, shape = request.param
    return KINDS[kind](), shape


def test_both_kinds_are_found() -> None:
    assert {"cnn": CNN, "perceptron": Perceptron} == KINDS


def test_logits_activities_and_widths_fit(case: tuple[Architecture, tuple[int, int, int]]) -> None:
    architecture, shape = case
    network = architecture.build(shape, 10, seeded())
    assert network(images(shape)).shape == (6, 10)
    assert network.layer_names[-1] == "output"
    assert "hidden1" in network.layer_names
    found = network.activities(images(shape), ("input", *network.layer_names))
    assert {name: values.shape[1] for name, values in found.items()} == {name: network.width(name) for name in found}
    torch.testing.assert_close(found["output"], network(images(shape)))
    known = architecture.widths()
    assert "hidden1" in known
    assert known == {name: network.width(name) for name in known}


def test_same_seed_same_bytes_and_no_global_randomness(case: tuple[Architecture, tuple[int, int, int]]) -> None:
    architecture, shape = case
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = architecture.build(shape, 10, seeded(0)).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    same, other = (architecture.build(shape, 10, seeded(seed)).state_dict() for seed in (0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_arms_with_and_without_noise_start_from_the_same_weights(case: tuple[Architecture, tuple[int, int, int]]) -> None:
    architecture, shape = case
    plain = architecture.build(shape, 10, seeded())
    noisy = architecture.build(shape, 10, seeded(), [WhiteNoise(relative_variance=0.2), WhiteNoise(layer="input", relative_variance=0.1)])
    assert all(torch.equal(parameter, dict(noisy.named_parameters())[name]) for name, parameter in plain.named_parameters())
    assert sorted(noisy.noise) == ["hidden1", "input"]


def test_one_step_of_training_lowers_the_loss(case: tuple[Architecture, tuple[int, int, int]]) -> None:
    architecture, shape = case
    network = architecture.build(shape, 3, seeded())
    labels = torch.arange(6) % 3
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(2):
        loss = torch.nn.functional.cross_entropy(network(images(shape)), labels)
        optimiser.zero_grad()
        loss.backward()
        assert all(
            parameter.grad is not None and parameter.grad.abs().sum() > 0 for name, parameter in network.named_parameters() if "weight" in name
        )
        optimiser.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


def test_gradients_reach_the_images_through_noise_at_every_layer(case: tuple[Architecture, tuple[int, int, int]]) -> None:
    architecture, shape = case
    for layer in ("input", *architecture.build(shape, 10, seeded()).layer_names):
        network = architecture.build(shape, 10, seeded(), [WhiteNoise(layer=layer, relative_variance=0.1, steps=2)])
        network.calibrate(images(shape))
        pixels = images(shape).requires_grad_()
        network.sample_logits(pixels, seeded(), 2).sum().backward()
        assert (pixels.grad.flatten(1).abs().sum(1) > 0).all()


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_first_weights_have_the_stated_scale(activation: str) -> None:
    network = Perceptron(hidden=(400, 300), activation=activation).build((1, 28, 28), 10, seeded())
    gain = math.sqrt(2) if activation == "relu" else 1.0
    expected = {"hidden1": gain / 28, "hidden2": gain / 20, "output": 1 / math.sqrt(300)}
    for name, layer in network.layers.items():
        weights = dict(layer.named_parameters())
        matrix = next(values for key, values in weights.items() if key.endswith("weight"))
        bias = next(values for key, values in weights.items() if key.endswith("bias"))
        assert matrix.std().item() == pytest.approx(expected[name], rel=5 / math.sqrt(2 * matrix.numel()))
        assert not bias.any()


def test_perceptron_names_its_layers() -> None:
    assert Perceptron(hidden=(5, 4, 3)).build((1, 8, 8), 2, seeded()).layer_names == ("hidden1", "hidden2", "hidden3", "output")


def test_lists_from_a_configuration_hash_and_compare() -> None:
    assert Perceptron.model_validate({"kind": "perceptron", "hidden": [5, 4]}) == Perceptron(hidden=(5, 4))
    assert hash(CNN(channels=[4, 8])) == hash(CNN(channels=(4, 8)))


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("perceptron", {"hidden": []}),
        ("perceptron", {"hidden": [0]}),
        ("perceptron", {"activation": "sine"}),
        ("cnn", {"kernel": 4}),
        ("cnn", {"channels": [4]}),
    ],
)
def test_wrong_settings_are_refused(kind: str, wrong: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        KINDS[kind](**wrong)


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(InputError, match="4 by 4"):
        CNN().build((1, 3, 8), 10, seeded())
    with pytest.raises(InputError, match="'conv1' does not exist"):
        Perceptron().build((1, 8, 8), 10, seeded(), [WhiteNoise(layer="conv1", relative_variance=0.1)])
    with pytest.raises(InputError, match="given twice"):
        Perceptron().build((1, 8, 8), 10, seeded(), [WhiteNoise(relative_variance=0.1)] * 2)
