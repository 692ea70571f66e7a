"""What the tests of penalties share: layers with a planted covariance, mini-batches, and a small task whose pixels follow a power law."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from yuragi.models.network import Network
from yuragi.regularizers.base import Batch, Penalty

CLASSES = 5


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="session")
def batch_of() -> Callable[..., Batch]:
    """A mini-batch of these images as a penalty sees it."""

    def batch_of(network: torch.nn.Module, images: torch.Tensor, penalty: Penalty | None = None, seed: int = 0, **activities: torch.Tensor) -> Batch:
        if penalty is not None and penalty.reads():
            activities = network.activities(images, penalty.reads(), flat=False)
        logits = network(images, seeded()) if isinstance(network, Network) else torch.zeros(len(images), CLASSES)
        return Batch(network, images, torch.arange(len(images)) % logits.shape[1], logits, activities, seeded(seed))

    return batch_of


@pytest.fixture(scope="session")
def linear_network() -> Callable[[torch.Tensor], Network]:
    """A network whose ``hidden1`` is the activity W x of images (image, 1, 1, pixel), without bias and normalisation, in W's precision."""

    def linear_network(weights: torch.Tensor) -> Network:
        units, pixels = weights.shape
        layer = torch.nn.Linear(pixels, units, bias=False)
        layer.weight = torch.nn.Parameter(weights.clone())
        layers = {"hidden1": torch.nn.Sequential(torch.nn.Flatten(), layer), "output": torch.nn.Linear(units, CLASSES)}
        return Network(layers, CLASSES, ((0.0,), (1.0,)), image_shape=(1, 1, pixels)).to(weights.dtype)

    return linear_network


@pytest.fixture(scope="session")
def task() -> Callable[[int, int], tuple[torch.Tensor, torch.Tensor]]:
    """Images of five Gaussian classes whose principal components, in a random basis of 12 by 12 pixels, have variances n^-1; and labels."""
    side = 12
    basis = torch.linalg.qr(torch.randn(side**2, side**2, generator=seeded(99))).Q
    scale = torch.arange(1, side**2 + 1.0) ** -0.5
    centres = torch.randn(CLASSES, side**2, generator=seeded(7)) * scale

    def task(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = seeded(seed)
        labels = torch.randint(CLASSES, (count,), generator=generator)
        pixels = (torch.randn(count, side**2, generator=generator) * scale + centres[labels]) @ basis.T
        return (0.5 + 0.5 * pixels).clamp(0, 1).reshape(count, 1, side, side), labels

    return task
