"""Confounds of a run, read from a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import lazy_loader as lazy

from yuragi.datasets._own_file import reading
from yuragi.datasets.formats import Location
from yuragi.errors import InputError, unknown

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")

MISSING = {"", "n/a", "na", "nan"}
"""How a missing value is written: fMRIPrep and BIDS write n/a."""


def read_confounds(path: Location, columns: Sequence[str] = ()) -> jaxtyping.Float[np.ndarray, "row confound"]:
    """The named columns of a table of confounds, one row a volume.

    path
        separated by tabs, commas or blanks, whichever its first line has, in this order; a first line of names, which may be missing when no columns
        are named
    columns
        names, in the order of the result; all columns when empty

    Derivatives and framewise displacement have no value at the first volume, for which fMRIPrep writes ``n/a``: there the value of the second
    volume stands in, as nilearn has it. Missing anywhere else is refused.

    Raises `InputError` for a column that is not there (it lists those that are), for text and for missing values.
    """
    shown = str(path)
    try:
        with reading(Path(path), "a table of confounds"), open(path, newline="", encoding="utf-8-sig") as file:
            lines = [line for line in file.read().splitlines() if line.strip()]
            separator = next((sign for sign in "\t," if lines and sign in lines[0].strip()), None)
            rows = list(csv.reader(lines, delimiter=separator)) if separator else [line.split() for line in lines]
    except InputError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise InputError(f"{path}: no such file; give the confounds of this run, or none") from error
        raise
    if not rows:
        raise InputError(f"{path}: is empty; give the confounds of this run, or none")
    names = [cell.strip() for cell in rows[0]]
    if all(_is_number(cell) for cell in names):
        if columns:
            raise InputError(f"{path}: has no line of names, so that '{columns[0]}' cannot be found; leave the columns out to take all")
        names = [str(number) for number in range(len(names))]
    else:
        rows = rows[1:]
    for name in columns:
        if name not in names:
            raise InputError(f"{path}: {unknown('confound', name, names)}")
    chosen = [names.index(name) for name in (columns or names)]
    widths = {len(row) for row in rows} - {len(names)}
    if widths:
        raise InputError(f"{path}: has rows of {min(widths)} cells under {len(names)} columns; the file may be truncated: make it again")
    table = np.array([[_number(row[index], path, names[index], line) for index in chosen] for line, row in enumerate(rows, start=1)])
    return fill_first_row(table.reshape(len(rows), len(chosen)), [names[index] for index in chosen], shown)


def fill_first_row(
    table: jaxtyping.Float[np.ndarray, "row confound"], names: Sequence[str], where: str
) -> jaxtyping.Float[np.ndarray, "row confound"]:
    """What is missing in the first row is taken from the second; what is missing elsewhere is refused.

    >>> import numpy as np
    >>> fill_first_row(np.array([[np.nan], [0.5], [0.1]]), ["framewise_displacement"], "run").ravel().tolist()
    [0.5, 0.5, 0.1]
    """
    filled = table.copy()
    if len(filled) > 1:
        filled[0] = np.where(np.isfinite(filled[0]), filled[0], filled[1])
    rows, lacking = np.nonzero(~np.isfinite(filled))
    if len(rows):
        first = max(int(rows[0]), 1) if len(filled) > 1 else 0
        raise InputError(f"{where}: confound '{names[int(lacking[0])]}' has no value in row {first + 1}; leave this column out, or fill it")
    return filled


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip().lower() in MISSING
    return True


def _number(cell: str, path: Location, name: str, line: int) -> float:
    if cell.strip().lower() in MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise InputError(f"{path}: confound '{name}' is '{cell}' in row {line}, not a number; leave this column out") from None
