"""How figures read and draw tables of sampled networks: four conditions with fixed looks, means with intervals, and seeds beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures._tables import by_study

if TYPE_CHECKING:
    import pandas as pd

np = lazy.load("numpy")

COLUMNS = ("measure", "synapses", "seed", "value", "low", "high", "interval", "count")

CONDITIONS = {
    ("before", "same"): ("before learning, synapses held", style.BLACK, "o"),
    ("before", "own"): ("before learning, synapses redrawn", style.GREY, "s"),
    ("after", "same"): ("after learning, synapses held", style.ORANGE, "^"),
    ("after", "own"): ("after learning, synapses fluctuating", style.BLUE, "D"),
    ("twin", ""): ("twin trained by gradients", style.RED, "P"),
}
"""Name, colour and marker of learning and synapses; `yuragi.sampling.phenomena` says what they are."""


def read_studies(paths: Sequence[Path], columns: tuple[str, ...]) -> pd.DataFrame:
    """The tables of studies in one; ``columns`` beside those that all of them have."""
    return by_study(paths, (*COLUMNS, *columns))


def plain(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The same with empty text where a file read back has nothing."""
    return table.assign(**{name: table[name].fillna("").astype(str) for name in columns})


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows over all seeds."""
    return rows[rows["seed"].isna()]


def single_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of single seeds."""
    return rows[rows["seed"].notna()]


def seeds_of(rows: pd.DataFrame) -> str:
    """How many seeds there are, in words."""
    return style.counted(int(rows["seed"].dropna().nunique()), "seed")


def mark(axis: Any, place: float, rows: pd.DataFrame, color: str, marker: str, *, filled: bool = True, label: str | None = None) -> None:
    """The mean over seeds with its interval, and every seed as a small dot left of it."""
    mean, seeds = over_seeds(rows), single_seeds(rows)
    if mean.empty or not np.isfinite(mean["value"].iloc[0]):
        return
    row = mean.iloc[0]
    if np.isfinite(row["low"]):
        axis.vlines(place, row["low"], row["high"], color=color, linewidth=1.2)
    face = color if filled else "white"
    axis.plot([place], [row["value"]], marker, color=color, markerfacecolor=face, linestyle="none", label=label, zorder=3)
    if len(seeds) > 1:
        axis.plot(np.full(len(seeds), place - 0.11), seeds["value"], ".", color=color, markersize=3, alpha=0.6, zorder=2)
