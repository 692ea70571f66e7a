"""Early stopping: which epoch was the best, and when to wait no longer. Functions of the history alone, so that a resumed training agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from yuragi.training.settings import TrainingSettings

Row = Mapping[str, int | float]


def best_epoch(history: Sequence[Row], settings: TrainingSettings) -> int:
    """The 1-based epoch of the lowest validation loss, or of the highest accuracy where ``stop_on`` says so; the first of equal ones.

    Clean epochs before adversarial ones count only as long as there are no others: the network that they leave has defended nothing yet.

    history
        rows with ``validation_loss`` and ``validation_accuracy``, one an epoch, at least one; ``adversarial`` is 0 in clean epochs before adversarial
        ones

    >>> history = [{"validation_loss": loss} for loss in (0.9, 0.4, 0.4, 0.5)]
    >>> best_epoch(history, TrainingSettings(validation_fraction=0.1, patience=2))
    2
    """
    sign = 1 if settings.stop_on == "loss" else -1
    values = [sign * row[f"validation_{settings.stop_on}"] for row in history]
    counted = [place for place, row in enumerate(history) if _counts(row)] or range(len(history))
    return min(counted, key=values.__getitem__) + 1


def is_over(history: Sequence[Row], settings: TrainingSettings) -> bool:
    """Whether ``patience`` epochs have passed since the best one; False without patience, and in clean epochs before adversarial ones."""
    if settings.patience is None or not history or not _counts(history[-1]):
        return False
    return len(history) - best_epoch(history, settings) >= settings.patience


def _counts(row: Row) -> bool:
    return bool(row.get("adversarial", 1))
