"""Networks as files: the same bytes, the same network back, and clear words about a wrong file."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import torch

from yuragi.errors import InputError
from yuragi.models.cnn import CNN
from yuragi.models.network import Network
from yuragi.models.perceptron import Perceptron
from yuragi.noise.spontaneous import Spontaneous
from yuragi.noise.white import WhiteNoise
from yuragi.targets import BrainTarget, SpontaneousModel
from yuragi.training.build import build_network
from yuragi.training.checkpoint import load_network, read_spec, save_network
from yuragi.training.store import write_tensors

SHAPE = (1, 12, 12)
IMAGES = torch.rand(20, *SHAPE, generator=torch.Generator().manual_seed(0))
ARCHITECTURE = Perceptron(hidden=(30, 20))


def spec_of(architecture, **more) -> dict:
    return {"network": architecture.model_dump(mode="json"), **more}


def brain(order: int) -> BrainTarget:
    generator = np.random.default_rng(0)
    coefficients = generator.standard_normal((order, 6, 6)) * 0.1 + 0.3 * np.eye(6) / order
    return BrainTarget({}, SpontaneousModel.from_autoregression(coefficients, np.diag(np.arange(6, 0, -1.0)), 0.7), 0.4)


NETWORKS = {
    "plain": lambda: build_network(ARCHITECTURE, SHAPE, 5, seed=0, normalisation=((0.3,), (0.2,))),
    "convolutional": lambda: build_network(CNN(), SHAPE, 5, seed=0),
    "white noise": lambda: build_network(ARCHITECTURE, SHAPE, 5, seed=0, noise=WhiteNoise(layer="hidden2", relative_variance=0.2, steps=3)),
    "noise at the input": lambda: build_network(ARCHITECTURE, SHAPE, 5, seed=0, noise=WhiteNoise(layer="input", relative_variance=0.2)),
    "spontaneous": lambda: build_network(ARCHITECTURE, SHAPE, 5, seed=0, noise=Spontaneous(layer="hidden1", steps=4), target=brain(1)),
    "spontaneous of order 3": lambda: build_network(ARCHITECTURE, SHAPE, 5, seed=0, noise=Spontaneous(layer="hidden1", steps=5), target=brain(3)),
    "spontaneous, shuffled": lambda: build_network(
        ARCHITECTURE, SHAPE, 5, seed=0, noise=Spontaneous(layer="hidden1", steps=2, time_course="shuffled"), target=brain(2)
    ),
}


def logits(network: Network) -> torch.Tensor:
    with torch.no_grad():
        return network.sample_logits(IMAGES, torch.Generator().manual_seed(1), 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_as_it_was(name, tmp_path) -> None:
    network = NETWORKS[name]().eval()
    network.calibrate(IMAGES)
    spec = spec_of(CNN() if name == "convolutional" else ARCHITECTURE, seed=0)
    save_network(network, spec, tmp_path / "network.safetensors")
    loaded = load_network(tmp_path / "network.safetensors", spec)
    assert torch.equal(logits(network), logits(loaded))
    assert not loaded.training
    assert str(loaded) == str(network)
    save_network(loaded, spec, tmp_path / "again.safetensors")
    assert (tmp_path / "network.safetensors").read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    assert read_spec(tmp_path / "network.safetensors") == spec


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (spec_of(ARCHITECTURE, training={"epochs": 3}), r"trained with training.epochs = 2, expected 3"),
        (spec_of(ARCHITECTURE), r"trained with training = {\"epochs\":2}, expected nothing"),
        (spec_of(Perceptron(hidden=(30, 21)), training={"epochs": 2}), r"trained with network.hidden = \[30,20\], expected \[30,21\]"),
    ],
)
def test_another_specification_is_refused_by_the_key_that_differs(spec, message, tmp_path) -> None:
    path = tmp_path / "network.safetensors"
    save_network(NETWORKS["plain"](), spec_of(ARCHITECTURE, training={"epochs": 2}), path)
    with pytest.raises(InputError, match=message):
        load_network(path, spec)


def test_wrong_files_are_told(tmp_path) -> None:
    path = tmp_path / "network.safetensors"
    with pytest.raises(InputError, match="no such file"):
        load_network(path)
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        load_network(path)
    safetensors.torch.save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="did not write"):
        load_network(path)
    write_tensors({"weight": torch.zeros(2)}, {"history": []}, path)
    with pytest.raises(InputError, match="a checkpoint of an unfinished training"):
        read_spec(path)
    save_network(NETWORKS["plain"](), spec_of(ARCHITECTURE), path)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        load_network(path)
    save_network(NETWORKS["plain"](), spec_of(Perceptron(hidden=(30, 21))), path)
    with pytest.raises(InputError, match="do not fit its architecture"):
        load_network(path)


def test_a_specification_without_architecture_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="must hold the architecture"):
        save_network(NETWORKS["plain"](), {"seed": 0}, tmp_path / "network.safetensors")
    assert list(tmp_path.iterdir()) == []
