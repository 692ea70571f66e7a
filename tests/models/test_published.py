"""The networks are those of the papers: numbers of parameters, and forward passes by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, relu

from yuragi.models import CNN, VGG, Network, Perceptron, ResNet18, ResNet50

NASSAR_CNN = CNN(channels=(16, 32), hidden=1000, activation="tanh", padding=False)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def n_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def resnet18_count(width: int, channels: int, classes: int, batch_norm: bool) -> int:
    """Weights of the convolutions, 2 numbers a normalised channel or else 1 bias a channel and 1 factor a unit, and the readout."""
    k = width**2
    weights = 9 * channels * width + 4 * 9 * k
    for before in (1, 2, 4):  # a stage from `before` to 2 before times the width: four 3 by 3, of which one widens, and the projection
        weights += (9 * (2 + 3 * 4) + 2) * before**2 * k
    # Normalised: the stem, then in each unit its input and its middle, but for the first unit's input, then the end.
    normalised = 1 + (1 + 2) + (1 + 2 + 2 + 2) + (2 + 4 + 4 + 4) + (4 + 8 + 8 + 8) + 8
    biased = 1 + 4 + (4 + 1) * (2 + 4 + 8)
    own = 2 * normalised * width if batch_norm else biased * width + 8
    return weights + own + 8 * width * classes + classes


def resnet50_count(width: int, channels: int, classes: int, batch_norm: bool) -> int:
    k, weights, outputs = width**2, 49 * channels * width, width
    n_in = 1
    for units, middle in zip((3, 4, 6, 3), (1, 2, 4, 8), strict=True):
        first, rest = n_in * middle, 4 * middle * middle
        weights += k * (first + (units - 1) * rest + units * (9 * middle**2 + 4 * middle**2) + n_in * 4 * middle)
        outputs += width * (units * 6 * middle + 4 * middle)
        n_in = 4 * middle
    return weights + (2 * outputs if batch_norm else outputs + 16) + n_in * width * classes + classes


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(("width", "channels", "classes"), [(64, 3, 10), (16, 1, 7)])
def test_residual_networks_have_the_parameters_of_the_sum(width: int, channels: int, classes: int, batch_norm: bool) -> None:
    small, large = (kind(width=width, batch_norm=batch_norm) for kind in (ResNet18, ResNet50))
    assert n_parameters(small.build((channels, 32, 32), classes, seeded())) == resnet18_count(width, channels, classes, batch_norm)
    assert n_parameters(large.build((channels, 64, 64), classes, seeded())) == resnet50_count(width, channels, classes, batch_norm)


def test_known_sizes() -> None:
    """ResNet-50: the usual count. Pre-activation ResNet-18: the usual 11,171,146 lack the last normalisation, 2 numbers for 512 channels."""
    assert n_parameters(ResNet50().build((3, 224, 224), 1000, seeded())) == 25_557_032
    assert n_parameters(ResNet18().build((3, 32, 32), 10, seeded())) == 11_171_146 + 2 * 512
    assert resnet50_count(64, 3, 1000, True) == 25_557_032
    assert resnet18_count(64, 3, 10, True) == 11_172_170
    vgg = VGG().build((3, 32, 32), 10, seeded()).layers
    assert sum(n_parameters(layer) for name, layer in vgg.items() if name.startswith("conv")) == 9_220_480
    assert n_parameters(Perceptron(hidden=(2000,)).build((1, 28, 28), 10, seeded())) == 784 * 2000 + 2000 + 20_010
    deep = Perceptron(hidden=(1000,) * 3).build((1, 28, 28), 10, seeded())
    assert n_parameters(deep) == 785_000 + 2 * 1_001_000 + 10_010


def test_the_published_cnn_has_its_published_widths() -> None:
    network = NASSAR_CNN.build((1, 28, 28), 10, seeded())
    assert {name: network.width(name) for name in network.layer_names} == {"conv1": 16 * 13 * 13, "conv2": 800, "hidden1": 1000, "output": 10}
    assert NASSAR_CNN.build((3, 32, 32), 10, seeded()).width("conv2") == 1152
    values = torch.rand(2, 1, 28, 28, generator=seeded())
    own = list(network.parameters())
    expected = values
    for weight, bias in (own[:2], own[2:4]):
        expected = max_pool2d(torch.tanh(conv2d(expected, weight, bias)), 2)
    expected = torch.tanh(expected.flatten(1) @ own[4].T + own[5]) @ own[6].T + own[7]
    torch.testing.assert_close(network(values), expected)


class ByHand:
    """The published equations on a network's tensors, by the names that they have in its file."""

    def __init__(self, network: Network) -> None:
        self.tensors = network.state_dict()

    def convolution(self, values: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.tensors[f"layers.{name}.weight"]
        return conv2d(values, weight, self.tensors.get(f"layers.{name}.bias"), stride=stride, padding=weight.shape[-1] // 2)

    def normalised(self, values: Tensor, name: str) -> Tensor:
        if f"layers.{name}.running_mean" not in self.tensors:
            return values
        mean, variance, factor, offset = (
            self.tensors[f"layers.{name}.{part}"].reshape(-1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (values - mean) / (variance + 1e-5).sqrt() * factor + offset

    def scaled(self, values: Tensor, name: str) -> Tensor:
        return values * self.tensors.get(f"layers.{name}.scale", torch.tensor(1.0))

    def readout(self, values: Tensor, name: str) -> Tensor:
        return values.mean(dim=(2, 3)) @ self.tensors[f"layers.{name}.weight"].T + self.tensors[f"layers.{name}.bias"]


def resnet18_by_hand(network: Network, images: Tensor, batch_norm: bool) -> dict[str, Tensor]:
    net, at = ByHand(network), (0, 1, 3) if batch_norm else (0, 1, 2)
    found = {"stem": (x := relu(net.normalised(net.convolution(images, "stem.0"), "stem.1")))}
    for stage in (1, 2, 3, 4):
        for unit in (0, 1):
            name, stride = f"stage{stage}.{unit}", 2 if stage > 1 and unit == 0 else 1
            a = x if (stage, unit) == (1, 0) else relu(net.normalised(x, f"{name}.before.0"))
            inner = relu(net.normalised(net.convolution(a, f"{name}.branch.{at[0]}", stride), f"{name}.branch.{at[1]}"))
            branch = net.scaled(net.convolution(inner, f"{name}.branch.{at[2]}"), f"{name}.branch.3")
            x = (net.convolution(a, f"{name}.projection", stride) if stride == 2 else x) + branch
        found[f"stage{stage}"] = x
    found["output"] = net.readout(relu(net.normalised(x, "output.0")), f"output.{3 if batch_norm else 2}")
    return found


def resnet50_by_hand(network: Network, images: Tensor, batch_norm: bool) -> dict[str, Tensor]:
    net, at = ByHand(network), (0, 3, 6) if batch_norm else (0, 2, 4)
    x = relu(net.normalised(net.convolution(images, "stem.0", 2), "stem.1"))
    found = {"stem": (x := max_pool2d(x, 3, 2, 1))}
    for stage, units in enumerate((3, 4, 6, 3), start=1):
        for unit in range(units):
            name, stride = f"stage{stage}.{unit}", 2 if stage > 1 and unit == 0 else 1
            inner = x
            for position, step in zip(at[:2], (1, stride), strict=True):
                part = f"{name}.branch.{position}"
                inner = relu(net.normalised(net.convolution(inner, part, step), f"{name}.branch.{position + 1}"))
            after = f"{name}.branch.{at[2] + 1}"
            branch = net.scaled(net.normalised(net.convolution(inner, f"{name}.branch.{at[2]}"), after), after)
            shortcut = x if unit else net.normalised(net.convolution(x, f"{name}.projection.0", stride), f"{name}.projection.1")
            x = relu(shortcut + branch)
        found[f"stage{stage}"] = x
    found["output"] = net.readout(x, "output.1")
    return found


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(
    ("kind", "by_hand", "shape"), [(ResNet18, resnet18_by_hand, (3, 16, 12)), (ResNet50, resnet50_by_hand, (3, 64, 40))], ids=["18", "50"]
)
def test_residual_networks_are_those_of_the_papers(kind, by_hand, shape: tuple[int, int, int], batch_norm: bool) -> None:
    network = kind(width=4, batch_norm=batch_norm).build(shape, 5, seeded()).double()
    images = torch.rand(6, *shape, generator=seeded(1)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded(2)))
        for _ in range(2 * batch_norm):
            network(images)
        found = network.eval().activities(images, network.layer_names, flat=False)
        expected = by_hand(network, images, batch_norm)
    assert tuple(expected) == network.layer_names
    for name, values in found.items():
        torch.testing.assert_close(values, expected[name])
    assert all((found[name] < 0).any() == (kind is ResNet18) for name in network.layer_names[1:-1])
