"""Batch normalisation: evaluation is an affine map that weights can take up, and its statistics are a part of the file."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from yuragi.models import CNN, VGG, Network, Perceptron, ResNet18, ResNet50
from yuragi.models.base import Architecture
from yuragi.noise import WhiteNoise
from yuragi.training.build import build_network
from yuragi.training.checkpoint import load_network, save_network

NORMALISED = {
    "perceptron": Perceptron(hidden=(12, 9), batch_norm=True),
    "cnn": CNN(channels=(3, 4), hidden=9, batch_norm=True),
    "vgg": VGG(groups=((3,), (4, 5)), hidden=9, batch_norm=True),
    "resnet18": ResNet18(width=2),
    "resnet50": ResNet50(width=2),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shape_of(architecture: Architecture) -> tuple[int, int, int]:
    return (2, 32, 32) if isinstance(architecture, ResNet50) else (2, 8, 8)


def images(architecture: Architecture, n: int = 16) -> torch.Tensor:
    return torch.rand(n, *shape_of(architecture), generator=seeded(1))


@torch.no_grad()
def experienced(architecture: Architecture) -> Network:
    """A network whose running statistics, factors and offsets are far from those that it starts with."""
    network = architecture.build(shape_of(architecture), 4, seeded()).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.weight.copy_(torch.rand(module.weight.shape, generator=seeded(2)) + 0.5)
            module.bias.copy_(torch.randn(module.bias.shape, generator=seeded(3)))
    network.train()
    for _ in range(3):
        network(images(architecture).double())
    return network.eval()


def factor_and_offset(norm: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """BN(x) = factor x + offset in evaluation mode."""
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    return factor, norm.bias - factor * norm.running_mean


@torch.no_grad()
def folded(modules: nn.Module) -> nn.Module:
    """The module with every normalisation that follows a convolution or a dense layer taken up into that one's weights."""
    for parent in modules.modules():
        if not isinstance(parent, nn.Sequential):
            continue
        for position in range(len(parent) - 1):
            layer, norm = parent[position], parent[position + 1]
            if isinstance(layer, nn.Conv2d | nn.Linear) and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                factor, offset = factor_and_offset(norm)
                layer.weight.mul_(factor.reshape(-1, *[1] * (layer.weight.ndim - 1)))
                layer.bias = nn.Parameter(offset + (factor * layer.bias if layer.bias is not None else 0))
                parent[position + 1] = nn.Identity()
    return modules


@pytest.mark.parametrize("kind", ["cnn", "vgg", "resnet50"])
def test_evaluation_equals_the_network_whose_weights_took_the_normalisation_up(kind: str) -> None:
    architecture = NORMALISED[kind]
    network = experienced(architecture)
    expected = network(images(architecture).double())
    plain = folded(network)
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in plain.modules())
    torch.testing.assert_close(plain(images(architecture).double()), expected)


def test_a_perceptron_normalises_after_its_nonlinearity() -> None:
    network = experienced(NORMALISED["perceptron"])
    values = images(NORMALISED["perceptron"]).double().flatten(1)
    activities = network.activities(values.reshape(-1, 2, 8, 8), network.layer_names)
    for name in ("hidden1", "hidden2"):
        dense, norm = (next(m for m in network.layers[name] if isinstance(m, kind)) for kind in (nn.Linear, nn.BatchNorm1d))
        factor, offset = factor_and_offset(norm)
        values = factor * torch.tanh(values @ dense.weight.T + dense.bias) + offset
        torch.testing.assert_close(activities[name], values)


@pytest.mark.parametrize("kind", NORMALISED)
def test_training_normalises_by_the_batch_and_evaluation_leaves_the_statistics(kind: str) -> None:
    architecture = NORMALISED[kind]
    network = experienced(architecture)
    before = {name: values.clone() for name, values in network.named_buffers()}
    network(images(architecture, 5).double())
    assert all(torch.equal(values, before[name]) for name, values in network.named_buffers())
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}
    seen: dict[nn.Module, torch.Tensor] = {}
    for norm in norms:
        norm.register_forward_hook(lambda module, inputs, output: seen.__setitem__(module, output))
    network.train()(images(architecture).double())
    for norm in norms:
        values = seen[norm].transpose(0, 1).flatten(1)
        torch.testing.assert_close(values.mean(1), norm.bias)
    assert not all(torch.equal(values, before[name]) for name, values in network.named_buffers())


@pytest.mark.parametrize("kind", NORMALISED)
def test_a_file_keeps_the_statistics(kind: str, tmp_path) -> None:
    architecture = NORMALISED[kind]
    network = experienced(architecture).float()
    spec = {"network": architecture.model_dump(mode="json")}
    save_network(network, spec, tmp_path / "network.safetensors")
    loaded = load_network(tmp_path / "network.safetensors", spec)
    assert loaded.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(values, network.state_dict()[name]) for name, values in loaded.state_dict().items())
    assert torch.equal(loaded(images(architecture)), network(images(architecture)))
    save_network(loaded, spec, tmp_path / "again.safetensors")
    assert (tmp_path / "network.safetensors").read_bytes() == (tmp_path / "again.safetensors").read_bytes()


@pytest.mark.parametrize("kind", NORMALISED)
def test_building_and_loading_with_noise_leave_the_statistics(kind: str, tmp_path) -> None:
    architecture = NORMALISED[kind]
    noise = WhiteNoise(layer=architecture.names()[-2], relative_variance=0.1)
    network = build_network(architecture, shape_of(architecture), 4, seed=0, noise=noise)
    network.calibrate(images(architecture))
    plain = build_network(architecture, shape_of(architecture), 4, seed=0).state_dict()
    assert all(torch.equal(values, network.state_dict()[name]) for name, values in plain.items())
    save_network(network, {"network": architecture.model_dump(mode="json")}, tmp_path / "network.safetensors")
    loaded = load_network(tmp_path / "network.safetensors")
    assert torch.equal(loaded(images(architecture), seeded(5)), network.eval()(images(architecture), seeded(5)))


@pytest.mark.parametrize("kind", sorted(set(NORMALISED) - {"perceptron"}))
def test_no_layer_has_a_bias_that_normalisation_would_take_away(kind: str) -> None:
    network = NORMALISED[kind].build(shape_of(NORMALISED[kind]), 4, seeded())
    assert all(module.bias is None for module in network.modules() if isinstance(module, nn.Conv2d))
    without = NORMALISED[kind].model_copy(update={"batch_norm": False}).build(shape_of(NORMALISED[kind]), 4, seeded())
    assert all(module.bias is not None for module in without.modules() if isinstance(module, nn.Conv2d))
