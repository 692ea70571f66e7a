"""Many tests at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def holm(p: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """Holm's correction: p-values that may each be compared with the error rate of the whole family.

    p̃_(i) = max_{j≤i} min(1, (m - j + 1) p_(j)) over the m ordered values. Source: Holm 1979, Scandinavian Journal of Statistics 6:65-70.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected
