"""Several runs of one attack, of which each image keeps its strongest."""

from __future__ import annotations

from collections.abc import Callable

import lazy_loader as lazy

from yuragi.attacks.balls import Ball
from yuragi.attacks.passes import fresh_seed, is_stochastic
from yuragi.attacks.scores import Score, score, selected, stronger

torch = lazy.load("torch")

Run = Callable[[Ball, "torch.Tensor"], "torch.Tensor"]
"""From the balls of some images and their labels to attacked images."""


def restarted(
    run: Run,
    restarts: int,
    model: torch.nn.Module,
    around: Ball,
    labels: torch.Tensor,
    generator: torch.Generator,
    draws: int,
    chunk: int,
    *,
    drop_fooled: bool = True,
) -> torch.Tensor:
    """The strongest image of ``restarts`` runs, compared over ``draws`` draws of the noise that all runs meet.

    run
        one run, on all images or on some
    drop_fooled
        whether images that a deterministic network gets wrong are left out of the runs that follow
    """
    attacked = run(around, labels)
    if restarts == 1:
        return attacked
    seed = fresh_seed(generator)

    def judged(candidates: torch.Tensor, of: torch.Tensor) -> Score:
        return score(model, candidates, of, torch.Generator(generator.device).manual_seed(seed), draws, chunk)

    attacked, best = attacked.clone(), judged(attacked, labels)
    left = torch.arange(len(labels), device=labels.device)
    for _ in range(restarts - 1):
        if drop_fooled and not is_stochastic(model):
            left = (best.fraction_correct > 0).nonzero()[:, 0]
            if not len(left):
                break
        candidates = run(around.part(left), labels[left])
        found = judged(candidates, labels[left])
        before = Score(*(values[left] for values in best))
        better = stronger(found, before)
        attacked[left[better]] = candidates[better]
        for values, kept in zip(best, selected(better, found, before), strict=True):
            values[left] = kept
    return attacked
