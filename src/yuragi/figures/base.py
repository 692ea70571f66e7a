"""What a figure is: a table that says everything, and a drawing made from the table alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from yuragi.plugins import Plugin, discover

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Drawing

Results = Mapping[str, Sequence[Path]]
"""Files of results by kind, as `yuragi.config.plan.Plan.by_kind` names them."""


class Figure(Plugin, ABC):
    """A figure of the report."""

    needs: ClassVar[tuple[str, ...]]
    """Kinds of results without which the figure is not made."""

    uses: ClassVar[tuple[str, ...]] = ()
    """Kinds of results that it shows where they are there."""

    varies: ClassVar[str | None] = None
    """A property of arms, by its name in `ArmDescription`, that has to differ between two arms of one experiment for the figure to show anything."""

    needs_truth: ClassVar[bool] = False
    """Whether it compares with planted values, so that it needs a simulated recording."""

    @abstractmethod
    def table(self, results: Results) -> pd.DataFrame:
        """The numbers of the figure, one observation a row, with units in the columns' names where they have any."""

    @abstractmethod
    def draw(self, table: pd.DataFrame) -> Drawing:
        """The drawing, from the table alone."""


def figures() -> dict[str, type[Figure]]:
    """All figures by their kind."""
    return discover("yuragi.figures", Figure)
