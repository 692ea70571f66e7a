"""A training's history as a file that grows while it runs, to look at and to plot."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from yuragi.files import write_table
from yuragi.training.stopping import Row


class Pace(NamedTuple):
    """How fast an epoch went: its seconds, measurements included, and the training images a second of its steps."""

    seconds: float
    images_per_second: float


def write_live(history: Sequence[Row], paces: Sequence[Pace], path: str | os.PathLike[str]) -> None:
    """Write the rows so far as CSV with the columns ``seconds`` and ``images_per_second`` behind; a reader never meets half a file.

    history, paces
        one entry an epoch. Times differ between runs, so that they are in this file and not in the history that `train` returns
    """
    write_table(pd.concat([pd.DataFrame(history), pd.DataFrame(paces, columns=list(Pace._fields))], axis=1), path)
