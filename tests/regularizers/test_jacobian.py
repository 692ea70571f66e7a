"""The Jacobian penalty against exact Jacobians, finite differences and its own expectation."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from yuragi.models._statistics import frozen_statistics
from yuragi.models.network import Network
from yuragi.models.perceptron import Perceptron
from yuragi.noise.white import WhiteNoise
from yuragi.regularizers.base import Batch
from yuragi.regularizers.jacobian import JacobianPenalty


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch_of(network: torch.nn.Module, images: torch.Tensor, seed: int = 0) -> Batch:
    labels = torch.zeros(len(images), dtype=torch.int64)
    return Batch(network, images, labels, network(images, seeded(9)).detach(), {}, seeded(seed))


def images_of(count: int = 6, side: int = 3, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(count, 1, side, side, generator=seeded(1), dtype=dtype)


def value_of(penalty: JacobianPenalty, network: torch.nn.Module, images: torch.Tensor, seed: int = 0) -> float:
    return penalty.loss(batch_of(network, images, seed), {}).item()


def linear(std: float = 0.5) -> Network:
    readout = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(9, 4))
    return Network({"output": readout}, 4, ((0.5,), (std,)), image_shape=(1, 3, 3)).double()


def perceptron(**options: object) -> Network:
    return Perceptron(hidden=(7,), **options).build((1, 3, 3), 4, seeded()).double()


def test_a_linear_network_has_the_norm_of_its_weights_in_pixel_units() -> None:
    network = linear()
    norm = (network.layers["output"][1].weight / 0.5).square().sum()
    exact = JacobianPenalty(weight=2.0, directions=None).loss(batch_of(network, images_of()), {})
    torch.testing.assert_close(exact, norm)


@pytest.mark.parametrize("directions", [1, 3])
def test_the_estimate_is_unbiased(directions: int) -> None:
    network, images = linear(), images_of(500)
    penalty = JacobianPenalty(weight=2.0, directions=directions)
    found = torch.stack([penalty.loss(batch_of(network, images, seed), {}).detach() for seed in range(40)])
    truth = (network.layers["output"][1].weight.detach() / 0.5).square().sum()
    error = found.std() / len(found) ** 0.5
    assert abs(float(found.mean() - truth)) < 4 * float(error)
    assert float(error) < 0.01 * float(truth), "or the test sees nothing"


def test_more_directions_estimate_it_better() -> None:
    network, images = linear(), images_of(20)
    spread = [
        torch.stack([JacobianPenalty(directions=directions).loss(batch_of(network, images, seed), {}) for seed in range(60)]).std()
        for directions in (1, 8)
    ]
    assert spread[1] < 0.6 * spread[0]


def test_it_is_the_exact_jacobian_of_a_network() -> None:
    network, images = perceptron(), images_of()
    jacobian = torch.autograd.functional.jacobian(lambda x: network(x), images)
    norm = sum(jacobian[index, :, index].square().sum() for index in range(len(images))) / len(images)
    torch.testing.assert_close(JacobianPenalty(weight=0.6, directions=None).loss(batch_of(network, images), {}), 0.3 * norm)


@pytest.mark.parametrize("directions", [None, 2])
def test_the_gradient_in_the_parameters_is_that_of_finite_differences(directions: int | None) -> None:
    network, images = perceptron(), images_of(3)
    penalty = JacobianPenalty(weight=1.3, directions=directions)
    parameter = network.layers["hidden1"].get_parameter(next(name for name, _ in network.layers["hidden1"].named_parameters()))

    def value() -> torch.Tensor:
        return penalty.loss(batch_of(network, images), {})

    (gradient,) = torch.autograd.grad(value(), parameter)
    step = 1e-6
    for index in [(0, 0), (3, 5), (6, 8)]:
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter[index] += sign * step
            ends.append(value().detach())
            with torch.no_grad():
                parameter[index] -= sign * step
        torch.testing.assert_close(gradient[index], (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("directions", [None, 1])
def test_batch_normalisation_gives_the_jacobian_of_the_whole_batch(directions: int | None) -> None:
    layers = {"hidden1": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(9, 5), torch.nn.BatchNorm1d(5), torch.nn.Tanh())}
    layers["output"] = torch.nn.Linear(5, 3)
    network = Network(layers, 3, ((0.0,), (1.0,)), image_shape=(1, 3, 3)).double().train()
    images = images_of(5)
    with frozen_statistics(network):
        whole = torch.autograd.functional.jacobian(lambda x: network(x), images).square().sum() / len(images)
        penalty = JacobianPenalty(weight=2.0, directions=directions)
        found = torch.tensor([value_of(penalty, network, images, seed) for seed in range(300)])
    error = found.std() / len(found) ** 0.5
    assert abs(float(found.mean() - whole)) < 4 * float(error)
    assert float(error) < 0.1 * float(whole), "or the test sees nothing"


def test_a_stochastic_network_is_asked_under_one_draw() -> None:
    network = Perceptron(hidden=(7,)).build((1, 3, 3), 4, seeded(), [WhiteNoise(layer="hidden1", relative_variance=0.5)])
    images = images_of(dtype=torch.float32)
    network.calibrate(images)
    penalty = JacobianPenalty(directions=None)
    first, again, other = (penalty.loss(batch_of(network, images, seed), {}) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    # The readout is linear and noise is added after the last non-linearity: the draw does not change the Jacobian.
    torch.testing.assert_close(first, other)
    assert not images.requires_grad


def test_training_on_it_makes_the_network_flat() -> None:
    network, images = perceptron(), images_of(30)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    exact = JacobianPenalty(weight=2.0, directions=None)
    before = value_of(exact, network, images)
    for step in range(60):
        optimiser.zero_grad()
        JacobianPenalty(weight=2.0).loss(batch_of(network, images, step), {}).backward()
        optimiser.step()
    assert value_of(exact, network, images) < 0.3 * before


def test_a_network_that_is_blind_to_its_images_costs_nothing() -> None:
    class Blind(torch.nn.Module):
        stochastic = False

        def forward(self, images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
            return torch.ones(len(images), 3, requires_grad=True)

    assert value_of(JacobianPenalty(), Blind(), images_of()) == 0.0


def test_what_is_wrong_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        JacobianPenalty(directions=0)
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        JacobianPenalty(weight=-1.0)
