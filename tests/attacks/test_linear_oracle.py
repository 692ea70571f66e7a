"""A linear network's worst case is known in closed form; attacks must reach it and cannot pass it."""

from __future__ import annotations

import itertools

import pytest
import torch

from yuragi.attacks import FGSM, PGD, RandomNoise
from yuragi.attacks.gradients import loss_gradient


def linear(weights: torch.Tensor, bias: torch.Tensor) -> torch.nn.Sequential:
    layer = torch.nn.Linear(weights.shape[1], weights.shape[0], dtype=weights.dtype)
    with torch.no_grad():
        layer.weight.copy_(weights)
        layer.bias.copy_(bias)
    return torch.nn.Sequential(torch.nn.Flatten(), layer)


def random_images(generator: torch.Generator, count: int, pixels: int) -> torch.Tensor:
    images = torch.rand(count, 1, 1, pixels, generator=generator, dtype=torch.float64)
    return torch.where(images < 0.2, 0.0, torch.where(images > 0.8, 1.0, images))  # many pixels at the border, where clipping bites


def margins(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """z_y - z_j for every class j, (image, class)."""
    with torch.no_grad():
        logits = model(images)
    return logits.gather(1, labels[:, None]) - logits


@pytest.mark.parametrize("eps", [0.03, 0.3, 1.0])
@pytest.mark.parametrize(
    "attack", [FGSM(), PGD(steps=10, drop_fooled=False), PGD(steps=10, random_start=False, drop_fooled=False)], ids=["fgsm", "pgd", "pgd-from-image"]
)
def test_binary_worst_case_is_met(attack, eps, generator):
    weights = torch.randn(2, 30, generator=generator, dtype=torch.float64)
    model = linear(weights, torch.randn(2, generator=generator, dtype=torch.float64))
    images, labels = random_images(generator, 40, 30), torch.arange(40) % 2
    attacked = attack.at(eps)(model, images, labels, generator)
    towards_label = weights[labels] - weights[1 - labels]
    x = images.flatten(1)
    # Every pixel moves against its weight until the ball or the pixel range ends: down by min(eps, x), up by min(eps, 1 - x).
    loss_of_margin = torch.where(towards_label > 0, x.clamp(max=eps), (1 - x).clamp(max=eps)) * towards_label.abs()
    worst = margins(model, images, labels).gather(1, 1 - labels[:, None])[:, 0] - loss_of_margin.sum(1)
    found = margins(model, attacked, labels).gather(1, 1 - labels[:, None])[:, 0]
    assert torch.allclose(found, worst, atol=1e-6, rtol=0)


@pytest.mark.parametrize("attack", [FGSM(eps=0.1), PGD(eps=0.1, steps=10, drop_fooled=False)], ids=["fgsm", "pgd"])
def test_many_classes_along_one_direction(attack, generator):
    # Class weights on one line: for the classes at its two ends every rival lies in the same direction, and all margins have one worst case.
    direction = torch.randn(20, generator=generator, dtype=torch.float64)
    places = torch.tensor([0.0, 0.5, 1.2, 2.0, 3.0], dtype=torch.float64)
    model = linear(places[:, None] * direction, torch.zeros(5, dtype=torch.float64))
    images, labels = random_images(generator, 30, 20), (torch.arange(30) % 2) * 4
    attacked = attack(model, images, labels, generator)
    slope = (places[labels][:, None] - places).sign()  # of the margin over j along the direction: one sign per label
    x, end = images.flatten(1), torch.where(labels == 4, 1.0, -1.0).to(torch.float64)[:, None] * direction
    reach = (torch.where(end > 0, x.clamp(max=0.1), (1 - x).clamp(max=0.1)) * direction.abs()).sum(1)
    worst = margins(model, images, labels) - slope.abs() * (places[labels][:, None] - places).abs() * reach[:, None]
    assert torch.allclose(margins(model, attacked, labels), worst, atol=1e-6, rtol=0)


def test_many_classes_against_every_corner_of_the_ball(generator):
    # Cross-entropy of a linear network is convex, so that its maximum over the box lies at a corner; with 6 pixels all 64 are tried.
    weights = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    model = linear(weights, torch.zeros(4, dtype=torch.float64))
    images, labels = random_images(generator, 25, 6), torch.arange(25) % 4
    low, high = (images - 0.2).clamp(min=0), (images + 0.2).clamp(max=1)

    def loss(candidates: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return torch.nn.functional.cross_entropy(model(candidates), labels, reduction="none")

    corners = [torch.where(torch.tensor(corner).view(1, 1, 1, 6), high, low) for corner in itertools.product([False, True], repeat=6)]
    correct = torch.stack([margins(model, corner, labels).amin(1) >= 0 for corner in corners]).all(0)
    attacked = PGD(eps=0.2, steps=20, restarts=20)(model, images, labels, generator)
    assert torch.equal(margins(model, attacked, labels).amin(1) >= 0, correct)
    reached = torch.isclose(loss(attacked), torch.stack([loss(corner) for corner in corners]).amax(0), atol=1e-6, rtol=0)
    assert reached[correct].all()  # where it is fooled, the restart with the least margin may have a smaller loss than another
    assert (loss(RandomNoise(eps=0.2)(model, images, labels, generator)) < loss(attacked) - 1e-3).double().mean() > 0.5


def test_gradient_of_a_noisy_linear_network_is_its_expectation(generator):
    # With logits (W + ξ) x the binary gradient has the mean E[σ(-m)(w_0 - w_1)], estimated here by plain Monte Carlo.
    class NoisyWeights(torch.nn.Module):
        stochastic = True

        def sample_logits(self, images, generator, draws):
            noise = torch.randn(draws, 2, 3, generator=generator, dtype=images.dtype)
            return torch.einsum("dcp,bp->dbc", noise + 1, images.flatten(1))

    images, labels = torch.tensor([0.2, 0.9, 0.5], dtype=torch.float64).view(1, 1, 1, 3), torch.tensor([0])
    found = loss_gradient(NoisyWeights(), images, labels, generator, draws=200_000, chunk=50_000)
    noise = torch.randn(200_000, 2, 3, generator=generator, dtype=torch.float64)
    difference = noise[:, 0] - noise[:, 1]
    expected = -(torch.sigmoid(-(difference @ images.flatten()))[:, None] * difference).mean(0)
    assert torch.allclose(found.flatten(), expected, atol=0.01)
