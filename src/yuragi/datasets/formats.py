"""File formats, each read with one clear error for what is missing, truncated or of another shape."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import lazy_loader as lazy

from yuragi.errors import InputError

h5py = lazy.load("h5py")
np = lazy.load("numpy")

Location = str | os.PathLike[str]


@contextlib.contextmanager
def parsing(path: Location, what: str, remedy: str = "it may be truncated: delete it and fetch it again") -> Iterator[None]:
    """Whatever goes wrong inside the block means that ``path`` is not ``what``, and is told so in one line that ends with the remedy."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # parsers of foreign formats raise whatever their input leads them to
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be read as {what} ({reason}); {remedy}") from error


def missing_variable(path: Location, name: str, there: list[str]) -> InputError:
    """The error for a file that lacks what the reader needs."""
    return InputError(f"{path}: holds no '{name}' but {', '.join(there) or 'nothing'}; this is not the file that the data set names")


def check_shape(path: Location, name: str, shape: tuple[int, ...], expected: tuple[int | None, ...]) -> None:
    """Refuse an array of another shape; None stands for any length.

    >>> check_shape("a.npy", "a.npy", (3, 4), (3, None))
    """
    if len(shape) != len(expected) or any(size not in (found, None) for found, size in zip(shape, expected, strict=True)):
        wanted = " x ".join("any" if size is None else str(size) for size in expected)
        raise InputError(f"{path}: '{name}' is {' x '.join(map(str, shape))}, expected {wanted}; this is not the file that the data set names")


def read_npy(path: Location) -> np.ndarray:
    """A numpy array; objects are refused."""
    with parsing(path, "a numpy array"):
        return np.load(path, allow_pickle=False)


def read_mat(path: Location, *names: str) -> list[np.ndarray]:
    """Numerical variables of a MATLAB file up to version 7."""
    from scipy.io import loadmat, whosmat

    with parsing(path, "a MATLAB file"):
        there = [name for name, _, _ in whosmat(path)]
        for name in names:
            if name not in there:
                raise missing_variable(path, name, there)
        found = loadmat(path, variable_names=list(names))
        return [np.asarray(found[name], dtype=np.float64) for name in names]


@contextlib.contextmanager
def open_hdf5(path: Location) -> Iterator[h5py.File]:
    """An HDF5 file, open for reading."""
    with parsing(path, "HDF5"), h5py.File(path, "r") as file:
        yield file


def hdf5_member(group: h5py.Group, name: str, path: Location) -> Any:
    """A group or array inside an HDF5 group; where it is missing, the error lists what is there."""
    if name not in group:
        raise missing_variable(path, f"{group.name.rstrip('/')}/{name}", sorted(map(str, group)))
    return group[name]


def read_png(path: Location, mode: str, rows: int, columns: int) -> np.ndarray:
    """Pixels as uint8: (row, column) in mode L, (row, column, channel) in mode RGB."""
    from PIL import Image

    with parsing(path, "a PNG image"), Image.open(path, formats=["PNG"]) as image:
        if image.mode != mode:
            raise InputError(f"{path}: pixels are {image.mode}, expected {mode}; this is not the file that the data set names")
        check_shape(path, "pixels", (image.height, image.width), (rows, columns))
        return np.asarray(image)


def read_idx(path: Location, shape: tuple[int | None, ...]) -> np.ndarray:
    """Unsigned bytes in the idx format of MNIST, gzipped.

    The header is two zeros, the type (8 for unsigned bytes), the number of dimensions, and each dimension as a big-endian 32-bit integer.
    """
    with parsing(path, "a gzipped idx file"):
        with gzip.open(path, "rb") as file:
            contents = file.read()
        if contents[:3] != b"\0\0\x08":
            raise ValueError("no idx header for unsigned bytes")
        found = tuple(int(size) for size in np.frombuffer(contents, ">i4", count=contents[3], offset=4))
        check_shape(path, "array", found, shape)
        return np.frombuffer(contents, np.uint8, offset=4 + 4 * contents[3]).reshape(found)


def read_javascript_integers(path: Location, name: str) -> np.ndarray:
    """The integers of a JavaScript file that consists of ``var name=[…];``, parsed as data and never run."""
    with parsing(path, "a JavaScript array"):
        with open(path, encoding="ascii") as file:
            found = re.fullmatch(rf"\s*var\s+{re.escape(name)}\s*=\s*(\[[\d,\s]*\])\s*;?\s*", file.read())
        if found is None:
            raise ValueError(f"it is not 'var {name}=[…];' with integers only")
        return np.asarray(json.loads(found[1]), dtype=np.int64)
