"""How figures read files of which each is one network's, ``<experiment>/<arm>-seed<seed><ending>``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from yuragi.errors import InputError
from yuragi.files import read_table

HISTORY = ".history.csv"


def read_networks(paths: Sequence[Path], ending: str, columns: tuple[str, ...]) -> list[pd.DataFrame]:
    """The tables, each with its experiment, arm and seed in front of what it holds, these columns at least."""
    tables = []
    for path in paths:
        table = read_table(path, columns)
        arm, seed = arm_and_seed(path, ending)
        for place, (name, value) in enumerate({"experiment": path.parent.name, "arm": arm, "seed": seed}.items()):
            table.insert(place, name, value)
        tables.append(table)
    return tables


def arm_and_seed(path: Path, ending: str) -> tuple[str, int]:
    found = re.fullmatch(rf"(.+)-seed(\d+){re.escape(ending)}", path.name)
    if found is None:
        raise InputError(f"{path}: the name does not tell arm and seed; call it <experiment>/<arm>-seed<seed>{ending}")
    return found[1], int(found[2])
