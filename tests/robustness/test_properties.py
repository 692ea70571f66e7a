"""Properties of networks equal what is known of linear networks, of networks made by hand, and of planted gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from yuragi.errors import InputError
from yuragi.models import CNN, Network, Perceptron
from yuragi.noise import WhiteNoise
from yuragi.robustness.properties import network_properties

SHAPE = (1, 6, 5)
PIXELS = 30


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 12, shape: tuple[int, int, int] = SHAPE) -> torch.Tensor:
    return torch.rand(n, *shape, generator=seeded(3))


def labels(n: int = 12, classes: int = 3) -> torch.Tensor:
    return torch.arange(n) % classes


def dense(n_in: int, n_out: int, seed: int = 0) -> nn.Linear:
    layer = nn.Linear(n_in, n_out)
    with torch.no_grad():
        layer.weight.normal_(generator=seeded(seed))
        layer.bias.normal_(generator=seeded(seed + 1))
    return layer


def linear_network(std: float = 0.5) -> tuple[Network, nn.Linear]:
    readout = dense(PIXELS, 3)
    return Network({"output": nn.Sequential(nn.Flatten(), readout)}, 3, ((0.2,), (std,)), image_shape=SHAPE), readout


def measured(network: nn.Module, x: torch.Tensor, y: torch.Tensor, **options: object) -> dict[tuple[str, str], float]:
    table = network_properties(network, x, y, seeded(1), **options)
    assert list(table.columns) == ["layer", "property", "value"]
    assert not table.duplicated(["layer", "property"]).any()
    return {(row.layer, row.property): row.value for row in table.itertuples()}


def test_a_linear_network_has_the_margins_distances_and_norms_of_its_matrix() -> None:
    network, readout = linear_network()
    x, y = images(), labels()
    found = measured(network, x, y)
    weight = readout.weight.detach().double().numpy() / 0.5  # by the pixels, behind the normalisation
    logits = network(x).detach().double().numpy()
    rows = np.arange(12)
    others = logits.copy()
    others[rows, y] = -np.inf
    margin, slope = logits[rows, y] - others.max(1), weight[y] - weight[others.argmax(1)]
    expected = {
        "margin": margin,
        "distance_linf": margin / np.abs(slope).sum(1),
        "distance_l2": margin / np.linalg.norm(slope, axis=1),
    }
    for name, values in expected.items():
        assert found["", f"{name}_median"] == pytest.approx(np.sort(values)[5], rel=1e-5)
        assert found["", f"{name}_5th"] == pytest.approx(values.min(), rel=1e-5)
    assert found["", "gradient_l1"] == pytest.approx(np.abs(weight[y]).sum(1).mean(), rel=1e-5)
    assert found["", "gradient_l2"] == pytest.approx(np.linalg.norm(weight[y], axis=1).mean(), rel=1e-5)
    assert found["", "jacobian_squared_norm"] == pytest.approx(np.square(weight).sum(), rel=1e-5)
    assert found["", "gradient_change"] == pytest.approx(0, abs=1e-6)
    assert found["output", "weight_frobenius"] == pytest.approx(0.5 * np.linalg.norm(weight), rel=1e-5)
    assert found["output", "weight_spectral"] == pytest.approx(0.5 * np.linalg.norm(weight, 2), rel=1e-5)
    assert found["output", "activity_variance"] == pytest.approx(np.var(logits, axis=0, ddof=1).sum(), rel=1e-5)
    assert ("output", "saturation") not in found
    assert ("output", "dead_units") not in found


def test_the_distance_is_where_a_linear_network_changes_its_answer() -> None:
    """Moved along the worst direction by a little more than its distance, the median image crosses; by a little less it does not."""
    network, readout = linear_network()
    x = images()
    y = network(x).argmax(1)
    for norm in ("linf", "l2"):
        distance = measured(network, x, y)["", f"distance_{norm}_5th"]
        crossed = []
        for length in (0.99 * distance, 1.01 * distance):
            right = 0
            for image, label in zip(x, y, strict=True):
                for other in {0, 1, 2} - {int(label)}:
                    direction = (readout.weight[other] - readout.weight[label]).detach().reshape(SHAPE)
                    step = direction.sign() if norm == "linf" else direction / direction.norm()
                    right += int(network((image + length * step)[None]).argmax(1) == label)
            crossed.append(right)
        assert crossed[0] == 24
        assert crossed[1] == 23


def test_saturation_counts_values_of_tanh_even_before_a_normalisation() -> None:
    first = dense(PIXELS, 40)
    network = Network(
        {"hidden1": nn.Sequential(nn.Flatten(), first, nn.Tanh(), nn.BatchNorm1d(40)), "output": dense(40, 3)}, 3, ((0.0,), (1.0,)), image_shape=SHAPE
    )
    with torch.no_grad():
        network.layers["hidden1"][3].running_var.fill_(100.0)
    expected = (torch.tanh(first(images().flatten(1))).abs() > 0.95).double().mean().item()
    assert 0.1 < expected < 0.95
    assert measured(network, images(), labels(), chunk=5)["hidden1", "saturation"] == pytest.approx(expected, abs=1e-6)
    assert network.training


def test_silent_and_dead_units_of_rectifiers() -> None:
    first = dense(PIXELS, 20)
    with torch.no_grad():
        first.bias[:4] = -1e3
        first.bias[4:6] = 1e3
    network = Network(
        {
            "hidden1": nn.Sequential(nn.Flatten(), first, nn.ReLU()),
            "shifted": nn.Sequential(dense(20, 10), nn.ReLU(), dense(10, 8)),
            "output": dense(8, 3),
        },
        3,
        ((0.0,), (1.0,)),
        image_shape=SHAPE,
    )
    found = measured(network, images(), labels(), chunk=5)
    hidden = torch.relu(first(images().flatten(1)))
    assert found["hidden1", "dead_units"] == pytest.approx((hidden == 0).all(0).double().mean().item())
    assert found["hidden1", "dead_units"] >= 4 / 20
    assert found["hidden1", "silent_activity"] == pytest.approx((hidden == 0).double().mean().item(), abs=1e-6)
    inner = torch.relu(network.layers["shifted"][0](hidden))
    assert found["shifted", "silent_activity"] == pytest.approx((inner == 0).double().mean().item(), abs=1e-6)
    weights = [network.layers["shifted"][place].weight.detach() for place in (0, 2)]
    assert found["shifted", "weight_frobenius"] == pytest.approx(math.sqrt(sum(float(w.square().sum()) for w in weights)), rel=1e-5)
    assert found["shifted", "weight_spectral"] == pytest.approx(max(float(torch.linalg.matrix_norm(w, 2)) for w in weights), rel=1e-5)


@pytest.mark.parametrize("options", [{"stride": 1, "padding": 1}, {"stride": 2, "padding": 0}, {"stride": 1, "padding": 1, "groups": 2}], ids=str)
def test_the_norm_of_a_convolution_is_that_of_its_matrix(options: dict[str, int]) -> None:
    layer = nn.Conv2d(2, 4, 3, **options)
    with torch.no_grad():
        layer.weight.normal_(generator=seeded())
        layer.bias.fill_(5.0)
    units = layer(torch.zeros(1, 2, 6, 5)).numel()
    network = Network({"conv1": layer, "output": nn.Sequential(nn.Flatten(), dense(units, 3))}, 3, ((0.0,) * 2, (1.0,) * 2), image_shape=(2, 6, 5))
    basis = torch.eye(60).reshape(60, 2, 6, 5)
    matrix = (layer(basis) - layer(torch.zeros(1, 2, 6, 5))).flatten(1).detach()
    found = measured(network, images(shape=(2, 6, 5)), labels())
    assert found["conv1", "weight_spectral"] == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)), rel=1e-3)
    assert found["conv1", "weight_frobenius"] == pytest.approx(float(layer.weight.detach().norm()), rel=1e-5)


class Quadratic(nn.Module):
    """z_0 = x' x / 2 and z_1 = 0: the gradient of z_0 is x, and it changes by exactly what the image changes."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        own = values.flatten(1).square().sum(1) / 2
        return torch.stack([own, torch.zeros_like(own)], 1)


