"""Which class an attack aims at: the least likely, the most likely wrong ones, or a random one."""

from __future__ import annotations

import lazy_loader as lazy

from yuragi.attacks.losses import check_classes
from yuragi.attacks.passes import check_finite, logits_by_part, noise_stream, sample_logits, useful_draws
from yuragi.errors import InputError

torch = lazy.load("torch")


def mean_probabilities(
    model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, draws: int, chunk: int = 1024
) -> torch.Tensor:
    """The softmax of a network, averaged over draws of its noise, (image, class); labels are checked against the classes."""
    draws = useful_draws(model, draws)
    parts: dict[int, torch.Tensor] = {}
    noise = noise_stream(model, generator)
    for part, logits in logits_by_part(model, images, noise, draws, chunk):
        check_classes(logits, labels)
        parts[part.start] = parts.get(part.start, 0) + logits.softmax(2).sum(0) / draws
    return torch.cat(list(parts.values()))


def class_count(model: torch.nn.Module, images: torch.Tensor) -> int:
    """The number of a network's classes, by a pass of one image."""
    return _first_logits(model, images[:1]).shape[2]


def check_answers(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """Refuse a network that is none to attack, by a pass of the first images, with an `InputError`.

    Refused are logits that are not finite, probabilities in place of logits, and labels without a class. Values that are all 0 or 1 are let pass:
    they are bare answers, or a network whose gradients are masked, and it is for probes to show what attacks make of that. The network is in
    evaluation mode.
    """
    logits = _first_logits(model, images[:ASKED])
    check_finite(logits)
    check_classes(logits, labels)
    if are_probabilities(logits) and bool((logits.frac() != 0).any()):
        raise InputError("model: it returns probabilities (not negative, sum 1); let it return logits, for the gradients of probabilities vanish")


def are_probabilities(values: torch.Tensor) -> bool:
    """Whether values, with the classes last, are never negative and sum to 1 everywhere.

    >>> import torch
    >>> are_probabilities(torch.tensor([[0.25, 0.75], [1.0, 0.0]])), are_probabilities(torch.tensor([[0.25, 0.75], [2.0, 0.0]]))
    (True, False)
    """
    return bool((values.sum(-1) - 1).abs().amax() < SUM_TOLERANCE) and float(values.min()) >= 0


ASKED = 16
"""Images by which a network is judged before an attack: few enough to cost next to nothing."""

SUM_TOLERANCE = 1e-4


def _first_logits(model: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Logits of one draw; noise for it comes from a seed of its own, not from an attack's."""
    own = torch.Generator(images.device).manual_seed(0)
    with torch.no_grad():
        return sample_logits(model, images, noise_stream(model, own), 1)


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
