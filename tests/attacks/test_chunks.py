"""One setting bounds memory and changes nothing else, for networks with noise too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yuragi.attacks import FGSM, PGD, RandomNoise
from yuragi.attacks.base import BoundedAttack
from yuragi.attacks.gradients import gradient_pass
from yuragi.attacks.scores import score
from yuragi.models.network import Network
from yuragi.models.perceptron import Perceptron
from yuragi.noise.layer import SpontaneousNoise
from yuragi.plugins import discover

STEPS, DRAWS = 3, 5


@pytest.fixture
def network() -> Network:
    """Noise with a time course at the pixels and in the hidden layer, in double precision: rounding does not flip the sign of a gradient."""
    plain = Perceptron(hidden=(20,)).build((1, 4, 4), 3, torch.Generator().manual_seed(0))
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 3)))[0]
    hidden = SpontaneousNoise(20, np.array([np.diag([0.9, 0.5, 0.3])]), np.eye(3), directions=directions, relative_variance=0.5, steps=STEPS)
    pixels = SpontaneousNoise(16, np.full((1, 1, 1), 0.5), np.ones((1, 1)), relative_variance=0.1, steps=STEPS)
    noisy = plain.with_noise({"input": pixels, "hidden1": hidden})
    noisy.calibrate(torch.rand(50, 1, 4, 4, generator=torch.Generator().manual_seed(1)))
    return noisy.double().eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(7, 1, 4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


LABELS = torch.arange(7) % 3


@pytest.mark.parametrize("chunk", [1, 4, STEPS * DRAWS, 40])
def test_gradients_and_scores_do_not_depend_on_the_chunk(chunk, network, images):
    whole, cut = (gradient_pass(network, images, LABELS, torch.Generator().manual_seed(3), DRAWS, c) for c in (10_000, chunk))
    for one, other in zip(whole, cut, strict=True):
        assert torch.allclose(one, other, atol=1e-12)
    whole, cut = (score(network, images, LABELS, torch.Generator().manual_seed(3), DRAWS, c) for c in (10_000, chunk))
    assert torch.equal(whole.fraction_correct, cut.fraction_correct)
    assert torch.allclose(whole.loss, cut.loss, atol=1e-12)
    assert len(torch.unique(whole.fraction_correct)) > 1  # the noise decides something


@pytest.mark.parametrize(
    "attack", [FGSM(draws=DRAWS), PGD(steps=4, restarts=2, draws=DRAWS), RandomNoise(tries=3, draws=DRAWS)], ids=lambda a: a.kind
)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_attacked_images_do_not_depend_on_the_chunk(attack, norm, network, images):
    chosen = attack.at(0.2, norm)
    whole, cut, other = (chosen(network, images, LABELS, torch.Generator().manual_seed(seed), chunk=c) for c, seed in ((10_000, 3), (7, 3), (7, 4)))
    assert torch.allclose(whole, cut, atol=1e-9)
    assert not torch.allclose(whole, other, atol=1e-3)


def test_the_chunk_bounds_what_passes_at_once(network, images, monkeypatch):
    rows: list[int] = []
    network.layers["output"].register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
    gradient_pass(network, images, LABELS, torch.Generator().manual_seed(3), 50, 60)
    assert max(rows) <= 60
    assert sum(rows) == 7 * 50 * STEPS


def test_an_attack_on_the_twin_meets_no_noise(network, images):
    attack = PGD(eps=0.2, steps=3, adapts=False, random_start=False)
    transferred = attack(network, images, LABELS, torch.Generator().manual_seed(3))
    of_twin = attack.to_the_end()(network.noise_free(), images, LABELS, torch.Generator().manual_seed(3))
    assert torch.equal(transferred, of_twin)
    assert not torch.equal(transferred, PGD(eps=0.2, steps=3, random_start=False)(network, images, LABELS, torch.Generator().manual_seed(3)))


def test_every_attack_in_a_ball_knows_both_norms():
    for kind, attack in discover("yuragi.attacks", BoundedAttack).items():
        assert attack().at(0.5, "l2").norm == "l2", kind
