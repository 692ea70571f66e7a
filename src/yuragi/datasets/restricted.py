"""Reading pickles that come from strangers: arrays and plain containers, nothing that runs.

A pickle is a program: loading one can call any function. Here no name in the file ever becomes code. The four names that numpy writes for an
array are answered by records of this module, and the arrays are then built from the plain values that the records hold.
"""

from __future__ import annotations

import os
import pickle  # only its parser, with every name refused but those below
from typing import Any

import lazy_loader as lazy

from yuragi.datasets.formats import parsing
from yuragi.errors import InputError

np = lazy.load("numpy")


class _ArrayType:
    """Stands for the class numpy.ndarray, which numpy passes as an argument only."""


class _DType:
    """A numpy dtype as the pickle describes it."""

    __slots__ = ("code", "order")

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code, "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]
        if any(part is not None for part in state[2:5]):
            raise ValueError("arrays with fields or subarrays are not accepted")

    def built(self) -> np.dtype:
        found = np.dtype(self.code).newbyteorder(self.order if self.order in "<>" else "=")
        if found.kind not in "biufcSUO":
            raise ValueError(f"dtype '{self.code}' is not accepted")
        return found


class _Array:
    """A numpy array as the pickle describes it."""

    __slots__ = ("state",)

    def __init__(self, *_: object) -> None:
        self.state: tuple[Any, ...] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def built(self) -> np.ndarray:
        if self.state is None:
            raise ValueError("an array without contents")
        _, shape, dtype, fortran, data = self.state
        kind = dtype.built()
        if kind.hasobject:
            flat = np.empty(len(data), dtype=object)
            for place, item in enumerate(data):
                flat[place] = _built(item)
        else:
            flat = np.frombuffer(data, dtype=kind).copy()
        return flat.reshape(shape, order="F" if fortran else "C")


_ACCEPTED = {
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
}


class _Unpickler(pickle.Unpickler):
    path: str = ""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ACCEPTED[module, name]
        except KeyError:
            raise InputError(
                f"{self.path}: the pickle asks for '{module}.{name}', which only numpy arrays and plain containers never do; do not load it"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise InputError(f"{self.path}: the pickle refers to objects outside itself; only numpy arrays and plain containers are accepted")


def read_pickle(path: str | os.PathLike[str]) -> Any:
    """What a pickle of numpy arrays and plain containers holds, without running anything in it.

    Accepted are numbers, strings, bytes, None, lists, tuples, dictionaries, sets and numpy arrays of numbers, strings or such objects.

    Raises `InputError` naming whatever else the file asks for, and for a file that is no pickle.
    """
    with parsing(path, "a pickle"), open(path, "rb") as file:
        unpickler = _Unpickler(file)
        unpickler.path = os.fspath(path)
        return _built(unpickler.load())


def _built(value: Any) -> Any:
    """The value with every record turned into the array that it describes."""
    if isinstance(value, _Array):
        return value.built()
    if isinstance(value, dict):
        return {key: _built(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_built(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_built(item) for item in value)
    if isinstance(value, _DType | _ArrayType) or value is _ArrayType:
        raise ValueError("a numpy type outside an array is not accepted")
    return value
