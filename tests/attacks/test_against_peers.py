"""The same adversarial accuracy as other libraries on the same network, images, steps and start."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings

import numpy as np
import pytest
import torch

from yuragi.attacks.balls import Norm
from yuragi.attacks.pgd import PGD
from yuragi.attacks.suite import Suite

SETTINGS = {"linf": (0.08, 0.01), "l2": (0.6, 0.1)}
"""ε and the size of a step."""

STEPS = 20


def accuracy(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model(images).argmax(1) == labels).float().mean())


def ours(model, images, labels, norm: Norm) -> torch.Tensor:
    eps, size = SETTINGS[norm]
    attack = PGD(norm=norm, eps=eps, steps=STEPS, relative_step=size * STEPS / eps, random_start=False, drop_fooled=False)
    return attack(model, images, labels, torch.Generator())


def assert_the_same(model, images, labels, wanted: torch.Tensor, norm: Norm, apart: float = 1e-5) -> None:
    found = ours(model, images, labels, norm)
    assert 0.05 < accuracy(model, wanted, labels) < 0.95
    assert accuracy(model, found, labels) == pytest.approx(accuracy(model, wanted, labels), abs=1e-6)
    # Where a gradient is a rounding error either side may take its sign: in a few pixels.
    assert float(((found - wanted).abs() > apart).double().mean()) < 0.01


@pytest.mark.parametrize("norm", SETTINGS)
def test_foolbox_finds_the_same(norm, trained, unseen):
    foolbox = pytest.importorskip("foolbox")
    eps, size = SETTINGS[norm]
    kind = {"linf": foolbox.attacks.LinfProjectedGradientDescentAttack, "l2": foolbox.attacks.L2ProjectedGradientDescentAttack}[norm]
    attack = kind(abs_stepsize=size, steps=STEPS, random_start=False)
    # In double precision: in single precision its cross-entropy rounds where the network is certain, and ours does not.
    double = copy.deepcopy(trained).double()
    images, labels = unseen[0].double(), unseen[1]
    wanted = attack.run(foolbox.PyTorchModel(double, bounds=(0, 1), device="cpu"), images, foolbox.criteria.Misclassification(labels), epsilon=eps)
    assert_the_same(double, images, labels, wanted, norm)


@pytest.mark.parametrize("norm", SETTINGS)
def test_art_finds_the_same(norm, trained, unseen):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other frameworks that it looks for
        attacks, classification = pytest.importorskip("art.attacks.evasion"), pytest.importorskip("art.estimators.classification")
    eps, size = SETTINGS[norm]
    network = classification.PyTorchClassifier(
        copy.deepcopy(trained), torch.nn.CrossEntropyLoss(), (1, 8, 8), 10, clip_values=(0, 1), device_type="cpu"
    )
    attack = attacks.ProjectedGradientDescentPyTorch(
        network, norm={"linf": np.inf, "l2": 2}[norm], eps=eps, eps_step=size, max_iter=STEPS, num_random_init=0, batch_size=300, verbose=False
    )
    wanted = torch.tensor(attack.generate(unseen[0].numpy(), unseen[1].numpy()))
    # It adds 1e-7 to the length of the gradient of the mean loss over the batch, which shortens L2 steps where the network is certain.
    assert_the_same(trained, *unseen, wanted, norm, apart=1e-5 if norm == "linf" else 0.02)


@pytest.mark.slow
@pytest.mark.parametrize("norm", SETTINGS)
def test_no_weaker_than_the_published_suite(norm, trained, unseen, generator):
    pyautoattack = pytest.importorskip("pyautoattack")
    images, labels = unseen[0][:100], unseen[1][:100]
    eps = SETTINGS[norm][0]
    found = Suite(norm=norm, eps=eps, queries=500)(trained, images, labels, generator)
    with torch.random.fork_rng(), contextlib.redirect_stdout(io.StringIO()):
        published = pyautoattack.AutoAttack(copy.deepcopy(trained), norm={"linf": "Linf", "l2": "L2"}[norm], eps=eps, version="standard", seed=0)
        published.square.n_queries = 500
        wanted, _ = published.run_standard_evaluation(images, labels)
    assert 0.05 < accuracy(trained, wanted, labels) < 0.8
    assert accuracy(trained, found, labels) <= accuracy(trained, wanted, labels) + 0.005 + 1e-6
