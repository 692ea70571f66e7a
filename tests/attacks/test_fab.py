"""FAB: the smallest change that a network gets wrong, against networks whose boundaries are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.optimize import linprog, minimize

from yuragi.attacks._hyperplanes import projection
from yuragi.attacks.fab import FAB
from yuragi.attacks.pgd import PGD
from yuragi.attacks.scores import score
from yuragi.errors import InputError


def linear(generator: torch.Generator, classes: int, pixels: int) -> torch.nn.Sequential:
    layer = torch.nn.Linear(pixels, classes, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(classes, pixels, generator=generator, dtype=torch.float64))
        layer.bias.copy_(torch.randn(classes, generator=generator, dtype=torch.float64))
    return torch.nn.Sequential(torch.nn.Flatten(), layer)


def cornered(generator: torch.Generator, count: int, shape: tuple[int, int, int]) -> torch.Tensor:
    images = torch.rand(count, *shape, generator=generator, dtype=torch.float64)
    return torch.where(images < 0.2, 0.0, torch.where(images > 0.8, 1.0, images))  # many pixels at the border, where the box bites


def smallest_change(norm: str, image: np.ndarray, weight: np.ndarray, gap: float) -> float:
    """The distance from an image to the half space gap + ⟨weight, change⟩ ≥ 0 in the pixel range, by solvers of scipy; infinite if there is none."""
    pixels = len(image)
    furthest = gap + np.where(weight > 0, weight * (1 - image), -weight * image).sum()
    if furthest < 0:
        return np.inf
    if norm == "linf":
        eye = np.eye(pixels)
        rows = np.vstack([np.r_[-weight, 0], np.c_[eye, -np.ones(pixels)], np.c_[-eye, -np.ones(pixels)]])
        limits = [*zip(-image, 1 - image, strict=True), (0, None)]
        return linprog(np.r_[np.zeros(pixels), 1], A_ub=rows, b_ub=np.r_[gap, np.zeros(2 * pixels)], bounds=limits).fun
    found = minimize(
        lambda change: change @ change,
        np.where(weight > 0, 1 - image, -image),
        jac=lambda change: 2 * change,
        bounds=list(zip(-image, 1 - image, strict=True)),
        constraints={"type": "ineq", "fun": lambda change: gap + weight @ change, "jac": lambda change: weight},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    return float(np.sqrt(found.fun))


def distances(norm: str, model: torch.nn.Sequential, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    weights, logits = model[1].weight.detach().numpy(), model(images).detach().numpy()
    nearest = [
        min(
            smallest_change(norm, image.flatten().numpy(), weights[rival] - weights[label], scores[rival] - scores[label])
            for rival in range(len(weights))
            if rival != label
        )
        for image, label, scores in zip(images, labels.tolist(), logits, strict=True)
    ]
    return torch.tensor(nearest, dtype=torch.float64)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_projection_is_the_nearest_point_of_the_plane_in_the_box(norm, generator):
    images, weights = cornered(generator, 30, (1, 3, 3)), torch.randn(30, 1, 3, 3, generator=generator, dtype=torch.float64)
    gaps = -torch.rand(30, generator=generator, dtype=torch.float64) * 2
    change = projection(images, gaps, weights, norm)
    found = change.abs().flatten(1).amax(1) if norm == "linf" else change.flatten(1).norm(dim=1)
    planes = zip(images.flatten(1).numpy(), weights.flatten(1).numpy(), gaps.tolist(), strict=True)
    truth = torch.tensor([smallest_change(norm, *plane) for plane in planes], dtype=torch.float64)
    exists = torch.isfinite(truth)
    assert exists.any()
    assert torch.allclose(found[exists], truth[exists], atol=1e-6)
    assert float((images + change).min()) >= 0
    assert float((images + change).max()) <= 1
    on_plane = gaps + (weights * change).flatten(1).sum(1)
    assert torch.allclose(on_plane[exists], torch.zeros_like(on_plane[exists]), atol=1e-9)
    assert (on_plane[~exists] < 0).all()  # as far as the pixel range goes


def test_projection_without_a_gradient_changes_nothing():
    images = torch.rand(2, 1, 2, 2)
    for norm in ("linf", "l2"):
        assert not projection(images, torch.tensor([-1.0, 1.0]), torch.zeros_like(images), norm).any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("classes", "targets"), [(2, 0), (4, 3)])
def test_distance_of_a_linear_network(norm, classes, targets, generator):
    model = linear(generator, classes, 9)
    images = cornered(generator, 25, (1, 3, 3))
    labels = model(images).argmax(1)
    truth = distances(norm, model, images, labels)
    found, distance = FAB(norm=norm, eps=1.0, steps=20, targets=targets, drop_fooled=False).closest(model, images, labels, generator)
    exists = torch.isfinite(truth)
    assert exists.sum() > 10
    assert torch.equal(torch.isfinite(distance), exists)
    assert (distance[exists] >= truth[exists] * (1 - 1e-6)).all()
    assert (distance[exists] <= truth[exists] * 1.01).all()
    assert (model(found).argmax(1) != labels)[exists].all()
    assert torch.equal(found[~exists], images[~exists])


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("drop_fooled", [True, False])
def test_fooled_exactly_where_the_boundary_is_within_reach(norm, drop_fooled, generator):
    model = linear(generator, 4, 9)
    images = cornered(generator, 40, (1, 3, 3))
    labels = model(images).argmax(1)
    truth = distances(norm, model, images, labels)
    eps = float(truth.median())
    attacked = FAB(norm=norm, eps=eps, steps=20, targets=3, drop_fooled=drop_fooled)(model, images, labels, generator)
    clear = (truth / eps - 1).abs() > 0.01
    assert torch.equal((model(attacked).argmax(1) != labels)[clear], (truth < eps)[clear])
    size = (attacked - images).abs().flatten(1).amax(1) if norm == "linf" else (attacked - images).flatten(1).norm(dim=1)
    assert float(size.max()) <= eps * (1 + 1e-9)


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.1), ("l2", 0.6)])
def test_as_strong_as_many_steps_of_pgd(norm, eps, trained, unseen, generator):
    def accuracy(attack) -> float:
        return float(score(trained, attack(trained, *unseen, generator), unseen[1], generator, 1).fraction_correct.mean())

    pgd = accuracy(PGD(norm=norm, eps=eps, steps=40))
    assert 0.02 < pgd < 0.9
    found = {targets: accuracy(FAB(norm=norm, eps=eps, steps=15, targets=targets)) for targets in (0, 4)}
    assert all(pgd - 0.1 < value < pgd + 0.01 for value in found.values())
    assert accuracy(FAB(norm=norm, eps=eps, steps=2, targets=4, restarts=3)) <= accuracy(FAB(norm=norm, eps=eps, steps=2, targets=4))


def test_distances_shrink_with_steps_and_stop_at_eps_when_fooled_ones_leave(trained, unseen, generator):
    images, labels = unseen[0][:100], unseen[1][:100]
    few, many = (FAB(steps=steps, eps=0.1, drop_fooled=False).closest(trained, images, labels, generator).distance for steps in (2, 15))
    assert float(many.mean()) < float(few.mean())
    early = FAB(steps=15, eps=0.1).closest(trained, images, labels, generator).distance
    assert torch.equal(early <= 0.1, many <= 0.1)
    assert (early >= many - 1e-6).float().mean() > 0.95
    assert early.mean() > many.mean()


def test_saturated_logits_hide_no_boundary(trained, unseen, generator):
    # The softmax of such logits is exactly 0 or 1 in single precision; differences of logits do not care.
    class Saturated(torch.nn.Module):
        def forward(self, images):
            return 1e4 * trained(images)

    plain, scaled = (
        FAB(steps=10, drop_fooled=False, eps=0.1).closest(model, *unseen, torch.Generator().manual_seed(0)).distance
        for model in (trained, Saturated())
    )
    assert torch.allclose(plain, scaled, rtol=0.05, atol=1e-4)


def test_draws_are_averaged(noisy, unseen, generator):
    def accuracy(draws: int) -> float:
        attacked = FAB(eps=0.15, steps=5, targets=2, draws=draws)(noisy, *unseen, generator)
        return float(score(noisy, attacked, unseen[1], torch.Generator().manual_seed(9), 50).fraction_correct.mean())

    assert accuracy(32) < accuracy(1) - 0.015


def test_what_is_refused_before_any_step(trained, unseen, generator):
    class Counting(torch.nn.Module):
        passes = 0

        def forward(self, images):
            self.passes += 1
            return trained(images)

    model = Counting()
    with pytest.raises(InputError, match="targets = 10: the network has 10 classes, so give at most 9"):
        FAB(targets=10)(model, *unseen, generator)
    with pytest.raises(InputError, match="labels: 12 occurs but the network has classes 0 to 9"):
        FAB()(model, unseen[0][:2], torch.tensor([1, 12]), generator)
    assert model.passes == 3
    for field, value in itertools.product(["steps", "restarts"], [0, -1]):
        with pytest.raises(ValidationError):
            FAB(**{field: value})


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.1), ("l2", 0.6)])
def test_the_published_program_finds_as_much(norm, eps, trained, unseen, generator):
    program = pytest.importorskip("pyautoattack.fab_pt").FABAttack_PT
    images, labels = unseen[0][:100], unseen[1][:100]
    with torch.random.fork_rng():
        theirs = program(
            lambda pixels: trained(pixels),
            norm={"linf": "Linf", "l2": "L2"}[norm],
            eps=eps,
            n_restarts=1,
            n_iter=10,
            targeted=True,
            seed=1,
            device="cpu",
        )
        theirs.n_target_classes = 4
        attacked = theirs.perturb(images, labels)
    ours = FAB(norm=norm, eps=eps, targets=4, steps=10)(trained, images, labels, generator)
    found = [float((trained(candidates).argmax(1) == labels).float().mean()) for candidates in (ours, attacked)]
    assert found[0] <= found[1] + 0.01
    assert found[0] > found[1] - 0.1
