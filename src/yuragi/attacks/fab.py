"""FAB: the smallest change that crosses a boundary between classes, by projections on linearised boundaries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.attacks._closest import Closest, ClosestAttack
from yuragi.attacks.balls import ball, per_image
from yuragi.attacks.base import Knowledge
from yuragi.attacks.classes import likeliest_others
from yuragi.attacks.losses import check_classes

if TYPE_CHECKING:
    from yuragi.attacks._hyperplanes import Boundary

torch = lazy.load("torch")


class FAB(ClosestAttack):
    """The fast adaptive boundary attack: the smallest change that the network gets wrong, however large the change is.

        x_{t+1} = clip((1 - α)(x_t + η d_t) + α (x + η d)),    α = min(‖d_t‖ / (‖d_t‖ + ‖d‖), 0.1),    η = 1.05

    where d_t and d are the smallest changes that bring x_t, and the image x itself, onto the boundary between the label y and a rival class
    r, linearised at x_t, within the pixel range: ⟨w, ·⟩ + b with w = ∇ (1/K) Σ_k (z_r - z_y)(x_t, ξ_k). Where x_{t+1} is misclassified it is kept if
    none before was nearer, and the run goes on from x + 0.9 (x_{t+1} - x). The nearest that was found is last drawn towards x by halving.
    Each run has its own r, or takes the nearest of all linearised boundaries in every step.

    What comes back: a misclassified image, moved on along its change to the size ε where the network makes more of that; where the nearest
    that was found is further than ε, the point of the ball next to it; and the image itself where none was found, or where it is misclassified as
    it is: under noise other attacks go on there.

    eps, norm
        ε, the size of the change, in units of the pixel range [0, 1], and how it is measured
    draws
        K, draws ξ_k of the network's noise that are averaged per gradient and per decision; a deterministic network takes one
    targets
        0: the nearest boundary of all classes, which costs a gradient per class; n: the n most likely wrong classes, one run each
    steps
        number of projections per run, at least 1
    restarts
        runs per target, the first from the image, the others from points around it, as far off as half of ε or of what was found
    drop_fooled
        whether an image leaves as soon as a change within ε fools a deterministic network: much faster, and as strong. Without it every change
        becomes as small as it can

    An attack is called with a network that returns logits, images x (image, channel, height, width) in [0, 1], labels y (image), int64, and a
    `torch.Generator`; it returns attacked images of the same shape: see `yuragi.attacks.base.Attack`.

    Hyper-parameters out of range are refused when the attack is made, by a `ValueError`; calling it raises `InputError` for more targets than the
    network has wrong classes, pixels outside [0, 1] and labels that do not fit the images or the classes.

    Source: Croce and Hein 2020, arXiv 1907.02044; one run per target: Croce and Hein 2020, arXiv 2003.01690.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> _ = model[1].load_state_dict({"weight": torch.tensor([[1.0, 1, 1, 1], [-1, -1, -1, -1]]), "bias": torch.tensor([-1.6, 1.6])})
    >>> images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    >>> attack = FAB(eps=0.25, steps=20, drop_fooled=False)
    >>> attacked, distance = attack.closest(model, images, labels, torch.Generator())
    >>> round(float(distance), 2), int(model(attack(model, images, labels, torch.Generator())).argmax())
    (0.1, 1)
    """

    knowledge: ClassVar[Knowledge] = "gradients"
    kind: Literal["fab"] = "fab"
    targets: int = Field(0, ge=0, description="0: the nearest boundary of all. n: the boundaries to the n most likely wrong classes, one run each.")
    steps: int = Field(100, ge=1, description="Number of projections per run.")
    restarts: int = Field(1, ge=1, description="Runs per target, the first from the image, the others from random points around it.")

    def _closest(self, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, chunk: int) -> Closest:
        from yuragi.attacks._hyperplanes import mean_logits

        logits = mean_logits(model, images, generator, self.draws, chunk)
        check_classes(logits[None], labels)
        likely = likeliest_others(logits, labels, self.targets)
        wrong = logits.argmax(1) != labels
        best = Closest(images.clone(), torch.where(wrong, 0, torch.inf).to(images.dtype))
        enough = self._enough(model)
        for target, first in self._runs():
            left = (best.distance > enough).nonzero()[:, 0]
            if not len(left):
                break
            rivals = None if target is None else likely[left, target]
            found = self._run(model, images[left], labels[left], rivals, best.part(left), generator, chunk, from_image=first, enough=enough)
            best.keep(left, found)
        return best

    def _runs(self) -> Iterator[tuple[int | None, bool]]:
        """The place of the target among the likely wrong classes, and whether the run starts at the image."""
        for target in range(self.targets) or [None]:
            for restart in range(self.restarts):
                yield target, restart == 0

    def _run(
        self,
        model: torch.nn.Module,
        images: torch.Tensor,
        labels: torch.Tensor,
        rivals: torch.Tensor | None,
        best: Closest,
        generator: torch.Generator,
        chunk: int,
        *,
        from_image: bool,
        enough: float,
    ) -> Closest:
        from yuragi.attacks._hyperplanes import boundary, projection

        current, around = images, ball(self.norm, images, self.eps)
        if not from_image:
            current = ball(self.norm, images, best.distance.clamp(max=self.eps) / 2).inside(generator)
        found = Closest(images.clone(), torch.full_like(best.distance, torch.inf))
        left = torch.arange(len(labels), device=labels.device)

        def linearised(at: torch.Tensor, of: torch.Tensor) -> Boundary:
            return boundary(model, at, labels[of], None if rivals is None else rivals[of], self.norm, generator, self.draws, chunk)

        for step in range(self.steps + 1):
            plane = linearised(current, left)
            if bool(plane.wrong.any()):
                over = left[plane.wrong]
                found.keep(over, Closest(current[plane.wrong], around.part(over).distance(current[plane.wrong])))
                stays = found.distance[left] > enough
                left, current, plane = left[stays], current[stays], plane.part(stays)
                if not len(left):
                    break
            if step == self.steps:
                break
            if bool(plane.wrong.any()):
                back = plane.wrong
                current = current.clone()
                current[back] = images[left[back]] + BACKWARD * (current[back] - images[left[back]])
                nearer = linearised(current[back], left[back])
                plane = plane.replaced(back, nearer)
            original = images[left]
            here = projection(current, plane.gap, plane.gradient, self.norm)
            # The same plane, seen from the image.
            from_original = plane.gap + (plane.gradient * (original - current)).flatten(1).sum(1)
            there = projection(original, from_original, plane.gradient, self.norm)
            sizes = [around.part(left).distance(original + change) for change in (here, there)]
            total = sizes[0] + sizes[1]
            share = torch.where(total > 0, sizes[0] / torch.where(total > 0, total, 1), 0).clamp(max=LARGEST_SHARE)
            share = per_image(share, current)
            current = ((1 - share) * (current + OVERSHOOT * here) + share * (original + OVERSHOOT * there)).clamp(0, 1)
        return found.drawn_in(model, images, labels, generator, self.draws, chunk, norm=self.norm, enough=enough)


LARGEST_SHARE, OVERSHOOT, BACKWARD = 0.1, 1.05, 0.9
"""α_max, η and β of the paper."""
