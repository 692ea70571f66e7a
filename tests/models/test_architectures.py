"""The contract that every architecture keeps, for every shape of image that the library has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from yuragi.models import CNN, VGG, Perceptron, ResNet18, ResNet50
from yuragi.models.base import Architecture
from yuragi.noise import WhiteNoise
from yuragi.plugins import discover

KINDS = discover("yuragi.models", Architecture)
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32)]
LARGE = [(1, 32, 40), (3, 64, 64)]
SMALLER = {"vgg": {"groups": ((8,), (8, 8)), "hidden": 16}, "resnet18": {"width": 4}, "resnet50": {"width": 4}}
"""Options that make a network quick, where its defaults do not."""


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(shape: tuple[int, int, int], n: int = 6) -> torch.Tensor:
    return torch.rand(n, *shape, generator=seeded(9))


def cases() -> Iterator[tuple[Architecture, tuple[int, int, int]]]:
    for kind, architecture in KINDS.items():
        for shape in LARGE if kind == "resnet50" else SHAPES:
            for batch_norm in ({"batch_norm": False}, {"batch_norm": True}) if "batch_norm" in architecture.model_fields else ({},):
                yield architecture(**SMALLER.get(kind, {}), **batch_norm), shape


CASES = list(cases())


@pytest.fixture(params=CASES, ids=[f"{a.kind}{'+bn' * getattr(a, 'batch_norm', False)}-{'x'.join(map(str, shape))}" for a, shape in CASES])
def case(request: pytest.FixtureRequest) -> tuple[Architecture, tuple[int, int, int]]:
    return request.param


def test_every_kind_is_found() -> None:
    assert {"cnn": CNN, "perceptron": Perceptron, "resnet18": ResNet18, "resnet50": ResNet50, "vgg": VGG}.items() <= KINDS.items()


def test_logits_activities_names_and_widths_fit(case: tuple[Architecture, tuple[int, int, int]]) -> None:
    architecture, shape = case
    network = architecture.build(shape, 10, seeded()).eval()
    assert network(images(shape)).shape == (6, 10)
    assert network.layer_names == architecture.names() == architecture.own_names()
    assert network.layer_names[-1] == "output"
    found = network.activities(images(shape), ("input", *network.layer_names))
    assert {name: values.shape[1] for name, values in found.items()} == {name: network.width(name) for name in found}
    torch.testing.assert_close(found["output"], network(images(shape)))
    known = architecture.widths()
    assert known == {name: network.width(name) for name in known}


def test_widths_that_are_known_beforehand_hold_for_every_image() -> None:
    for kind, architecture in KINDS.items():
        known = architecture(**SMALLER.get(kind, {})).widths()
        assert set(known) == {name for name in architecture().own_names() if name.startswith("hidden")}


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28)])
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"resnet50"}))
def test_defaults_take_small_images_in_colour_and_grey(kind: str, shape: tuple[int, int, int]) -> None:
    with torch.no_grad():
        assert KINDS[kind]().build(shape, 10, seeded()).eval()(images(shape, 2)).shape == (2, 10)


def test_images_do_not_see_each_other_in_evaluation_mode(case: tuple[Architecture, tuple[int, int, int]]) -> None:
    architecture, shape = case
    network = architecture.build(shape, 10, seeded()).double()
    given = images(shape, 8).double()
    with torch.no_grad():
        network(given)  # moves the running statistics away from 0 and 1
        network.eval()
        order = torch.randperm(8, generator=seeded(2))
        torch.testing.assert_close(network(given[order]), network(given)[order])
        torch.testing.assert_close(network(given[:1]), network(given)[:1])


def test_nothing_works_in_place(case: tuple[Architecture, tuple[int, int, int]]) -> None:
    """Were a layer to write into what it is given, the activity kept from the layer before would change."""
    architecture, shape = case
    network = architecture.build(shape, 10, seeded()).eval()
    assert not any(getattr(module, "inplace", False) for module in network.modules())
    values = images(shape)
    for layer in network.layers.values():
        before = values.clone()
        after = layer(values)
        assert torch.equal(values, before)
        values = after.detach()


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
    first = architecture.names()[0]
    noise = [WhiteNoise(layer=first, relative_variance=0.2), WhiteNoise(layer="input", relative_variance=0.1)]
    noisy = architecture.build(shape, 10, seeded(), noise)
    assert all(torch.equal(parameter, dict(noisy.named_parameters())[name]) for name, parameter in plain.named_parameters())
    assert set(noisy.noise) == {first, "input"}
    assert all(torch.equal(buffer, dict(noisy.named_buffers())[name]) for name, buffer in plain.named_buffers())


def test_one_step_of_training_lowers_the_loss(case: tuple[Architecture, tuple[int, int, int]]) -> None:
    architecture, shape = case
    network = architecture.build(shape, 3, seeded())
    labels = torch.arange(6) % 3
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4)
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
    for layer in ("input", *architecture.names()):
        network = architecture.build(shape, 10, seeded(), [WhiteNoise(layer=layer, relative_variance=0.1, steps=2)]).eval()
        network.calibrate(images(shape))
        pixels = images(shape).requires_grad_()
        network.sample_logits(pixels, seeded(), 2).sum().backward()
        assert (pixels.grad.flatten(1).abs().sum(1) > 0).all()
