"""Several attacks on the same images, of which each image keeps its strongest."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import lazy_loader as lazy

from yuragi.attacks.passes import fresh_seed, is_stochastic
from yuragi.attacks.scores import Score, score, selected, stronger

torch = lazy.load("torch")

Turn = Callable[["torch.Tensor"], "torch.Tensor"]
"""From the places of some of the images, int64, to attacked versions of these images."""


def in_turn(
    turns: Iterable[Turn],
    start: torch.Tensor,
    model: torch.nn.Module,
    labels: torch.Tensor,
    generator: torch.Generator,
    draws: int,
    chunk: int,
    *,
    drop_fooled: bool = True,
) -> torch.Tensor:
    """The strongest version of every image, compared as by `yuragi.attacks.scores.strongest` over draws of the noise that all versions meet.

    turns
        attacks, each called with the places of the images that are still of interest
    start
        the first version of every image, (image, channel, height, width)
    drop_fooled
        whether images that a deterministic network gets wrong are left out of the turns that follow. A stochastic network gets images wrong by
        chance, so that all of its images take every turn
    """
    seed = fresh_seed(generator)

    def judged(candidates: torch.Tensor, of: torch.Tensor) -> Score:
        return score(model, candidates, of, torch.Generator(generator.device).manual_seed(seed), draws, chunk)

    attacked, best = start.clone(), judged(start, labels)
    left = torch.arange(len(labels), device=labels.device)
    drops = drop_fooled and not is_stochastic(model)
    for turn in turns:
        if drops:
            left = (best.fraction_correct > 0).nonzero()[:, 0]
            if not len(left):
                break
        candidates = turn(left)
        # Noise belongs to the place of an image in the batch, and where there is noise the batch is always whole.
        found = judged(candidates, labels[left])
        before = Score(*(values[left] for values in best))
        better = stronger(found, before)
        attacked[left[better]] = candidates[better]
        for values, kept in zip(best, selected(better, found, before), strict=True):
            values[left] = kept
    return attacked
