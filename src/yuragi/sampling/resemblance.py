"""Whether spontaneous activity resembles activity evoked by stimuli, averaged over them.

For a network that has learned the distribution of its data, the average over data of the posterior of causes is their prior:

    Σ_x P(h | x) P(x) = P(h)

Evoked activity samples the left side, spontaneous activity the right one. Berkes et al. 2011 (10.1126/science.1195870) look for that equality in the
visual cortex, by the divergence between the distributions of joint patterns of small groups of units.

Any measure of unlikeness between finite sets of draws is above 0, so that a level is needed: what it is where the two kinds of activity are alike.
Both are therefore held against the same thing, all evoked activity of one half A of the stimuli: n spontaneous draws C, and n evoked draws B, one of
each of n stimuli of the other half. Where activity is alike, B and C are draws from one distribution, as many, independent of each other and of A.
Then any measure f has E f(A, C) = E f(A, B), whatever its own bias, and the excess f(A, C) - f(A, B) is 0 in the mean.

One draw of each stimulus is what this rests on. Several draws of one stimulus are alike, so that a B of them is as uneven as few draws are, while C
is not: f(A, B) is then too large, and the excess too small, in favour of likeness. All is averaged over many divisions: no draw is wasted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass

import numpy as np

from yuragi.errors import InputError

PSEUDO_COUNT = 0.5
MOST_UNITS = 16


@dataclass(frozen=True)
class Divergences:
    """Divergences from evoked activity of half the stimuli in bits, each a mean over divisions of the stimuli (group,), and to equally many draws.

    spontaneous
        KL(evoked ‖ spontaneous)
    halves
        KL(evoked ‖ evoked by the other half of the stimuli, one draw of each): what finite draws alone give; the level of no difference
    independent_spontaneous
        KL(evoked ‖ spontaneous with its units shuffled independently): the same rates, no correlations
    independent_evoked
        KL(evoked ‖ evoked by the other half, with its units shuffled independently): all that evoked correlations hold
    """

    spontaneous: np.ndarray
    halves: np.ndarray
    independent_spontaneous: np.ndarray
    independent_evoked: np.ndarray

    @property
    def excess(self) -> np.ndarray:
        """Divergence of spontaneous activity beyond that of the other half of evoked activity (group,); 0 in the mean where the two are alike."""
        return self.spontaneous - self.halves


def divergences(
    evoked: np.ndarray,
    spontaneous: np.ndarray,
    generator: np.random.Generator,
    *,
    stimuli: np.ndarray | None = None,
    group_size: int = 8,
    groups: int = 30,
    divisions: int = 50,
) -> Divergences:
    """Divergence between the distributions of joint patterns in evoked and in spontaneous activity, with its controls.

        KL(p ‖ q) = Σ_z p(z) log₂ p(z) / q(z),    p(z) = (n(z) + 1/2) / (n + 2^g / 2)

    over the 2^g patterns z of a group of g units. p is from all evoked draws of one half of the stimuli. q is from n draws, the same n in all
    divergences: half the stimuli, or all spontaneous draws where they are fewer. The module says why. Where activity differs, the counts of 1/2 take
    the excess towards 0, the more the fewer draws a pattern has. At three draws a pattern they take off about a seventh of a divergence below a
    quarter of a bit, and a third of one above a bit.

    evoked, spontaneous
        states of the same units (draw, unit), 0 or 1; spontaneous draws are independent
    generator
        chooses groups, divisions and draws, and shuffles
    stimuli
        which stimulus evoked each draw (draw,). None: each had a stimulus of its own
    group_size
        g, up to 16; patterns should be fewer than stimuli
    groups
        random groups of units that are looked at. Units that are the same in all draws of both are left out: they differ from nothing
    divisions
        random divisions of the stimuli, each with draws of its own, that are averaged

    Errors: `InputError` for states that are not binary, of different widths or too few, fewer than four stimuli, and fewer units than a group.

    >>> generator = np.random.default_rng(0)
    >>> shared = generator.random((4000, 1)) < 0.5
    >>> correlated = shared ^ (generator.random((4000, 6)) < 0.1)
    >>> found = divergences(correlated[:2000], correlated[2000:], generator, group_size=4, groups=5)
    >>> bool(abs(found.excess.mean()) < 0.02), bool(found.independent_evoked.mean() > 1)
    (True, True)
    """
    first, second = _states(evoked, "evoked"), _states(spontaneous, "spontaneous")
    if first.shape[1] != second.shape[1]:
        raise InputError(f"evoked, spontaneous: {first.shape[1]} and {second.shape[1]} units; give the same units of both")
    pooled = first.mean(axis=0) + second.mean(axis=0)
    live = np.flatnonzero((pooled > 0) & (pooled < 2))
    if not 1 <= group_size <= min(MOST_UNITS, len(live)):
        raise InputError(f"group_size = {group_size}: {len(live)} units change; give 1 … {min(MOST_UNITS, len(live))}")
    if groups < 1:
        raise InputError(f"groups: {groups} groups; give 1 or more")
    chosen = [generator.choice(live, group_size, replace=False) for _ in range(groups)]
    found = np.zeros((4, groups))
    for reference, other, resting in _divided(first, second, stimuli, divisions, generator):
        against = (resting, other, generator.permuted(resting, axis=0), generator.permuted(other, axis=0))
        for number, units in enumerate(chosen):
            expected = _pattern_probabilities(reference[:, units])
            for place, states in enumerate(against):
                found[place, number] += (expected * np.log2(expected / _pattern_probabilities(states[:, units]))).sum()
    return Divergences(*(found / divisions))


@dataclass(frozen=True)
class CorrelationSimilarity:
    """How alike the pairwise correlations of two kinds of activity are: Pearson's correlation over pairs of units, a mean over divisions of stimuli.

    similarity
        of evoked with spontaneous activity
    halves
        of evoked activity with that evoked by the other half of the stimuli, one draw of each: what it is, in the mean, where the two are alike
    shuffled
        of evoked with spontaneous activity whose units have changed names: chance
    """

    similarity: float
    halves: float
    shuffled: float


def correlation_similarity(
    evoked: np.ndarray, spontaneous: np.ndarray, generator: np.random.Generator, *, stimuli: np.ndarray | None = None, divisions: int = 50
) -> CorrelationSimilarity:
    """Pearson's correlation, over pairs of units, of their correlations in evoked and in spontaneous activity.

    evoked, spontaneous
        states or counts of the same units (draw, unit); spontaneous draws are independent
    generator
        chooses divisions and draws, equally many of all that is compared, and renames units
    stimuli, divisions
        as of `divergences`

    Units that never change in one of the parts are left out; NaN where a division has fewer than three left. Few draws make all these numbers
    smaller: the similarity is to be read beside that of halves.

    >>> generator = np.random.default_rng(0)
    >>> mixed = generator.standard_normal((6, 6))
    >>> first, second = (generator.standard_normal((4000, 6)) @ mixed for _ in range(2))
    >>> bool(correlation_similarity(first, second, generator).similarity > 0.98)
    True
    """
    first, second = np.asarray(evoked, dtype=float), np.asarray(spontaneous, dtype=float)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise InputError(f"evoked, spontaneous: shapes {first.shape} and {second.shape}; give (draw, unit) of the same units")
    found = [_similarity(*parts, generator) for parts in _divided(first, second, stimuli, divisions, generator)]
    return CorrelationSimilarity(*(float(value) for value in np.mean([astuple(one) for one in found], axis=0)))


def _similarity(reference: np.ndarray, other: np.ndarray, resting: np.ndarray, generator: np.random.Generator) -> CorrelationSimilarity:
    live = np.logical_and.reduce([part.std(axis=0) > 0 for part in (reference, other, resting)])
    renamed = generator.permutation(int(live.sum()))
    if len(renamed) < 3:
        return CorrelationSimilarity(float("nan"), float("nan"), float("nan"))
    one, another, own = (np.corrcoef(part[:, live], rowvar=False) for part in (reference, other, resting))
    pairs = np.triu_indices(len(one), k=1)
    return CorrelationSimilarity(*(_alike(one[pairs], matrix[pairs]) for matrix in (own, another, own[np.ix_(renamed, renamed)])))


def _divided(
    evoked: np.ndarray, spontaneous: np.ndarray, stimuli: np.ndarray | None, divisions: int, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each division: all draws of one half of the stimuli; one draw of each stimulus of the other half; equally many spontaneous draws."""
    owner = np.arange(len(evoked)) if stimuli is None else np.unique(stimuli, return_inverse=True)[1].reshape(-1)
    if len(owner) != len(evoked):
        raise InputError(f"stimuli: {len(owner)} of them for {len(evoked)} draws; give one for each draw")
    number = len(np.unique(owner))
    size = min(number // 2, len(spontaneous))
    if size < 2:
        raise InputError(f"stimuli: {number} of them and {len(spontaneous)} spontaneous draws; give 4 stimuli, and 2 draws, or more")
    if divisions < 1:
        raise InputError(f"divisions = {divisions}: give 1 or more")
    for _ in range(divisions):
        order, place = generator.permutation(len(evoked)), generator.permutation(number)
        single = order[np.unique(owner[order], return_index=True)[1]]
        there = np.flatnonzero(place >= number - size)
        yield evoked[place[owner] < number // 2], evoked[single[there]], spontaneous[generator.permutation(len(spontaneous))[:size]]


def _states(values: np.ndarray, where: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 2 or ((array != 0) & (array != 1)).any():
        raise InputError(f"{where}: shape {array.shape}; give states (draw, unit) of 0 and 1")
    return array.astype(np.uint8)


def _pattern_probabilities(states: np.ndarray) -> np.ndarray:
    size = states.shape[1]
    counts = np.bincount(states.astype(np.int64) @ (1 << np.arange(size)), minlength=1 << size) + PSEUDO_COUNT
    return counts / counts.sum()


def _alike(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first, second)[0, 1]) if first.std() > 0 and second.std() > 0 else float("nan")
