"""Which class an attack aims at: the least likely, the most likely wrong ones, or a random one."""

from __future__ import annotations

import lazy_loader as lazy

from yuragi.attacks.losses import check_classes
from yuragi.attacks.passes import noise_stream, pieces, sample_logits, time_steps, useful_draws
from yuragi.errors import InputError

torch = lazy.load("torch")


def mean_probabilities(
    model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, draws: int, chunk: int = 1024
) -> torch.Tensor:
    """The softmax of a network, averaged over draws of its noise, (image, class); labels are checked against the classes."""
    draws = useful_draws(model, draws)
    parts: dict[int, torch.Tensor] = {}
    noise = noise_stream(model, generator)
    for part, n_draws in pieces(len(images), draws, chunk, time_steps(model)):
        with torch.no_grad():
            logits = sample_logits(model, images[part], noise, n_draws)
            check_classes(logits, labels)
            parts[part.start] = parts.get(part.start, 0) + logits.softmax(2).sum(0) / draws
    return torch.cat(list(parts.values()))


def class_count(model: torch.nn.Module, images: torch.Tensor) -> int:
    """The number of a network's classes, by a pass of one image; noise for it comes from a seed of its own, not from an attack's."""
    own = torch.Generator(images.device).manual_seed(0)
    with torch.no_grad():
        return sample_logits(model, images[:1], noise_stream(model, own), 1).shape[2]


def least_likely(probabilities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The wrong class of the smallest probability, (image).

    >>> import torch
    >>> least_likely(torch.tensor([[0.7, 0.1, 0.2], [0.1, 0.7, 0.2]]), torch.tensor([0, 0])).tolist()
    [1, 2]
    """
    return probabilities.scatter(1, labels[:, None], torch.inf).argmin(1)


def likeliest_others(probabilities: torch.Tensor, labels: torch.Tensor, count: int) -> torch.Tensor:
    """The ``count`` wrong classes of the largest probability, the likeliest first, (image, count).

    Errors: `InputError` for more than there are wrong classes.

    >>> import torch
    >>> likeliest_others(torch.tensor([[0.7, 0.1, 0.2], [0.1, 0.7, 0.2]]), torch.tensor([0, 0]), 2).tolist()
    [[2, 1], [1, 2]]
    """
    classes = probabilities.shape[1]
    check_targets(count, classes)
    return probabilities.scatter(1, labels[:, None], -torch.inf).argsort(dim=1, descending=True, stable=True)[:, :count]


def check_targets(count: int, classes: int) -> None:
    """Refuse more targets than there are wrong classes, with an `InputError`."""
    if count > classes - 1:
        raise InputError(f"targets = {count}: the network has {classes} classes, so give at most {classes - 1}")


def random_others(classes: int, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A wrong class of each image, all of them equally likely, (image)."""
    drawn = torch.randint(classes - 1, labels.shape, generator=generator, device=generator.device).to(labels.device)
    return drawn + (drawn >= labels)
