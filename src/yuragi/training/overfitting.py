"""Catastrophic overfitting: a network learns to defeat the one attack it is trained on and no other. A function of the history alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from yuragi.errors import InputError

Row = Mapping[str, int | float]

PGD, ATTACK = "watched_pgd_accuracy", "watched_attack_accuracy"

MARGIN = 0.15
"""The least fall of the accuracy under PGD that counts where the next watched epoch confirms it."""

ALONE = 0.2
"""The same after the last epoch, where nothing confirms it."""

TOLERANCE = 0.05
"""How far the accuracy under the attack of the training may have fallen and still count as kept."""


def catastrophic_epoch(history: Sequence[Row]) -> int | None:
    """The epoch at which catastrophic overfitting set in, or None.

    P(t) is the accuracy after epoch t under PGD and A(t) that under the attack of the training. With s the earlier epoch of the largest P, the
    first of equal ones, epoch t is one of collapse where

        P(t) < P(s) / 2  and  P(s) - P(t) ≥ 0.15  and  A(t) ≥ A(s) - 0.05.

    The returned epoch is the first such one of adversarial training that the next watched epoch confirms: the same holds there, with the same s.
    The last watched epoch has no next one: there the fall of P must be at least 0.2.

    The third condition tells it from divergence, where both accuracies fall. The margins keep the noise of the watched images out: with accuracies
    that do not change over 30 epochs, 100 watched images give a false alarm in at most about 4 of 100 trainings, and 200 in less than 1. A network
    whose accuracy under PGD never reached 0.15 has nothing to lose and never shows it.

    history
        rows with ``epoch`` (from 1), ``watched_pgd_accuracy`` and ``watched_attack_accuracy`` (fractions of 1), in the order of epochs, and
        ``adversarial`` (1 where the epoch had adversarial images, 0 where not; 1 if it is missing). Rows without both accuracies are passed over

    Errors: `InputError` for rows that lack one of the three columns.

    Wong, Rice and Kolter 2020, ICLR, arXiv 2001.03994, describe it; their code stops where the accuracy under PGD on one minibatch falls by more than
    0.2 from one epoch to the next. The comparison with the best epoch, the confirmation and the third condition are our own.

    >>> accuracies = {"watched_pgd_accuracy": (0.3, 0.4, 0.0, 0.0), "watched_attack_accuracy": (0.4, 0.5, 0.9, 0.9)}
    >>> rows = [dict(zip(accuracies, pair), epoch=epoch) for epoch, pair in enumerate(zip(*accuracies.values()), start=1)]
    >>> catastrophic_epoch(rows), catastrophic_epoch(rows[:2])
    (3, None)
    """
    watched = _watched(history)
    best = 0
    for place in range(1, len(watched)):
        last = place == len(watched) - 1
        confirmed = (
            _collapsed(watched[best], watched[place], ALONE)
            if last
            else all(_collapsed(watched[best], row, MARGIN) for row in watched[place : place + 2])
        )
        if confirmed and watched[place].get("adversarial", 1):
            return int(watched[place]["epoch"])
        if watched[place][PGD] > watched[best][PGD]:
            best = place
    return None


def _watched(history: Sequence[Row]) -> list[Row]:
    """The rows that have both accuracies."""
    for row in history:
        missing = [name for name in ("epoch", PGD, ATTACK) if name not in row]
        if missing:
            raise InputError(f"history: the column '{missing[0]}' is missing; give the history of an adversarial training")
    return [row for row in history if math.isfinite(row[PGD]) and math.isfinite(row[ATTACK])]


def _collapsed(before: Row, after: Row, margin: float) -> bool:
    # Fractions of images, such as 0.75 - 0.6, differ from the margin by rounding alone.
    fall = before[PGD] - after[PGD] + 1e-9
    return bool(fall >= margin and after[PGD] < before[PGD] / 2 and after[ATTACK] + 1e-9 >= before[ATTACK] - TOLERANCE)
