"""Names beside points and lines that never cover each other, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

LINE = 0.155
"""Height in inches of a line of a name."""


class Label(NamedTuple):
    """A name, the point it belongs to, in the panel's data units, and its colour."""

    text: str
    x: float
    y: float
    color: str


def name_at_right(axis: Any, labels: Sequence[Label], height: float, weight: dict[str, str] | None = None) -> None:
    """Write the names in a column right of a panel, in the order of their points' heights, each led to its point by a thin line.

    axis
        a panel whose limits are set
    height
        of the panel in inches, roughly; the column grows beyond the panel where it holds more names than fit
    weight
        names that are written otherwise, for instance ``{"plain": "bold"}``
    """
    to_fraction = axis.transData + axis.transAxes.inverted()
    fractions = np.array([to_fraction.transform((label.x, label.y))[1] for label in labels])
    for label, place in zip(labels, spread(fractions, LINE / height), strict=True):
        axis.annotate(
            label.text,
            (label.x, label.y),
            (1.06, place),
            xycoords="data",
            textcoords="axes fraction",
            va="center",
            ha="left",
            fontsize=8,
            color=label.color,
            weight=(weight or {}).get(label.text, "normal"),
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": label.color, "linewidth": 0.5, "alpha": 0.55, "shrinkA": 1, "shrinkB": 3, "relpos": (0, 0.5)},
        )


def spread(wanted: np.ndarray, apart: float) -> np.ndarray:
    """The places nearest to those wanted, in least squares, that keep the order and at least a distance.

    >>> spread(np.array([0.5, 0.5, 0.9]), 0.1).round(3).tolist()
    [0.45, 0.55, 0.9]
    """
    order = np.argsort(wanted, kind="stable")
    # With the distance taken off, only the order remains to be kept: runs out of order are pooled at their mean.
    slack = wanted[order] - apart * np.arange(len(order))
    means: list[float] = []
    sizes: list[int] = []
    for value in slack:
        mean, size = float(value), 1
        while means and means[-1] > mean:
            mean = (mean * size + means[-1] * sizes[-1]) / (size + sizes[-1])
            size += sizes.pop()
            means.pop()
        means.append(mean)
        sizes.append(size)
    places = np.empty(len(order))
    places[order] = np.repeat(means, sizes) + apart * np.arange(len(order))
    return places
