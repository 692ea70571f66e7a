"""Eigenmoments of the signal's covariance from products of two repeats: traces over chains of different stimuli."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Int

BLOCK = 112
"""Side of the blocks of triangular products: below it the calls cost more than the zeros that they save."""


def chain_traces(cross: Float[np.ndarray, "pair pair"], moments: int, labels: Int[np.ndarray, " pair"] | None = None) -> Float[np.ndarray, " moment"]:
    """Sums over chains of stimuli, each further on in the list than the one before.

        T_1 = Σ_i A_ii,     T_p = Σ_{i1 < i2 < … < ip} A_i1i2 A_i2i3 … A_ipi1 = tr(F^(p-1) L)

    with F and L the strictly upper and lower parts of A. Powers come in small and large steps, F, …, F^a and L, F^a L, F^2a L, …, whose elementwise
    products sum to all traces: four matrix products for ten moments, each at a sixth of its full cost, since only triangles are filled.

    cross
        A, inner products between the first repeats (rows) and the second repeats (columns)
    moments
        how many T_p
    labels
        ascending; where two share a label, the step between them counts as none: i < j means that i's label is lower
    """
    above, below = np.triu(cross, 1), np.tril(cross, -1)
    if labels is not None:
        same = labels[:, None] == labels[None, :]
        above[same] = below[same] = 0.0
    traces = [np.trace(cross)]
    step = math.ceil(math.sqrt(moments - 1)) if moments > 1 else 1
    small = [above]
    while len(small) < min(step, moments - 1):
        small.append(_upper_product(small[-1], above))
    while len(traces) < moments:
        if len(traces) > 1:
            below = _lower_product(small[-1], below)
        columns = np.ascontiguousarray(below.T)
        traces += [np.vdot(columns, power) for power in small[: moments - len(traces)]]
    return np.array(traces)


def chain_counts(pairs: int, moments: int, labels: Int[np.ndarray, " pair"] | None = None) -> Float[np.ndarray, " moment"]:
    """How many chains each trace sums: n over p, or with labels the elementary symmetric polynomial of their counts; n for the first."""
    if labels is None:
        return np.array([math.comb(pairs, p) for p in range(1, moments + 1)], dtype=np.float64)
    counts = np.zeros(moments + 1)
    counts[0] = 1.0
    for size in np.unique(labels, return_counts=True)[1]:
        counts[1:] += size * counts[:-1]
    return counts[1:]


def _upper_product(left: Float[np.ndarray, "n n"], right: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """The product of two upper triangular matrices."""
    n = len(left)
    product = np.zeros((n, n))
    for row in range(0, n, BLOCK):
        rows = slice(row, row + BLOCK)
        for column in range(row, n, BLOCK):
            end = min(column + BLOCK, n)
            np.matmul(left[rows, row:end], right[row:end, column:end], out=product[rows, column:end])
    return product


def _lower_product(upper: Float[np.ndarray, "n n"], lower: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """The strictly lower part of the product of an upper and a lower triangular matrix."""
    n = len(upper)
    product = np.zeros((n, n))
    for row in range(0, n, BLOCK):
        rows = slice(row, row + BLOCK)
        for column in range(0, row + 1, BLOCK):
            columns = slice(column, column + BLOCK)
            np.matmul(upper[rows, row:], lower[row:, columns], out=product[rows, columns])
        product[rows, rows] = np.tril(product[rows, rows], -1)
    return product


@dataclasses.dataclass(frozen=True)
class CrossGram:
    """Inner products of all stimuli between two repeats; any resampling of the stimuli picks its moments from them.

    values
        G = X1 X2', `(stimulus, stimulus)`
    groups
        positions of the stimuli of each independent group, or None where each stimulus is independent
    """

    values: Float[np.ndarray, "stimulus other"]
    groups: list[np.ndarray] | None = None

    @property
    def independent(self) -> int:
        """Independent stimuli, or groups."""
        return len(self.values) if self.groups is None else len(self.groups)

    def moments(
        self, moments: int, orders: int, generator: np.random.Generator, members: Int[np.ndarray, " member"] | None = None
    ) -> Float[np.ndarray, " moment"]:
        """Unbiased estimates of tr Σ^p, p = 1 … moments, averaged over random orders; ``members`` chooses some of the stimuli (or groups)."""
        members = np.arange(self.independent) if members is None else members
        return np.mean([self._ordered(moments, generator.permutation(members), generator) for _ in range(orders)], axis=0)

    def squared_trace(self, orders: int, generator: np.random.Generator) -> float:
        """An unbiased estimate of (tr Σ)², from products of different stimuli (or pairs of groups), averaged over random orders."""
        found = []
        for _ in range(orders):
            left, right, labels = self._pairs(generator.permutation(self.independent), generator)
            g = self.values
            own = (g[left, left] - g[left, right] - g[right, left] + g[right, right]) / 2
            labels = np.arange(len(own)) if labels is None else labels
            sums, sizes = np.bincount(labels, own), np.bincount(labels).astype(np.float64)
            found.append((sums.sum() ** 2 - np.square(sums).sum()) / (sizes.sum() ** 2 - np.square(sizes).sum()))
        return float(np.mean(found))

    def half_differences(self, moments: int, orders: int, splits: int, generator: np.random.Generator) -> Float[np.ndarray, "split moment"]:
        """Half the difference between the moments of the two halves of the stimuli, for random halves.

        Halves are independent of each other, so these differences have the covariance of the moments of all stimuli.
        """
        differences = []
        for _ in range(splits):
            members = generator.permutation(self.independent)
            half = len(members) // 2
            first, second = (self.moments(moments, orders, generator, part) for part in (members[:half], members[half : 2 * half]))
            differences.append((first - second) / 2)
        return np.array(differences)

    def _ordered(self, moments: int, members: Int[np.ndarray, " member"], generator: np.random.Generator) -> Float[np.ndarray, " moment"]:
        left, right, labels = self._pairs(members, generator)
        cross = pair_products(self.values, left, right)
        return chain_traces(cross, moments, labels) / chain_counts(len(left), moments, labels)

    def _pairs(self, members: Int[np.ndarray, " member"], generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Stimuli to be subtracted from each other, and to which independent pair of groups each difference belongs."""
        half = len(members) // 2
        if self.groups is None:
            return members[:half], members[half : 2 * half], None
        left, right, labels = [], [], []
        for label in range(half):
            one, other = (generator.permutation(self.groups[members[position]]) for position in (label, half + label))
            count = min(len(one), len(other))
            left.append(one[:count])
            right.append(other[:count])
            labels.append(np.full(count, label))
        return np.concatenate(left), np.concatenate(right), np.concatenate(labels)


def pair_products(
    gram: Float[np.ndarray, "stimulus other"], left: Int[np.ndarray, " pair"], right: Int[np.ndarray, " pair"]
) -> Float[np.ndarray, "pair pair"]:
    """A = Z1 Z2' of the differences Z = (X[left] - X[right]) / √2, from G = X1 X2' alone."""
    # Rows first, since they lie together in memory.
    rows = gram[left]
    rows -= gram[right]
    cross = rows.take(left, axis=1)
    cross -= rows.take(right, axis=1)
    cross *= 0.5
    return cross
