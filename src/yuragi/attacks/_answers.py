"""What attacks without gradients may ask of a network: its scores and its answers, each over the draws of the noise."""

from __future__ import annotations

import lazy_loader as lazy

from yuragi.attacks.losses import check_classes, margin
from yuragi.attacks.passes import logits_by_part, noise_stream, useful_draws

torch = lazy.load("torch")


def margins(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, seed: int, draws: int, chunk: int) -> torch.Tensor:
    """z_y - max_{j≠y} z_j averaged over draws of the noise, (image): below 0 where a deterministic network is wrong.

    seed
        of the noise: equal seeds and as many images meet equal noise
    """
    draws = useful_draws(model, draws)
    noise = noise_stream(model, torch.Generator(images.device).manual_seed(seed))
    mean = torch.zeros(len(images), dtype=images.dtype, device=images.device)
    for part, logits in logits_by_part(model, images, noise, draws, chunk):
        check_classes(logits, labels[part])
        # Where another class has the same logit, the answer is the first of the two: the label is not always lost.
        mean[part] += (margin(logits, labels[part]) - TIE * (logits.argmax(2) != labels[part])).sum(0) / draws
    return mean


TIE = 1e-30
"""Sets a tie that the label loses apart from one that it wins; no other margin of logits is so small."""


def answers(model: torch.nn.Module, images: torch.Tensor, noise: torch.Generator, draws: int, chunk: int) -> torch.Tensor:
    """The class that most draws of the noise choose, (image): all that a hard-label attack learns.

    noise
        of `yuragi.attacks.passes.noise_stream`: it goes on from call to call, so that no answer meets the noise of another
    """
    draws = useful_draws(model, draws)
    votes: dict[int, torch.Tensor] = {}
    for part, logits in logits_by_part(model, images, noise, draws, chunk):
        counted = torch.nn.functional.one_hot(logits.argmax(2), logits.shape[2]).sum(0)
        votes[part.start] = votes.get(part.start, 0) + counted
    return torch.cat(list(votes.values())).argmax(1)
