"""The norms that bound an attack, as figures name them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from yuragi.figures.base import Results

NAMES = {"linf": "L∞ attacks", "l2": "L2 attacks"}
AXES = {"linf": "ε (L∞, pixel units)", "l2": "ε (L2, pixel units)"}


def by_norm(results: Results, kind: str) -> Iterator[tuple[str, Path]]:
    """The files of a kind of result, each with its norm: L∞ under the kind's own name, L2 under ``<kind>_l2``."""
    for norm, name in (("linf", kind), ("l2", f"{kind}_l2")):
        for path in results.get(name, ()):
            yield norm, path
