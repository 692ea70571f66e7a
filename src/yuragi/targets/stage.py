"""The covariance spectrum of one stage of the hierarchy."""

from __future__ import annotations

import math
from dataclasses import dataclass

from yuragi.errors import InputError


@dataclass(frozen=True)
class Stage:
    """The covariance spectrum of one stage of the hierarchy: λ_n ∝ n^-α.

    alpha
        α
    alpha_interval
        (low, high), or None where it is unknown
    ranks
        first and last rank of the fit, 1-based and inclusive, or None where they are unknown
    r_squared
        of the fit in log-log coordinates, or None where it is unknown
    """

    alpha: float
    alpha_interval: tuple[float, float] | None = None
    ranks: tuple[int, int] | None = None
    r_squared: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.alpha) and self.alpha > 0):
            raise InputError(f"alpha is {self.alpha:g}; a spectrum that decays has a finite exponent above 0")
        if self.alpha_interval is not None:
            low, high = self.alpha_interval
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise InputError(f"alpha_interval is ({low:g}, {high:g}); give (low, high), or None where it is unknown")
        if self.ranks is not None and not 1 <= self.ranks[0] < self.ranks[1]:
            raise InputError(f"ranks are {self.ranks}; give (first, last) with 1 <= first < last")


def named_stage(name: str, alpha: float, alpha_interval: tuple[float, float] | None, ranks: tuple[int, int] | None, r_squared: float | None) -> Stage:
    """A `Stage` whose `InputError` tells its name."""
    try:
        return Stage(alpha, alpha_interval, ranks, r_squared)
    except InputError as error:
        raise InputError(f"stage {name}: {error}") from error