def test_a_quadratic_network_has_the_smoothness_of_its_formula() -> None:
    network = Network({"output": Quadratic()}, 2, ((0.0,), (1.0,)), image_shape=(1, 40, 40))
    x = 0.3 + 0.4 * images(shape=(1, 40, 40))
    found = measured(network, x, torch.zeros(12, dtype=torch.int64), radius=0.1)
    norms = x.flatten(1).double().norm(dim=1).numpy()
    assert found["", "jacobian_squared_norm"] == pytest.approx(np.square(norms).mean(), rel=1e-5)
    assert found["", "gradient_l1"] == pytest.approx(x.flatten(1).double().sum(1).mean().item(), rel=1e-5)
    assert found["", "distance_l2_median"] == pytest.approx(np.sort(norms)[5] / 2, rel=1e-5)  # (x'x / 2) / ‖x‖
    # ‖δ‖ = radius √(pixels / 3) for δ uniform, and nothing is clipped here.
    assert found["", "gradient_change"] == pytest.approx(0.1 * math.sqrt(1600 / 3) / norms.mean(), rel=0.02)


@pytest.mark.parametrize(("cycles", "expected"), [(1, 1.0), (7, 1.0), (8, 0.0), (15, 0.0)])
def test_the_share_of_low_frequencies_of_planted_gradients(cycles: int, expected: float) -> None:
    readout = nn.Linear(32 * 32, 2)
    wave = torch.cos(2 * math.pi * cycles * torch.arange(32) / 32)
    with torch.no_grad():
        readout.weight[0] = wave.expand(32, 32).flatten()
        readout.weight[1] = wave[:, None].expand(32, 32).flatten()
    network = Network({"output": nn.Sequential(nn.Flatten(), readout)}, 2, ((0.0,), (1.0,)), image_shape=(1, 32, 32))
    found = measured(network, images(shape=(1, 32, 32)), labels(classes=2))
    assert found["", "low_frequency_share"] == pytest.approx(expected, abs=1e-5)


