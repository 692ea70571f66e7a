"""A layer's activity as responses is the layer's activity, and its spectrum the one that is measured otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yuragi.errors import InputError
from yuragi.models import Perceptron
from yuragi.spectra import pca_spectrum
from yuragi.training import build_network, layer_responses, layer_spectrum


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand((90, 1, 4, 4), generator=torch.Generator().manual_seed(0))


def test_the_spectrum_of_the_responses_is_that_of_the_layer(images: torch.Tensor) -> None:
    network = build_network(Perceptron(hidden=(12,)), (1, 4, 4), 3, seed=0)
    responses = layer_responses(network, images, "hidden1", chunk=32)
    assert dict(responses.sizes)["stimulus"] == 90
    np.testing.assert_allclose(
        pca_spectrum(responses).values, layer_spectrum(network, images, "hidden1").values[: responses.sizes["unit"]], rtol=1e-6
    )


def test_dead_units_are_left_out_and_counted_and_a_dead_layer_is_refused(images: torch.Tensor) -> None:
    network = build_network(Perceptron(hidden=(12,), activation="relu"), (1, 4, 4), 3, seed=0)
    biases = [parameter for name, parameter in network.named_parameters() if name.endswith("bias") and parameter.shape == (12,)]
    with torch.no_grad():
        biases[0][:5] = -1e3
    responses = layer_responses(network, images, "hidden1")
    assert responses.attrs["constant_units"] >= 5
    assert responses.sizes["unit"] == 12 - responses.attrs["constant_units"]
    with torch.no_grad():
        biases[0][:] = -1e3
    with pytest.raises(InputError, match="none of its 12 units changes"):
        layer_responses(network, images, "hidden1")


def test_bad_input(images: torch.Tensor) -> None:
    network = build_network(Perceptron(hidden=(12,)), (1, 4, 4), 3, seed=0)
    with pytest.raises(InputError, match="hidden9"):
        layer_responses(network, images, "hidden9")
    with pytest.raises(InputError, match="at least 2"):
        layer_responses(network, images[:1], "hidden1")
