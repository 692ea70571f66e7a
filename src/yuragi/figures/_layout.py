"""Where panels lie in a drawing, the same in every drawing of one table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine


class RoundedLayout(ConstrainedLayoutEngine):
    """matplotlib's constrained layout on a grid of a billionth of the drawing.

    Its solver orders sums by addresses in memory, so that nested layouts differ in their last bits from one drawing to the next, and with them the
    names that an SVG gives to its clipped areas.
    """

    def execute(self, fig: Figure) -> None:
        """Lay the drawing out, and round."""
        super().execute(fig)
        for part in _parts(fig):
            part.bbox_relative.set_points(part.bbox_relative.get_points().round(9))
        for panel in fig.axes:
            if panel.get_in_layout():
                panel.set_position(np.round(panel.get_position(original=True).bounds, 9))
                # A position that is set by hand takes a panel out of the layout.
                panel.set_in_layout(True)


def _parts(drawing: Figure | SubFigure) -> Iterator[SubFigure]:
    for part in drawing.subfigs:
        yield part
        yield from _parts(part)
