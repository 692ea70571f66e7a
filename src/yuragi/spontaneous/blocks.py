"""Contiguous blocks of a recording: one is held out, the others are fitted, and frames between them are used by neither."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from yuragi.errors import InputError


class Fold(NamedTuple):
    """Stretches to fit and one to predict, each without gaps."""

    training: list[Float[np.ndarray, "_ unit"]]
    held_out: Float[np.ndarray, "_ unit"]


def blocked_folds(stretches: Sequence[Float[np.ndarray, "_ unit"]], folds: int, gap: int, shortest: int) -> list[Fold]:
    """Each block of consecutive frames held out once.

    stretches
        parts (time, unit) of one recording, each without gaps; the blocks are cut from all of them laid end to end
    folds
        number of blocks, 2 or more
    gap
        frames left out on both sides of a held-out block
    shortest
        training stretches of this many frames or fewer are left out; the held-out blocks must be longer
    """
    if folds < 2:
        raise InputError(f"folds={folds}: give 2 or more")
    if gap < 0:
        raise InputError(f"gap={gap}: give 0 frames or more")
    lengths = [len(values) for values in stretches]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    edges = np.linspace(0, starts[-1], folds + 1).round().astype(int)
    found = []
    for low, high in itertools.pairwise(edges):
        training, inside = [], []
        for values, begin in zip(stretches, starts[:-1], strict=True):
            end = begin + len(values)
            inside.append(values[max(low - begin, 0) : max(high - begin, 0)])
            for part in (values[: max(min(low - gap, end) - begin, 0)], values[max(high + gap - begin, 0) :]):
                # Where the block lies outside a stretch, one part is the whole of it and the other is empty.
                if len(part) > shortest:
                    training.append(part)
        # A block that crosses a gap is judged on its longest part.
        held_out = max(inside, key=len)
        if not training or len(held_out) <= shortest:
            raise InputError(
                f"recording: {starts[-1]} frames in {folds} blocks with gaps of {gap} leave nothing to fit, or a block of no more than "
                f"{shortest} frames; give fewer folds or a shorter gap"
            )
        found.append(Fold(training, held_out))
    return found
