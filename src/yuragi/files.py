"""Reading and writing results: whole or not at all, and the same bytes for the same content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yuragi.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name only when the block ends without an error.

    >>> with written_whole("results/table.csv") as temporary:  # doctest: +SKIP
    ...     temporary.write_text("a,b\\n1,2\\n")
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal content gives equal text.

    >>> canonical_json({"b": 1, "a": [0.5, None]})
    '{"a":[0.5,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(value: Any, path: str | os.PathLike[str]) -> None:
    """Write JSON that a person can read, keys sorted."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(value, sort_keys=True, indent=2, allow_nan=False) + "\n")


def write_netcdf(data: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a dataset as NetCDF-4, the same bytes for the same content."""
    with written_whole(path) as temporary:
        data.to_netcdf(temporary, engine="h5netcdf")


def read_netcdf(path: str | os.PathLike[str], variable: str | None = None) -> xr.Dataset:
    """Read a NetCDF file into memory; an `InputError` tells a missing or broken one, or one that lacks ``variable``."""
    import xarray as xr

    if not Path(path).exists():
        raise InputError(f"{path}: no such file; run the step of the workflow that makes it, or check the name")
    try:
        dataset = xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as NetCDF ({_first_line(error)}); make it again or fetch it anew") from error
    if variable is not None and variable not in dataset:
        there = ", ".join(map(str, dataset.data_vars)) or "nothing"
        raise InputError(f"{path}: holds no variable '{variable}' but {there}; give the file of another step")
    return dataset


def write_table(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table as CSV; floats keep 9 significant digits."""
    with written_whole(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.9g", lineterminator="\n")


def read_table(path: str | os.PathLike[str], columns: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV file with at least these columns; an `InputError` names the file and what it lacks."""
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as CSV ({_first_line(error)}); make it again with the step that writes it") from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError(
            f"{path}: the column '{missing[0]}' is missing, there are {', '.join(map(str, table.columns))}; give the file of another step"
        )
    return table


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
