"""Files of the user's own: where they lie, and one line for each way in which they are not what they should be."""

from __future__ import annotations

import contextlib
from pathlib import Path

from yuragi.datasets.formats import parsing
from yuragi.errors import InputError


def existing(path: str | Path) -> Path:
    """The file, or an `InputError` that says that it is not there."""
    found = Path(path).expanduser()
    if not found.is_file():
        told = "is a folder, not a file" if found.is_dir() else "no such file"
        raise InputError(f"{found}: {told}; correct 'path' (a relative one starts at the folder in which yuragi runs, {Path.cwd()})")
    return found


def reading(path: Path, what: str) -> contextlib.AbstractContextManager[None]:
    """As `yuragi.datasets.formats.parsing`, for a file that nobody can fetch again."""
    return parsing(path, what, "check that it is one and that it is whole")


def some(names: list[str], most: int = 12) -> str:
    """Names for a message, not more than a line takes.

    >>> some(["b", "a"]), some(list("abcd"), most=2), some([])
    ('b, a', 'a, b and 2 more', 'nothing')
    """
    shown = ", ".join(names[:most]) or "nothing"
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
