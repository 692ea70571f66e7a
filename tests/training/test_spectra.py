"""The spectrum of a layer is that of its covariance, whatever counts as a unit and whichever side is smaller."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yuragi.errors import InputError
from yuragi.models import CNN, Perceptron
from yuragi.models.units import samples
from yuragi.spectra import pca_spectrum
from yuragi.training import build_network, layer_responses, layer_spectrum

SIZES = {"channel": (30 * 16, 6), "position": (30 * 6, 16), "both": (30, 96)}
"""Samples and units of `conv1` over 30 images."""


@pytest.fixture
def network() -> torch.nn.Module:
    return build_network(CNN(channels=(6, 4), hidden=8), (1, 8, 8), 3, seed=0)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand((30, 1, 8, 8), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("units", SIZES)
def test_spectrum_is_that_of_numpy(network: torch.nn.Module, images: torch.Tensor, units: str) -> None:
    activity = network.activities(images, ["conv1"], flat=False)["conv1"].detach()
    matrix = {
        "channel": np.concatenate([activity[i, :, y, x].numpy()[None] for i in range(30) for y in range(4) for x in range(4)]),
        "position": np.concatenate([activity[i, c].numpy().reshape(1, 16) for i in range(30) for c in range(6)]),
        "both": activity.numpy().reshape(30, -1),
    }[units].astype(np.float64)
    n_samples, n_units = SIZES[units]
    assert matrix.shape == (n_samples, n_units)
    expected = np.linalg.eigvalsh(np.cov(matrix.T))[::-1][: min(n_samples - 1, n_units)]
    spectrum = layer_spectrum(network, images, "conv1", units=units, chunk=7)
    np.testing.assert_allclose(spectrum.values, expected, rtol=1e-9, atol=1e-12 * expected[0])
    assert (spectrum.attrs["samples"], spectrum.attrs["units"]) == SIZES[units]


def test_both_ways_are_equal_around_the_point_where_they_change(images: torch.Tensor) -> None:
    """With 20 units, 20 images go the way of units and 19 the way of samples; both equal the eigenvalues of the covariance."""
    network = build_network(Perceptron(hidden=(20,)), (1, 8, 8), 3, seed=0)
    for n in (19, 20, 21):
        values = samples(network.activities(images[:n], ["hidden1"])["hidden1"].detach()).double().numpy()
        values -= values.mean(0)
        expected = np.square(np.linalg.svd(values, compute_uv=False))[: min(n - 1, 20)] / (n - 1)
        np.testing.assert_allclose(layer_spectrum(network, images[:n], "hidden1").values, expected, rtol=1e-9, atol=1e-13)


def test_a_layer_wider_than_memory_would_allow_its_covariance() -> None:
    """65,536 units: their covariance would take 34 GB."""
    network = build_network(CNN(channels=(256, 2), hidden=4), (1, 32, 32), 3, seed=0)
    images = torch.rand((5, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    spectrum = layer_spectrum(network, images, "conv1")
    assert spectrum.sizes == {"rank": 4}
    assert spectrum.attrs["units"] == 65536
    total = network.activities(images, ["conv1"])["conv1"].detach().double().var(0).sum().item()
    assert spectrum.values.sum() == pytest.approx(total, rel=1e-9)


def test_a_large_mean_costs_no_digits(images: torch.Tensor) -> None:
    network = build_network(Perceptron(hidden=(40,), activation="relu"), (1, 8, 8), 3, seed=0).double()
    images = images.double()
    before = layer_spectrum(network, images, "hidden1").values
    with torch.no_grad():
        network.layers["hidden1"][1].bias += 1e5
    values = network.activities(images, ["hidden1"])["hidden1"].detach()
    assert values.min() > 1e4
    np.testing.assert_allclose(layer_spectrum(network, images, "hidden1").values, np.linalg.eigvalsh(values.T.cov())[::-1][:29], rtol=1e-6)
    assert not np.allclose(before, layer_spectrum(network, images, "hidden1").values)


@pytest.mark.parametrize("units", SIZES)
def test_responses_by_the_same_units_have_the_same_spectrum(network: torch.nn.Module, images: torch.Tensor, units: str) -> None:
    responses = layer_responses(network, images, "conv1", units=units, chunk=7)
    assert dict(responses.sizes)["stimulus"] == SIZES[units][0]
    found = pca_spectrum(responses).values
    np.testing.assert_allclose(found, layer_spectrum(network, images, "conv1", units=units).values[: len(found)], rtol=1e-8, atol=1e-12)


def test_the_mode_is_kept(network: torch.nn.Module, images: torch.Tensor) -> None:
    layer_spectrum(network.train(), images, "conv1")
    assert network.training


def test_bad_input(network: torch.nn.Module, images: torch.Tensor) -> None:
    with pytest.raises(InputError, match="layer 'conv9' does not exist"):
        layer_spectrum(network, images, "conv9")
    with pytest.raises(InputError, match="at least 2"):
        layer_spectrum(network, images[:1], "conv1")
    with torch.no_grad():
        next(network.parameters()).fill_(float("inf"))
    for units in SIZES:
        with pytest.raises(InputError, match=r"layer 'conv1': its activity .* is not finite"):
            layer_spectrum(network, images, "conv1", units=units)
