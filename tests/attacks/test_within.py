"""Attacks within a ball of each image's own size: every attack that says it needs nothing else."""

from __future__ import annotations

import pytest
import torch

from yuragi.attacks.balls import ball
from yuragi.attacks.base import BallAttack, BoundedAttack
from yuragi.plugins import discover

KINDS = sorted(discover("yuragi.attacks", BallAttack))
SIZES = torch.tensor([0.02, 0.3, 0.1, 0.0, 0.25, 0.15])


def made(kind: str, norm: str) -> BallAttack:
    options = {"steps": 4} if kind in ("pgd", "basic_iterative", "iterative_ll") else {}
    options |= {"random_start": False} if kind == "pgd" else {"step_size": 0.1} if options else {}
    return discover("yuragi.attacks", BallAttack)[kind](norm=norm, **options).to_the_end()


def test_the_trainings_attacks_are_among_them_and_others_are_not() -> None:
    assert {"fgsm", "step_ll", "step_rnd", "basic_iterative", "iterative_ll", "pgd"} <= set(KINDS)
    assert {"square", "fab", "suite"} <= set(discover("yuragi.attacks", BoundedAttack)) - set(KINDS)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_image_leaves_its_own_ball_or_the_pixel_range(trained, unseen, generator, kind, norm) -> None:
    images, labels = unseen[0][:6], unseen[1][:6]
    around = ball(norm, images, SIZES * (1 if norm == "linf" else 5))
    attacked = made(kind, norm).within(trained, around, labels, generator)
    distance = around.distance(attacked)
    assert (distance <= around.eps.flatten() + 1e-5).all()
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    torch.testing.assert_close(attacked[3], images[3])
    assert distance[1] > 2 * distance[0]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("step_rnd", "random_noise")])
def test_it_is_what_the_attack_does_to_each_image_by_itself(trained, unseen, generator, kind) -> None:
    images, labels = unseen[0][:6], unseen[1][:6]
    attack = made(kind, "linf")
    together = attack.within(trained, ball("linf", images, SIZES), labels, generator)
    for place, size in enumerate(SIZES.tolist()):
        alone = attack.at(round(size, 6))(trained, images[place : place + 1], labels[place : place + 1], generator)
        torch.testing.assert_close(together[place : place + 1], alone, atol=1e-6, rtol=0)


def test_images_that_leave_early_take_their_own_step_size_with_them(trained, unseen, generator) -> None:
    attack = discover("yuragi.attacks", BallAttack)["pgd"](steps=6, random_start=False)
    images, labels, sizes = unseen[0][:40], unseen[1][:40], torch.linspace(0.01, 0.3, 40)
    together = attack.within(trained, ball("linf", images, sizes), labels, generator)
    stayed = 0
    for place, size in enumerate(sizes.double().tolist()):
        alone = attack.at(size)(trained, images[place : place + 1], labels[place : place + 1], generator)
        torch.testing.assert_close(together[place : place + 1], alone, atol=1e-5, rtol=0)
        stayed += float((alone - images[place]).abs().max()) < size - 1e-3
    assert 0 < stayed < 40
