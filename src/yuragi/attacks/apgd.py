"""Projected gradient descent that chooses the size of its steps itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks.balls import Ball
from yuragi.attacks.base import BoundedAttack, Knowledge
from yuragi.attacks.classes import check_targets, class_count, likeliest_others, mean_probabilities
from yuragi.attacks.gradients import GradientPass, gradient_pass
from yuragi.attacks.losses import Loss, check_loss
from yuragi.attacks.passes import is_stochastic
from yuragi.attacks.turns import Turn, in_turn

torch = lazy.load("torch")

MOMENTUM = 0.75
"""α, the share of a new step beside the one before."""

ASCENTS = 0.75
"""ρ, the fraction of steps that must raise the loss for the step size to stay."""

FIRST, SHORTER, SHORTEST = 22, 3, 6
"""Percent of all steps until the first check, by how much each stretch between checks is shorter than the one before, and the shortest."""


class APGD(BoundedAttack):
    """Steps with momentum that halve where the loss stops rising and go on from the best point: the workhorse of AutoAttack.

        z_{t+1} = project(x_t + η_t d(g(x_t))),    x_{t+1} = project(x_t + α (z_{t+1} - x_t) + (1 - α)(x_t - x_{t-1}))

    with g(x) = (1/K) Σ_k ∇_x L(z(x, ξ_k), y), d(g) = sign g (L∞) or g / ‖g‖ (L2), α = 0.75 and η_0 = 2 ε, from a random point of the ball. At
    checks after 22, 41, 57, 70, 80, 87, 93 and 99 % of the steps the size η of an image's steps is halved, and the image goes back to its best
    point, where either fewer than 75 % of the steps since the last check raised the loss, or its size was not halved at the last check and its
    best loss has not risen since. Each image has its own size. No size needs to be chosen: twice the steps should change next to nothing.

    The image that is kept is the best point: the one of the largest mean loss. A deterministic network's image is kept where it is wrong, of
    several such points the one with the largest loss. Of several restarts and targets the strongest image is kept, as in `pgd`.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws ξ_k of the network's noise that are averaged per gradient; a deterministic network takes one. The loss of a noisy network is a
        mean over them too, so that too few draws let the best point be the luckiest
    steps
        number of steps, at least 1; 100 as published
    loss
        L: see `yuragi.attacks.losses`. Published are the cross-entropy, and the difference of logits with and without targets
    targets
        0: any wrong class. n: one run for each of the n wrong classes that the network finds likeliest at the image, the likeliest first
    restarts
        independent runs, per target
    drop_fooled
        whether an image leaves as soon as a deterministic network gets it wrong: much faster on a network that is not robust, and never weaker

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` before any step for
    pixels outside [0, 1], labels that do not fit the images or the classes, more targets than wrong classes, and too few classes for the loss.

    Source: Croce and Hein 2020, arXiv 2003.01690; the average over draws: Athalye et al. 2018, arXiv 1707.07397.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attacked = APGD(eps=0.25, steps=10, drop_fooled=False)(model, images, labels, torch.Generator())
    >>> (attacked - images).abs().flatten().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    knowledge: ClassVar[Knowledge] = "gradients"
    kind: Literal["apgd"] = "apgd"
    steps: int = Field(100, ge=1, description="Number of steps.")
    loss: Loss = Field("cross_entropy", description="What the attack raises.")
    targets: int = Field(0, ge=0, description="Wrong classes that are aimed at, one after the other, the likeliest first; 0: at none in particular.")
    restarts: int = Field(1, ge=1, description="Independent runs, per target, of which the strongest is kept per image.")
    drop_fooled: bool = Field(
        True, description="Leave an image alone as soon as a deterministic network gets it wrong: faster, and never weaker. false: all steps."
    )

    def _attacked(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> torch.Tensor:
        classes = class_count(model, images)
        check_targets(self.targets, classes)
        check_loss(self.loss, classes, targeted=self.targets > 0)
        aims: list[torch.Tensor | None] = [None]
        if self.targets:
            likely = likeliest_others(mean_probabilities(model, images, labels, generator, self.draws, chunk), labels, self.targets)
            aims = list(likely.unbind(1))
        around = self._ball(images)

        def turns() -> Iterator[Turn]:
            for aim in aims * self.restarts:
                yield lambda left, aim=aim: self._run(model, around.part(left), labels[left], None if aim is None else aim[left], generator, chunk)

        runs = turns()
        first = next(runs)(torch.arange(len(labels), device=labels.device))
        if len(aims) * self.restarts == 1:
            return first
        return in_turn(runs, first, model, labels, generator, self.draws, chunk, drop_fooled=self.drop_fooled)

    def _run(
        self, model: torch.nn.Module, around: Ball, labels: torch.Tensor, targets: torch.Tensor | None, generator: torch.Generator, chunk: int
    ) -> torch.Tensor:
        drops = self.drop_fooled and not is_stochastic(model)
        stretches = checks(self.steps)
        start = around.inside(generator)
        found = start.clone()
        left = torch.arange(len(labels), device=labels.device)
        climb: _Climb | None = None
        for step in range(self.steps + 1):
            images = start if climb is None else climb.move(around, MOMENTUM if step > 1 else 1.0)
            passed = gradient_pass(model, images, labels, generator, self.draws, chunk, loss=self.loss, targets=targets)
            right = passed.fraction_correct > 0
            if climb is None:
                # Where a point that is wrong does not end the run, and is wrong for good, it is kept before points of a larger loss.
                climb = _Climb(images, passed, 2 * self.eps, None if drops or is_stochastic(model) else ~right)
            else:
                climb.note(passed, ~right)
            if step in stretches:
                climb.check(stretches[step])
            if drops and not right.all():
                found[left] = images
                left, labels, around = left[right], labels[right], around.part(right)
                if not len(left):
                    return found
                targets = None if targets is None else targets[right]
                climb.keep(right)
        found[left] = climb.kept
        return found


def checks(steps: int) -> dict[int, int]:
    """After which steps the size of the steps is reconsidered, each with the number of steps since the check before.

    >>> checks(100)
    {22: 22, 41: 19, 57: 16, 70: 13, 80: 10, 87: 7, 93: 6, 99: 6}
    """
    found: dict[int, int] = {}
    percent, stretch, before = FIRST, FIRST, 0
    while percent <= 100:
        at = -(-percent * steps // 100)
        if at > before:
            found[at], before = at - before, at
        stretch = max(stretch - SHORTER, SHORTEST)
        percent += stretch
    return found


class _Climb:
    """One run: where every image is, the size of its steps, and its best point so far.

    start, passed
        the first points, (image, channel, height, width), and what the pass there said
    size
        of the first steps
    wrong
        whether the network gets the first points wrong, (image); points that it gets wrong are then kept before those of a larger loss. None: the
        loss alone decides
    """

    def __init__(self, start: torch.Tensor, passed: GradientPass, size: float, wrong: torch.Tensor | None) -> None:
        self.images = self.before = start
        self.gradient, self.loss = passed.gradient, passed.loss
        self.best, self.best_gradient, self.best_loss = start.clone(), passed.gradient.clone(), passed.loss
        self.size = torch.full_like(passed.loss, size)
        self.ascents = torch.zeros_like(passed.loss)
        self.halved, self.checked_loss = torch.zeros_like(passed.loss, dtype=torch.bool), passed.loss
        self.kept, self.kept_loss, self.kept_wrong = (self.best, self.best_loss, None) if wrong is None else (start.clone(), passed.loss, wrong)

    def move(self, around: Ball, momentum: float) -> torch.Tensor:
        """The points after a step along the gradient, and a part of the step before."""
        moved = around.step(self.images, self.gradient, self.size)
        if momentum < 1:
            moved = around.project(self.images + momentum * (moved - self.images) + (1 - momentum) * (self.images - self.before))
        self.before, self.images = self.images, moved
        return moved

    def note(self, passed: GradientPass, wrong: torch.Tensor) -> None:
        """What a pass at the present points says."""
        self.ascents = self.ascents + (passed.loss > self.loss)
        self.gradient, self.loss = passed.gradient, passed.loss
        better = passed.loss > self.best_loss
        self.best[better], self.best_gradient[better] = self.images[better], passed.gradient[better]
        self.best_loss = torch.where(better, passed.loss, self.best_loss)
        if self.kept_wrong is None:
            self.kept = self.best
            return
        better = (wrong & ~self.kept_wrong) | ((wrong == self.kept_wrong) & (passed.loss > self.kept_loss))
        self.kept[better] = self.images[better]
        self.kept_loss, self.kept_wrong = torch.where(better, passed.loss, self.kept_loss), self.kept_wrong | wrong

    def check(self, since: int) -> None:
        """Halve the steps of images that do not get on, and put these back to their best points; ``since``: steps since the last check."""
        stuck = (self.ascents < ASCENTS * since) | (~self.halved & (self.best_loss <= self.checked_loss))
        self.size = torch.where(stuck, self.size / 2, self.size)
        back = stuck.reshape(-1, *(1,) * (self.images.ndim - 1))
        self.images, self.gradient = torch.where(back, self.best, self.images), torch.where(back, self.best_gradient, self.gradient)
        self.loss = torch.where(stuck, self.best_loss, self.loss)
        self.halved, self.checked_loss = stuck, self.best_loss
        self.ascents = torch.zeros_like(self.ascents)

    def keep(self, index: torch.Tensor) -> None:
        """Go on with some of the images."""
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                setattr(self, name, value[index])
