"""What the settings of architectures mean, and which of them are refused."""

from __future__ import annotations

import math
from typing import Any

import pydantic
import pytest
import torch

from yuragi.errors import InputError
from yuragi.models import CNN, VGG, Perceptron, ResNet18, ResNet50
from yuragi.models.base import Architecture
from yuragi.noise import WhiteNoise
from yuragi.plugins import discover

KINDS = discover("yuragi.models", Architecture)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_first_weights_have_the_stated_scale(activation: str) -> None:
    network = Perceptron(hidden=(400, 300), activation=activation).build((1, 28, 28), 10, seeded())
    gain = {"tanh": 1.0, "relu": math.sqrt(2), "sigmoid": 4.0}[activation]
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
        ("cnn", {"activation": "sine"}),
        ("vgg", {"groups": []}),
        ("vgg", {"groups": [[]]}),
        ("vgg", {"groups": [[0]]}),
        ("resnet18", {"width": 0}),
        ("resnet50", {"width": 0}),
    ],
)
def test_wrong_settings_are_refused(kind: str, wrong: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        KINDS[kind](**wrong)


@pytest.mark.parametrize(
    ("architecture", "smallest", "remedy"),
    [
        (CNN(), 4, "use perceptron"),
        (CNN(padding=False), 10, "use perceptron"),
        (CNN(padding=False, kernel=5), 16, "use perceptron"),
        (VGG(), 17, "fewer groups"),
        (VGG(groups=((2,), (2,))), 3, "fewer groups"),
        (ResNet18(width=2), 8, "use cnn"),
        (ResNet50(width=2), 32, "use resnet18"),
    ],
    ids=str,
)
def test_images_too_small_are_refused_and_the_smallest_are_not(architecture: Architecture, smallest: int, remedy: str) -> None:
    with pytest.raises(InputError, match=rf"image_shape = \(3, 40, {smallest - 1}\): .*{smallest} by {smallest} pixels or more, or .*{remedy}"):
        architecture.build((3, 40, smallest - 1), 10, seeded())
    shape = (3, smallest, smallest)
    assert architecture.build(shape, 10, seeded()).eval()(torch.zeros(2, *shape)).shape == (2, 10)


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(InputError, match="'conv1' does not exist"):
        Perceptron().build((1, 8, 8), 10, seeded(), [WhiteNoise(layer="conv1", relative_variance=0.1)])
    with pytest.raises(InputError, match="given twice"):
        Perceptron().build((1, 8, 8), 10, seeded(), [WhiteNoise(relative_variance=0.1)] * 2)


QUICK: dict[str, dict[str, Any]] = {
    "perceptron": {"hidden": (8, 6)},
    "vgg": {"groups": ((4,), (6, 8)), "hidden": 16},
    "resnet18": {"width": 4},
    "resnet50": {"width": 4},
}
"""Options that make a network quick, where its defaults do not."""


def flat(widths: Any) -> list[int]:
    return [each for part in widths for each in flat(part)] if isinstance(widths, tuple) else [widths]


@pytest.fixture(params=KINDS, ids=str)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return KINDS[request.param](**QUICK.get(request.param, {}))


def test_width_keys_are_settings_that_are_whole_numbers_alone_or_in_lists(architecture: Architecture) -> None:
    assert architecture.width_keys
    for key in architecture.width_keys:
        assert key in type(architecture).model_fields
        assert all(type(width) is int and width >= 1 for width in flat(getattr(architecture, key)))
    # What is no width stays as it is.
    others = set(type(architecture).model_fields) - set(architecture.width_keys)
    assert {key: getattr(architecture.widened(3.0), key) for key in others} == {key: getattr(architecture, key) for key in others}


def test_a_network_twice_as_wide_has_twice_the_channels_and_units_of_every_hidden_layer(architecture: Architecture) -> None:
    shape = (3, 32, 32)
    once, twice = (wanted.build(shape, 10, seeded()) for wanted in (architecture, architecture.widened(2.0)))
    assert twice.layer_names == once.layer_names
    hidden = once.layer_names[:-1]
    assert {name: twice.width(name) for name in hidden} == {name: 2 * once.width(name) for name in hidden}
    assert twice.width("output") == once.width("output") == 10
    for name in once.layer_names:
        before, after = (dict(network.layers[name].named_parameters()) for network in (once, twice))
        assert before.keys() == after.keys()
        # Biases and what meets the image grow with the units of the layer, other weights with those of the layer before as well.
        grown = {after[key].numel() / values.numel() for key, values in before.items()}
        assert grown <= ({1, 2} if name == "output" else {2, 4})
        assert name in (hidden[0], "output") or 4 in grown


def test_a_network_of_width_one_stays_and_none_falls_below_one_unit(architecture: Architecture) -> None:
    assert architecture.widened(1.0) == architecture
    narrow = architecture.widened(0.001)
    assert all(width == 1 for key in architecture.width_keys for width in flat(getattr(narrow, key)))
    assert narrow.widened(0.5) == narrow
    assert narrow.build((3, 32, 32), 10, seeded()).eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    assert architecture.widened(2.0).widened(0.5) == architecture
