"""What an adversary raises: losses of logits, each larger the closer the attack is to its goal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import lazy_loader as lazy

from yuragi.errors import InputError

torch = lazy.load("torch")

Loss = Literal["cross_entropy", "difference_of_logits"]


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
    """-log softmax(z)_y of every draw and image, (draw, image); with targets log softmax(z)_t.

    logits
        z, (draw, image, class)
    labels, targets
        the true classes y and the classes t that the attack wants, (image)

    Errors: `InputError` for a class that the network does not have.
    """
    check_classes(logits, labels)
    if targets is not None:
        return -cross_entropy(logits, targets)
    # -log softmax(z)_y = softplus(log Σ_{j≠y} exp z_j - z_y): where the network is certain, log Σ_j exp z_j - z_y rounds to 0 and its gradient
    # with it, so that a network with large logits would look robust.
    others = logits.scatter(2, _column(logits, labels), -torch.inf).logsumexp(2)
    return torch.nn.functional.softplus(others - of_class(logits, labels))


def difference_of_logits(logits: torch.Tensor, labels: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
    """The difference-of-logits ratio of every draw and image, (draw, image): neither scale nor shift of the logits changes it.

        -(z_y - max_{j≠y} z_j) / (z_π1 - z_π3),    with targets -(z_y - z_t) / (z_π1 - (z_π3 + z_π4) / 2)

    π sorts the logits downwards. Above 0 the image is misclassified, or as the target.

    Errors: `InputError` for fewer than three classes, or four with targets, and for a class that the network does not have.

    Source: Croce and Hein 2020, arXiv 2003.01690.
    """
    check_classes(logits, labels)
    needed = check_loss("difference_of_logits", logits.shape[2], targeted=targets is not None)
    top = logits.topk(needed, dim=2).values
    own = of_class(logits, labels)
    if targets is None:
        rival = torch.where(logits.argmax(2) == labels, top[..., 1], top[..., 0])
        return (rival - own) / (top[..., 0] - top[..., 2] + FLOOR)
    check_classes(logits, targets)
    return (of_class(logits, targets) - own) / (top[..., 0] - (top[..., 2] + top[..., 3]) / 2 + FLOOR)


FLOOR = 1e-12

LOSSES: dict[str, Callable[..., torch.Tensor]] = {"cross_entropy": cross_entropy, "difference_of_logits": difference_of_logits}


def margin(values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """z_y - max_{j≠y} z_j over the last dimension, for logits or probabilities: below 0 where the image is misclassified."""
    index = labels.expand(values.shape[:-1])[..., None]
    return values.gather(-1, index)[..., 0] - values.scatter(-1, index, -torch.inf).amax(-1)


def of_class(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """z_c of every draw and image, (draw, image)."""
    return logits.gather(2, _column(logits, classes))[..., 0]


def check_classes(logits: torch.Tensor, labels: torch.Tensor) -> None:
    """Refuse a label without a class, with an `InputError`."""
    check_labels(labels, logits.shape[2])


def check_labels(labels: torch.Tensor, classes: int) -> None:
    """Refuse a label that is none of a number of classes, with an `InputError`."""
    if int(labels.max()) >= classes:
        raise InputError(f"labels: {int(labels.max())} occurs but the network has classes 0 to {classes - 1}; check the data set and the network")


def check_loss(loss: Loss, classes: int, *, targeted: bool) -> int:
    """The number of classes that a loss needs; an `InputError` where the network has fewer."""
    needed = 2 if loss == "cross_entropy" else 4 if targeted else 3
    if classes < needed:
        raise InputError(f"loss = '{loss}': the network has {classes} classes and it needs {needed}; take 'cross_entropy'")
    return needed


def _column(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    return classes.expand(len(logits), -1)[..., None]
