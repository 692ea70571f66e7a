"""How jobs read what other jobs wrote."""

from __future__ import annotations

import re
from pathlib import Path

from yuragi.errors import InputError


def arm_and_seed(path: Path) -> tuple[str, int]:
    """The arm and the seed that a file's name tells.

    >>> arm_and_seed(Path("networks/digits/both-seed2.safetensors"))
    ('both', 2)
    """
    found = re.fullmatch(r"(.+)-seed(\d+)", path.stem)
    if found is None:
        raise InputError(f"{path}: the name does not tell arm and seed; call it <arm>-seed<seed>{path.suffix}")
    return found[1], int(found[2])
