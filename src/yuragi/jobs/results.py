"""How jobs read what other jobs wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from yuragi.errors import InputError

if TYPE_CHECKING:
    import xarray as xr


def arm_and_seed(path: Path) -> tuple[str, int]:
    """The arm and the seed that a file's name tells, whatever its endings.

    >>> arm_and_seed(Path("networks/digits/both-seed2.safetensors")), arm_and_seed(Path("sampled-seed0.predictions.nc"))
    (('both', 2), ('sampled', 0))
    """
    found = re.fullmatch(r"(.+)-seed(\d+)", path.name.partition(".")[0])
    if found is None:
        raise InputError(f"{path}: the name does not tell arm and seed; call it <arm>-seed<seed>{path.suffix}")
    return found[1], int(found[2])


def evaluated_networks(paths: Iterable[Path], variable: str = "fraction_correct") -> list[xr.Dataset]:
    """What evaluations of single networks wrote, each with the scalar coordinates ``arm`` and ``seed`` that its file's name tells.

    variable
        what each of them holds
    """
    from yuragi.files import read_netcdf

    found = []
    for path in paths:
        arm, seed = arm_and_seed(path)
        found.append(read_netcdf(path, variable).assign_coords(arm=arm, seed=seed))
    return found