def test_a_white_gradient_has_the_share_that_is_told() -> None:
    readout = dense(64 * 64, 2)
    network = Network({"output": nn.Sequential(nn.Flatten(), readout)}, 2, ((0.0,), (1.0,)), image_shape=(1, 64, 64))
    found = measured(network, images(shape=(1, 64, 64)), labels(classes=2))
    assert found["", "low_frequency_share"] == pytest.approx(math.pi / 16, abs=0.03)


def test_a_network_without_gradient_is_infinitely_far_from_its_boundary() -> None:
    network, readout = linear_network()
    with torch.no_grad():
        readout.weight.zero_()
        readout.bias.copy_(torch.tensor([2.0, 1.0, 0.0]))
    found = measured(network, images(), torch.zeros(12, dtype=torch.int64))
    assert found["", "margin_median"] == 1
    assert found["", "distance_linf_median"] == math.inf
    assert found["", "gradient_change"] == 0
    assert math.isnan(found["", "low_frequency_share"])
    assert found["output", "weight_spectral"] == 0


@pytest.mark.parametrize("architecture", [CNN(channels=(3, 4), hidden=8), Perceptron(hidden=(9,))], ids=lambda network: network.kind)
def test_neither_chunks_nor_the_mode_change_what_is_found(architecture) -> None:
    network = architecture.build((1, 8, 8), 3, seeded()).train()
    x, y = images(shape=(1, 8, 8)), labels()
    whole, pieces = (measured(network, x, y, chunk=chunk) for chunk in (100, 5))
    assert network.training
    deterministic = [key for key in whole if key[1] != "gradient_change"]
    assert {key: whole[key] for key in deterministic} == pytest.approx({key: pieces[key] for key in deterministic}, rel=1e-4)
    assert {layer for layer, _ in whole} == {*network.layer_names, ""}
    assert {layer for layer, _ in measured(network, x, y, layers=("hidden1",))} == {"hidden1", ""}


def test_a_stochastic_network_is_measured_by_the_mean_over_its_noise() -> None:
    """Noise before a linear readout leaves the mean logits: margins approach those without noise, gradients equal them."""
    noisy = Perceptron(hidden=(9,)).build(SHAPE, 3, seeded(), [WhiteNoise(relative_variance=0.3, steps=2)])
    plain = Perceptron(hidden=(9,)).build(SHAPE, 3, seeded())
    noisy.calibrate(images(200))
    expected, found = measured(plain, images(), labels()), measured(noisy, images(), labels(), draws=400, chunk=300)
    assert found["", "margin_median"] == pytest.approx(expected["", "margin_median"], abs=0.15)
    assert found["", "gradient_l2"] == pytest.approx(expected["", "gradient_l2"], rel=1e-4)
    assert found["", "gradient_change"] == pytest.approx(expected["", "gradient_change"], rel=0.2)
    assert found["hidden1", "activity_variance"] == expected["hidden1", "activity_variance"]
    few = measured(noisy, images(), labels(), draws=1)
    assert abs(few["", "margin_5th"] - expected["", "margin_5th"]) > 1e-3


def test_same_seed_same_numbers() -> None:
    network = Perceptron(hidden=(9,)).build(SHAPE, 3, seeded(), [WhiteNoise(relative_variance=0.3)])
    network.calibrate(images(50))
    assert measured(network, images(), labels()) == measured(network, images(), labels())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": ["hidden7"]}, "layer 'hidden7' does not exist"),
        ({"labels": torch.full((12,), 3)}, "3 occurs, but the network has classes 0 to 2"),
        ({"images": images(1), "labels": labels(1)}, "give two or more"),
        ({"images": images() + 1}, r"pixels must be in \[0, 1\]"),
        ({"radius": 0.0}, "radius = 0.0"),
        ({"chunk": 0}, "chunk = 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input(change: dict[str, object], message: str) -> None:
    arguments = {"images": images(), "labels": labels(), "generator": seeded()} | change
    with pytest.raises(InputError, match=message):
        network_properties(linear_network()[0], **arguments)
