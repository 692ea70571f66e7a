"""Stretches of a recording between pauses."""

from __future__ import annotations

import lazy_loader as lazy

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")

GAP = 1.5
"""A pause of this many sampling intervals or more ends a segment."""


def segments(time: jaxtyping.Float[np.ndarray, " time"]) -> tuple[float, jaxtyping.Integer[np.ndarray, " time"]]:
    """The sampling interval, which is the median step, and the number of the stretch that each frame belongs to.

    >>> import numpy as np
    >>> interval, numbers = segments(np.array([0.0, 0.5, 1.0, 3.0, 3.5]))
    >>> interval, numbers.tolist()
    (0.5, [0, 0, 0, 1, 1])
    """
    steps = np.diff(time)
    interval = float(np.median(steps))
    return interval, np.concatenate([[0], np.cumsum(steps >= GAP * interval)])


def longest(numbers: jaxtyping.Integer[np.ndarray, " time"]) -> jaxtyping.Bool[np.ndarray, " time"]:
    """Which frames belong to the longest stretch, the first of several.

    >>> import numpy as np
    >>> longest(np.array([0, 1, 1, 2, 2])).tolist()
    [False, True, True, False, False]
    """
    return numbers == np.bincount(numbers).argmax()
