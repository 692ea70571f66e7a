"""Whitening gives the identity as covariance, and in evaluation mode no image sees another."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from yuragi.errors import InputError
from yuragi.models import CNN, Perceptron
from yuragi.models._statistics import frozen_statistics
from yuragi.models.units import samples
from yuragi.models.whitening import Whitening
from yuragi.noise import WhiteNoise
from yuragi.training import load_network, save_network


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mixture(width: int = 6, seed: int = 1) -> torch.Tensor:
    return torch.randn(width, width, generator=seeded(seed)) + torch.eye(width)


def activity(n: int, seed: int = 0, width: int = 6) -> torch.Tensor:
    return torch.randn(n, width, generator=seeded(seed)) @ mixture(width).T + 3


def test_the_covariance_of_a_batch_becomes_the_identity() -> None:
    torch.testing.assert_close(Whitening(6)(activity(400)).T.cov(), torch.eye(6), rtol=0, atol=2e-4)


@pytest.mark.parametrize("demean", [True, False])
def test_it_is_the_inverse_of_the_cholesky_factor(demean: bool) -> None:
    h = activity(50).double()
    factor = torch.linalg.cholesky(h.T.cov() + 1e-5 * torch.eye(6))
    expected = (h - h.mean(0) if demean else h) @ torch.linalg.inv(factor).T
    layer = Whitening(6, demean=demean).double()
    torch.testing.assert_close(layer(h), expected)
    # After one batch the running statistics are that batch's.
    torch.testing.assert_close(layer.eval()(h), expected)


def test_convolutional_layers_are_whitened_by_channel() -> None:
    images = torch.einsum("dc,nchw->ndhw", mixture(), torch.randn(20, 6, 5, 4, generator=seeded()))
    white = Whitening(6)(images)
    assert white.shape == images.shape
    torch.testing.assert_close(samples(white, "channel").T.cov(), torch.eye(6), rtol=0, atol=2e-4)
    torch.testing.assert_close(samples(white, "channel"), Whitening(6)(samples(images, "channel")))


@pytest.mark.parametrize("shape", [(7, 3), (2, 3, 2, 2)], ids=str)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("demean", [True, False])
def test_gradients_equal_finite_differences(shape: tuple[int, ...], training: bool, demean: bool) -> None:
    h = torch.randn(*shape, generator=seeded(), dtype=torch.float64).requires_grad_()
    layer = Whitening(3, demean=demean).double().train(training)
    with torch.no_grad():
        layer.running_covariance.copy_(mixture(3) @ mixture(3).T)
    assert torch.autograd.gradcheck(layer, (h,))


def test_in_evaluation_no_image_sees_another() -> None:
    layer = Whitening(6)
    layer(activity(100))
    layer.eval()
    many = activity(20, seed=5)
    alone = torch.cat([layer(row[None]) for row in many])
    torch.testing.assert_close(layer(many), alone)
    # In training mode they do, which the test would notice.
    assert not torch.allclose(layer.train()(many)[:10], layer.train()(many[:10]), atol=0.1)


def test_running_statistics_are_means_of_the_first_batches_then_forgets() -> None:
    layer = Whitening(6, momentum=0.25)
    batches = [activity(30, seed=seed) for seed in range(5)]
    covariances = [batch.T.cov() for batch in batches]
    for batch in batches[:4]:
        layer(batch)
    torch.testing.assert_close(layer.running_covariance, torch.stack(covariances[:4]).mean(0))
    torch.testing.assert_close(layer.running_mean, torch.cat(batches[:4]).mean(0))
    layer(batches[4])
    torch.testing.assert_close(layer.running_covariance, 0.75 * torch.stack(covariances[:4]).mean(0) + 0.25 * covariances[4])


def test_running_covariance_converges_and_whitens_fresh_images() -> None:
    layer = Whitening(6, momentum=0.02)
    for seed in range(100):
        layer(activity(300, seed=seed))
    white = layer.eval()(activity(20000, seed=1000))
    torch.testing.assert_close(white.T.cov(), torch.eye(6), rtol=0, atol=0.06)
    torch.testing.assert_close(white.mean(0), torch.zeros(6), rtol=0, atol=0.06)


@pytest.mark.parametrize("how", ["context", "momentum"])
def test_frozen_statistics_stay_and_the_batch_still_whitens(how: str) -> None:
    layer = Whitening(6)
    layer(activity(100))
    before = copy.deepcopy(layer.state_dict())
    if how == "context":
        with frozen_statistics(layer):
            white = layer(activity(200, seed=2))
    else:
        layer.momentum = 0.0
        white = layer(activity(200, seed=2))
    torch.testing.assert_close(white.T.cov(), torch.eye(6), rtol=0, atol=2e-4)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_the_factor_follows_the_running_covariance_into_copies_and_files() -> None:
    h, layer, other = activity(50), Whitening(6), Whitening(6)
    layer(h)
    other(5 * h)
    layer.eval()
    first = layer(h)
    twin = copy.deepcopy(layer)
    twin.load_state_dict(other.state_dict())
    torch.testing.assert_close(twin(5 * h), first, rtol=1e-4, atol=1e-4)
    layer.load_state_dict(other.state_dict())
    torch.testing.assert_close(layer(h), twin(h))
    assert not torch.allclose(layer(h), first)
    layer.train()(h)
    assert not torch.allclose(layer.eval()(h), twin(h))


@pytest.mark.parametrize("training", [True, False])
def test_batches_smaller_than_the_layer_and_dead_units_stay_finite(training: bool) -> None:
    h = activity(8, width=30)
    h[:, 4] = 0
    h = h.requires_grad_()
    layer = Whitening(30)
    white = layer(h)
    if not training:
        white = layer.eval()(h)
    (white * torch.randn(8, 30, generator=seeded())).sum().backward()
    assert white.isfinite().all()
    assert h.grad.isfinite().all()
    assert (white[:, 4] == 0).all()


def test_small_batches_lie_about_their_layer() -> None:
    """The docstring's warning: each small batch is white in its own span, and evaluation mode tells otherwise."""
    gaps = {}
    for n in (15, 300):
        layer = Whitening(30, momentum=0.01)
        for seed in range(60):
            h = activity(n, seed=seed, width=30) - 3
            white = layer(h)
        told = layer.eval()(h)
        gaps[n] = ((white - told).norm() / told.norm()).item()
        assert torch.linalg.eigvalsh((white - white.mean(0)) @ (white - white.mean(0)).T / (n - 1))[-1].item() == pytest.approx(1, abs=1e-3)
    assert gaps[15] > 3 * gaps[300]


