"""How figures read tables that jobs wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lazy_loader as lazy

from yuragi.errors import InputError

pd = lazy.load("pandas")


def read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """A CSV file with at least these columns; an `InputError` names the file and what it lacks."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be read as CSV ({reason}); make it again with the step that writes it") from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError(
            f"{path}: the column '{missing[0]}' is missing, there are {', '.join(map(str, table.columns))}; give the file of another step"
        )
    return table


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
