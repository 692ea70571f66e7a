"""Numerical matrices from R's own files (.rda, .RData), through the library rdata.

Such a file can hold functions and whole environments. rdata parses them into plain records of bytes and numbers and never evaluates R code; here
nothing but the one variable that is asked for becomes an array, and only if it is numerical.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import lazy_loader as lazy

from yuragi.datasets.formats import missing_variable, parsing
from yuragi.errors import InputError

if TYPE_CHECKING:
    from rdata.parser import RObject

np = lazy.load("numpy")


def read_rda(path: str | Path, name: str) -> np.ndarray:
    """The numerical variable of that name, as float64; R's NA becomes NaN.

    Raises `InputError` for a file that is no R data file, that lacks the variable, or in which it is no array of numbers.
    """
    from rdata.conversion import convert
    from rdata.parser import RObjectType, parse_file

    with parsing(path, "an R data file"):
        variables = dict(_variables(parse_file(str(path)).object))
        if name not in variables:
            raise missing_variable(path, name, sorted(variables))
        value = variables[name]
        if value.info.type not in (RObjectType.REAL, RObjectType.INT):
            told = value.info.type.name.lower()
            raise InputError(f"{path}: '{name}' is of R's type {told}, expected numbers; this is not the file that the data set names")
        found = convert(value, constructor_dict={})  # no class of R becomes an object of Python
        return np.ma.asarray(found, dtype=np.float64).filled(np.nan)


def _variables(node: RObject) -> Iterator[tuple[str, RObject]]:
    """The pairs of name and value of R's linked list."""
    from rdata.parser import RObjectType

    while node.info.type is RObjectType.LIST:
        value, rest = node.value
        symbol = node.tag.referenced_object if node.tag.info.type is RObjectType.REF else node.tag
        yield symbol.value.value.decode("utf-8", "replace"), value
        node = rest
    if node.info.type is not RObjectType.NILVALUE:
        raise ValueError("its outermost object is no list of variables")