def test_large_variances_survive_single_precision() -> None:
    layer = Whitening(200)
    direction = torch.randn(200, generator=seeded())
    h = 300 * torch.randn(400, 1, generator=seeded(1)) * direction
    assert layer(h).isfinite().all()
    assert layer.eval()(h).isfinite().all()
    assert layer(h).std() < 1.1


@pytest.mark.parametrize(
    ("architecture", "layer", "width"),
    [
        (Perceptron(hidden=(20, 12), whitened="hidden2"), "hidden2", 12),
        (CNN(channels=(4, 6), hidden=8, whitened="conv2"), "conv2", 6),
        (CNN(channels=(4, 6), hidden=8, whitened="hidden1"), "hidden1", 8),
    ],
    ids=["perceptron", "channels", "dense"],
)
def test_networks_take_it_after_a_layer(architecture, layer: str, width: int, tmp_path: Path) -> None:
    noise = [WhiteNoise(layer=f"{layer}_whitened", relative_variance=0.1)]
    network = architecture.build((1, 8, 8), 3, seeded(), noise)
    assert network.layer_names == architecture.names()
    module = network.layers[f"{layer}_whitened"]
    assert module.width == width
    assert module.batches == 0
    images = torch.rand(60, 1, 8, 8, generator=seeded(3))
    network.train().activities(images, [f"{layer}_whitened"])
    network.calibrate(images)
    plain = architecture.model_copy(update={"whitened": None}).build((1, 8, 8), 3, seeded())
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in plain.state_dict().items())
    save_network(network, {"network": architecture.model_dump(mode="json")}, tmp_path / "network.safetensors")
    loaded = load_network(tmp_path / "network.safetensors")
    assert torch.equal(loaded(images, seeded()), network.eval()(images, seeded()))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Whitening(0), "width = 0"),
        (lambda: Whitening(3, ridge=0.0), "ridge = 0"),
        (lambda: Whitening(3, momentum=1.5), "momentum = 1.5"),
        (lambda: Whitening(3)(torch.zeros(5, 4)), r"shape \(5, 4\), but the whitening is for \(image, 3\)"),
        (lambda: Whitening(3)(torch.zeros(1, 3)), "1 samples have no covariance"),
    ],
)
def test_bad_input(act, message: str) -> None:
    with pytest.raises(InputError, match=message):
        act()
