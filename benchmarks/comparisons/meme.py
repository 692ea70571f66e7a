"""Eigenmoments of one resampling beside the products that they need, and beside the published algorithm as it reads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.peers import Comparison, Sides
from yuragi.spectra.cycle_moments import CrossGram

MOMENTS = 10
PRODUCTS = 4
"""Matrix products that the traces of ten moments need: F², F³, F³ A and F³ (F³ A)."""


def responses(stimuli: int, units: int) -> np.ndarray:
    """Two repeats whose signal has the spectrum 1/n."""
    generator = np.random.default_rng(0)
    signal = generator.standard_normal((stimuli, units)) * np.arange(1, units + 1) ** -0.5
    return signal + 0.05 * generator.standard_normal((2, stimuli, units))


def resampled(stimuli: int) -> np.ndarray:
    """The stimuli of one bootstrap, in their order."""
    return np.random.default_rng(1).permutation(stimuli)


class Fixed(np.random.Generator):
    """Leaves every order as it is, so that both sides see the same one."""

    def permutation(self, x: Any, axis: int = 0) -> np.ndarray:
        return np.asarray(x)


def ours(stimuli: int, units: int) -> Any:
    """The moments of a bootstrap from the products of all stimuli, which are made once."""
    first, second = responses(stimuli, units)
    gram, order = CrossGram(first @ second.T), resampled(stimuli)
    fixed = Fixed(np.random.PCG64(0))
    return lambda: gram.moments(MOMENTS, 1, fixed, order)


def as_published(stimuli: int, units: int) -> Any:
    """Differences of pairs, their products, and one product with the strictly upper part for every further moment."""
    first, second = responses(stimuli, units)
    order, pairs = resampled(stimuli), stimuli // 2

    def moments() -> np.ndarray:
        one, two = ((half[order[:pairs]] - half[order[pairs:]]) / np.sqrt(2) for half in (first, second))
        cross = one @ two.T
        above, power, found = np.triu(cross, 1), cross, []
        for p in range(1, MOMENTS + 1):
            found.append(np.trace(power) / math.comb(pairs, p))
            power = above @ power
        return np.array(found)

    return moments


def floor(stimuli: int, units: int) -> Sides:
    """Dense products of the pairs' size, as many as the moments need, and nothing else."""
    pairs = stimuli // 2
    matrix, target = np.random.default_rng(0).standard_normal((pairs, pairs)), np.empty((pairs, pairs))

    def products() -> None:
        for _ in range(PRODUCTS):
            np.matmul(matrix, matrix, out=target)

    return Sides(ours(stimuli, units), products)


def half_empty_floor(stimuli: int, units: int) -> Sides:
    """The multiplications of these products that meet no zero and fill a triangle: a sixth of them, at the rate of a dense product."""
    pairs = stimuli // 2
    matrix, part = np.random.default_rng(0).standard_normal((pairs, pairs)), math.ceil(PRODUCTS * pairs / 6)
    columns, target = np.ascontiguousarray(matrix[:, :part]), np.empty((pairs, part))
    return Sides(ours(stimuli, units), lambda: np.matmul(matrix, columns, out=target))


def relative(found: np.ndarray, other: np.ndarray) -> float:
    """The largest relative difference of a moment."""
    return float(np.abs(found / other - 1).max())


COMPARISONS = (
    Comparison(
        name="MEME bootstrap, 10 moments, 2,800 stimuli x 10,000 units",
        peer="floor: the four products of 1,400 pairs, dense",
        prepare=lambda: floor(2800, 10_000),
        faster=1 / 1.5,
        warm_up=lambda: floor(100, 40),
    ),
    Comparison(
        name="MEME bootstrap, 10 moments, 2,800 stimuli x 10,000 units",
        peer="floor: only the multiplications that meet no zero",
        prepare=lambda: half_empty_floor(2800, 10_000),
        warm_up=lambda: half_empty_floor(100, 40),
    ),
    Comparison(
        name="MEME bootstrap, 10 moments, 2,800 stimuli x 10,000 units",
        peer="the published algorithm, straightforwardly",
        prepare=lambda: Sides(ours(2800, 10_000), as_published(2800, 10_000)),
        difference=relative,
        tolerance=1e-10,
        faster=4.0,
        rounds=3,
        warm_up=lambda: Sides(ours(100, 40), as_published(100, 40)),
    ),
)
