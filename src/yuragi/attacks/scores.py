"""How an image fares with a network: how often it is recognised over the draws of the noise, and at which loss."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import lazy_loader as lazy

from yuragi.attacks.losses import cross_entropy
from yuragi.attacks.passes import fresh_seed, logits_by_part, noise_stream, useful_draws

torch = lazy.load("torch")


class Score(NamedTuple):
    """What a network makes of images, per image.

    fraction_correct
        fraction of the draws in which the label has the largest logit
    majority_correct
        whether more draws choose the label than any other class (a tie counts as an error)
    loss
        cross-entropy, averaged over the draws
    """

    fraction_correct: torch.Tensor
    majority_correct: torch.Tensor
    loss: torch.Tensor


def score(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, draws: int, chunk: int = 1024) -> Score:
    """Score images over draws of a network's noise; a deterministic network takes one pass.

    Two sets of images meet the same noise, image by image, when the generators start in the same state and ``draws`` is the same: that makes them
    comparable, whatever the chunks (on a GPU: with equal sizes and chunks).

    Errors: `InputError` for logits that are not finite, and labels without a class.
    """
    draws = useful_draws(model, draws)
    loss = torch.zeros(len(images), dtype=images.dtype, device=images.device)
    votes: dict[int, torch.Tensor] = {}
    noise = noise_stream(model, generator)
    for part, logits in logits_by_part(model, images, noise, draws, chunk):
        loss[part] += cross_entropy(logits, labels[part]).sum(0) / draws
        counted = torch.nn.functional.one_hot(logits.argmax(2), logits.shape[2]).sum(0)
        votes[part.start] = votes.get(part.start, 0) + counted
    all_votes = torch.cat(list(votes.values()))
    own = all_votes.gather(1, labels[:, None])[:, 0]
    others = all_votes.scatter(1, labels[:, None], -1).amax(1)
    return Score(own / draws, own > others, loss)


def stronger(one: Score, other: Score) -> torch.Tensor:
    """Per image, whether ``one`` is the stronger attack: less often recognised, or as often and at a larger loss.

    The loss alone does not do: among three classes or more an image can be recognised at a larger loss than one that is not.
    """
    as_often = one.fraction_correct == other.fraction_correct
    return (one.fraction_correct < other.fraction_correct) | (as_often & (one.loss > other.loss))


def selected(one_is_chosen: torch.Tensor, one: Score, other: Score) -> Score:
    """Per image the score of ``one`` where it is chosen, else that of ``other``."""
    return Score(*(torch.where(one_is_chosen, a, b) for a, b in zip(one, other, strict=True)))


def strongest_score(pairs: Iterable[tuple[Score, Score]]) -> Score:
    """Per image, of pairs of a score and a judgement on other draws, the score of the pair with the strongest judgement."""
    (best, best_judgement), *others = pairs
    for candidate, judgement in others:
        better = stronger(judgement, best_judgement)
        best, best_judgement = selected(better, candidate, best), selected(better, judgement, best_judgement)
    return best


def strongest(
    candidates: Iterable[torch.Tensor],
    model: torch.nn.Module,
    labels: torch.Tensor,
    generator: torch.Generator,
    draws: int,
    chunk: int = 1024,
) -> torch.Tensor:
    """Per image the strongest of several attacked versions, compared under ``draws`` draws of the noise that all of them meet.

    candidates
        the versions, each (image, channel, height, width); they may draw from ``generator`` themselves
    """
    seed = fresh_seed(generator)
    best: torch.Tensor | None = None
    for candidate in candidates:
        noise = torch.Generator(generator.device).manual_seed(seed)
        candidate_score = score(model, candidate, labels, noise, draws, chunk)
        if best is None:
            best, best_score = candidate.clone(), candidate_score
            continue
        better = stronger(candidate_score, best_score)
        best[better], best_score = candidate[better], selected(better, candidate_score, best_score)
    if best is None:
        raise ValueError("no candidates")
    return best
