"""How figures read tables that jobs wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lazy_loader as lazy

from yuragi.files import read_table

pd = lazy.load("pandas")


def joined(tables: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    """The rows of all tables under these columns, an empty table where there are none."""
    filled = [table[list(columns)] for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))


def by_study(paths: Sequence[Path], columns: tuple[str, ...]) -> pd.DataFrame:
    """Tables of studies in one, the study's name, that of the file's folder, in front."""
    tables = []
    for path in paths:
        table = read_table(path, columns)
        table.insert(0, "study", path.parent.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
