"""Networks can learn from the start: activity keeps its size with depth, gradients are right, and a narrow ResNet-18 reads digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from yuragi.models import CNN, VGG, Perceptron, ResNet18, ResNet50
from yuragi.models.base import Architecture


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth_images(shape: tuple[int, int, int]) -> Tensor:
    """Neighbouring pixels of a photograph are alike, and so are these."""
    pixels = torch.rand(24, *shape, generator=seeded(1))
    blurred = avg_pool2d(pad(pixels, (2, 2, 2, 2), mode="reflect"), 5, 1)
    return (blurred - blurred.mean()) / blurred.std()


DEEP = {
    "perceptron": (Perceptron(hidden=(300,) * 8, activation="relu"), (1, 16, 16)),
    "perceptron+bn": (Perceptron(hidden=(300,) * 8, batch_norm=True), (1, 16, 16)),
    "vgg": (VGG(groups=((32,), (32,), (32, 32), (64, 64), (64, 64))), (3, 32, 32)),
    "vgg+bn": (VGG(groups=((32,), (32,), (32, 32), (64, 64), (64, 64)), batch_norm=True), (3, 32, 32)),
    "resnet18": (ResNet18(width=16, batch_norm=False), (3, 32, 32)),
    "resnet18+bn": (ResNet18(width=16), (3, 32, 32)),
    "resnet50": (ResNet50(width=16, batch_norm=False), (3, 64, 64)),
    "resnet50+bn": (ResNet50(width=16), (3, 64, 64)),
}


@pytest.mark.parametrize("name", DEEP)
def test_activity_neither_dies_nor_explodes_with_depth(name: str) -> None:
    """Mean squares stay within a factor of 8 between any two layers before the output, and are of order 1."""
    architecture, shape = DEEP[name]
    network = architecture.build(shape, 10, seeded())
    with torch.no_grad():
        found = network.activities(smooth_images(shape), network.layer_names[:-1])
    sizes = [float(values.square().mean()) for values in found.values()]
    assert max(sizes) < 8 * min(sizes)
    assert 0.1 < min(sizes) < max(sizes) < 10


def test_without_the_factor_activity_would_grow_with_every_unit() -> None:
    """The control: factors of 1 let a mean square double with each unit that has no projection, and stages show it."""
    architecture, shape = DEEP["resnet18"]
    network = architecture.build(shape, 10, seeded())
    factors = [parameter for name, parameter in network.named_parameters() if name.endswith("scale")]
    assert [factor.item() for factor in factors] == pytest.approx([1 / math.sqrt(8)] * 8)
    with torch.no_grad():
        for factor in factors:
            factor.fill_(1.0)
        found = network.activities(smooth_images(shape), ["stem", "stage4"])
    assert found["stage4"].square().mean() > 2**6 * found["stem"].square().mean()


TINY = [
    (ResNet18(width=2), (1, 8, 8)),
    (ResNet18(width=2, batch_norm=False), (1, 8, 8)),
    (VGG(groups=((2,), (3,)), hidden=4, batch_norm=True), (1, 5, 5)),
    (CNN(channels=(2, 3), hidden=4, activation="tanh", padding=False, batch_norm=True), (1, 10, 10)),
    (Perceptron(hidden=(5, 4), batch_norm=True), (1, 3, 3)),
]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("architecture", "shape"), TINY, ids=str)
def test_gradients_equal_finite_differences(architecture: Architecture, shape: tuple[int, int, int], training: bool) -> None:
    network = architecture.build(shape, 3, seeded()).double().train(training)
    images = torch.rand(4, *shape, generator=seeded(1)).double().requires_grad_()
    with torch.no_grad():  # biases of 0 may leave a relu exactly at its kink
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded(4)))
    assert torch.autograd.gradcheck(network, (images,), fast_mode=True)
    weights = torch.randn(4, 3, generator=seeded(2)).double()
    (network(images) * weights).sum().backward()
    for parameter in network.parameters():
        direction = torch.randn(parameter.shape, generator=seeded(3)).double()
        with torch.no_grad():
            ends = [(parameter.add_(step * direction), (network(images) * weights).sum())[1] for step in (1e-6, -2e-6)]
            parameter.add_(1e-6 * direction)
        assert float((parameter.grad * direction).sum()) == pytest.approx(float(ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_narrow_resnet18_learns_digits(batch_norm: bool) -> None:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images, labels = torch.tensor(data.images[order, None] / 16, dtype=torch.float32), torch.tensor(data.target[order])
    network = ResNet18(width=8, batch_norm=batch_norm).build((1, 8, 8), 10, seeded(), normalisation=((0.3,), (0.38,))).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(60):
        batch = slice(50 * step % 1400, 50 * step % 1400 + 50)
        loss = nn.functional.cross_entropy(network(images[batch]), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        right = network.eval()(images[1400:]).argmax(1) == labels[1400:]
    assert right.float().mean() > 0.85
