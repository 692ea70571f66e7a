"""Covariances of layers equal those of numpy for every choice of a unit, and do not depend on how images are batched."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yuragi.errors import InputError
from yuragi.models import CNN
from yuragi.models.units import samples
from yuragi.regularizers import layer_covariances


@pytest.fixture
def network() -> torch.nn.Module:
    return CNN(channels=(6, 4), hidden=8).build((1, 8, 8), 3, torch.Generator().manual_seed(0))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand((30, 1, 8, 8), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("units", "width"), [("channel", 6), ("position", 16), ("both", 96)])
def test_covariances_are_those_of_numpy_by_any_unit(network: torch.nn.Module, images: torch.Tensor, units: str, width: int) -> None:
    found = layer_covariances(network, images, ["conv1", "hidden1", "input"], units=units, chunk=7)
    activities = network.activities(images, ["conv1", "hidden1", "input"], flat=False)
    for layer, covariance in found.items():
        np.testing.assert_allclose(covariance.numpy(), np.cov(samples(activities[layer].detach(), units).double().numpy().T), atol=1e-9)
    assert found["conv1"].shape == (width, width)
    assert found["hidden1"].shape == (8, 8)


@pytest.mark.parametrize("units", ["channel", "position", "both"])
def test_neither_chunks_nor_the_mode_matter(network: torch.nn.Module, images: torch.Tensor, units: str) -> None:
    whole = layer_covariances(network, images, ["conv2"], units=units)["conv2"]
    pieces = layer_covariances(network.train(), images, ["conv2"], units=units, chunk=4)["conv2"]
    torch.testing.assert_close(pieces, whole, rtol=1e-6, atol=1e-8)
    assert network.training


def test_bad_input(network: torch.nn.Module, images: torch.Tensor) -> None:
    with pytest.raises(InputError, match="at least 2"):
        layer_covariances(network, images[:1], ["conv1"], units="channel")
    with pytest.raises(InputError, match="'conv7' does not exist"):
        layer_covariances(network, images, ["conv7"])
