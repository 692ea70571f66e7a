"""Attacks beside the passes that nobody can avoid, and beside the libraries that run them."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import warnings
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits

from benchmarks.peers import Comparison, Sides
from yuragi.attacks.pgd import PGD
from yuragi.attacks.suite import Suite

BATCH, STEPS = 256, 40
FEWER = 128
"""Images for the suite, which takes minutes."""
EPS, STEP = 0.15, 0.015
"""At this ε the network below keeps a little more than a third of the images."""
QUERIES = 1000


class Target(NamedTuple):
    """What is attacked: a network, images that it has not seen, and their labels."""

    model: torch.nn.Module
    images: torch.Tensor
    labels: torch.Tensor

    def accuracy(self, images: torch.Tensor) -> float:
        with torch.no_grad():
            return float((self.model(images).argmax(1) == self.labels).double().mean())


@functools.cache
def target(count: int = BATCH) -> Target:
    """Two convolutions of 16 and 32 maps and a layer of 100 units, trained on digits of 28 x 28 pixels under a short attack."""
    bunch = load_digits()
    small = torch.tensor(bunch.images / 16, dtype=torch.float32)[:, None]
    images = torch.nn.functional.interpolate(small, size=(28, 28), mode="bilinear").clamp(0, 1)
    labels = torch.tensor(bunch.target, dtype=torch.int64)
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 16, 4, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(16, 32, 4, 2, 1), torch.nn.ReLU()),
        *(torch.nn.Flatten(), torch.nn.Linear(32 * 7 * 7, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10)),
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(1)
    attack = PGD(eps=0.12, steps=3, drop_fooled=False)
    for epoch in range(12):
        for part in torch.randperm(1400, generator=generator).split(64):
            shown = images[part] if epoch < 3 else attack(model, images[part], labels[part], generator)
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(shown), labels[part]).backward()
            optimiser.step()
    optimiser.zero_grad()
    return Target(model.eval(), images[1400 : 1400 + count], labels[1400 : 1400 + count])


def pgd(drop_fooled: bool) -> torch.Tensor:
    attacked = target()
    attack = PGD(eps=EPS, steps=STEPS, relative_step=STEP * STEPS / EPS, random_start=False, drop_fooled=drop_fooled)
    return attack(*attacked, torch.Generator().manual_seed(0))


def beside_the_floor() -> Sides:
    attacked = target()
    frozen = copy.deepcopy(attacked.model).requires_grad_(False)

    def floor() -> None:
        for _ in range(STEPS):
            pixels = attacked.images.detach().requires_grad_()
            torch.autograd.grad(torch.nn.functional.cross_entropy(frozen(pixels), attacked.labels, reduction="sum"), pixels)

    return Sides(lambda: pgd(drop_fooled=False), floor)


def beside_foolbox() -> Sides:
    import foolbox

    attacked = target()
    network = foolbox.PyTorchModel(copy.deepcopy(attacked.model), bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.LinfProjectedGradientDescentAttack(abs_stepsize=STEP, steps=STEPS, random_start=False)
    wrong = foolbox.criteria.Misclassification(attacked.labels)
    return Sides(lambda: pgd(drop_fooled=True), lambda: attack.run(network, attacked.images, wrong, epsilon=EPS))


def beside_art() -> Sides:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other frameworks that it looks for
        from art.attacks.evasion import ProjectedGradientDescentPyTorch
        from art.estimators.classification import PyTorchClassifier
    attacked = target()
    network = PyTorchClassifier(copy.deepcopy(attacked.model), torch.nn.CrossEntropyLoss(), (1, 28, 28), 10, clip_values=(0, 1), device_type="cpu")
    attack = ProjectedGradientDescentPyTorch(network, eps=EPS, eps_step=STEP, max_iter=STEPS, num_random_init=0, batch_size=BATCH, verbose=False)
    return Sides(lambda: pgd(drop_fooled=True), lambda: torch.tensor(attack.generate(attacked.images.numpy(), attacked.labels.numpy())))


def suites() -> Sides:
    import pyautoattack

    attacked = target(FEWER)

    def published() -> torch.Tensor:
        attack = pyautoattack.AutoAttack(copy.deepcopy(attacked.model), norm="Linf", eps=EPS, version="standard", seed=0)
        attack.square.n_queries = QUERIES
        with contextlib.redirect_stdout(io.StringIO()):
            return attack.run_standard_evaluation(attacked.images, attacked.labels)[0]

    return Sides(lambda: Suite(eps=EPS, queries=QUERIES)(*attacked, torch.Generator().manual_seed(0)), published)


def accuracy_above(ours: torch.Tensor, peer: torch.Tensor) -> float:
    """By how much the accuracy that ours leaves exceeds the one that the peer leaves; 0 where ours leaves no more."""
    attacked = target(len(ours))
    return max(0.0, attacked.accuracy(ours) - attacked.accuracy(peer))


NAME = f"PGD, {STEPS} steps, batch {BATCH}, conv16-conv32-fc100, 28 x 28"

COMPARISONS = (
    Comparison(
        name=f"{NAME}, all steps on all images",
        peer="the same passes to the logits and back to the pixels, weights frozen",
        prepare=beside_the_floor,
        faster=1 / 1.05,
        rounds=9,
        warm_up=beside_the_floor,
    ),
    Comparison(
        name=f"{NAME}, images dropped once they are fooled (two fifths are kept)",
        peer="foolbox, which drops none",
        prepare=beside_foolbox,
        difference=accuracy_above,
        faster=2.2,
        rounds=5,
        warm_up=beside_foolbox,
    ),
    Comparison(
        name=f"{NAME}, images dropped once they are fooled (two fifths are kept)",
        peer="ART, which drops none",
        prepare=beside_art,
        difference=accuracy_above,
        faster=2.4,
        rounds=5,
        warm_up=beside_art,
    ),
    Comparison(
        name=f"the suite with 100 steps and {QUERIES:,} queries, {FEWER} images, conv16-conv32-fc100, 28 x 28",
        peer="AutoAttack 'standard' (pyautoattack), as many steps and queries",
        prepare=suites,
        difference=accuracy_above,
        tolerance=1 / FEWER,
        faster=1.5,
        rounds=1,
    ),
)
