"""Whether spontaneous activity resembles activity evoked by stimuli, averaged over them.

For a network that has learned the distribution of its data, the average over data of the posterior of causes is their prior:

    Σ_x P(h | x) P(x) = P(h)

Evoked activity samples the left side, spontaneous activity the right one. Berkes et al. 2011 (10.1126/science.1195870) look for that equality in the
visual cortex, by the divergence between the distributions of joint patterns of small groups of units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from yuragi.errors import InputError

PSEUDO_COUNT = 0.5
MOST_UNITS = 16


@dataclass(frozen=True)
class Divergences:
    """Divergences from evoked activity in bits, each a mean over groups of units (group,) and from equally many draws.

    spontaneous
        KL(evoked ‖ spontaneous)
    halves
        KL(evoked ‖ other half of evoked): what finite draws, and finitely many stimuli, alone give; the level of no difference
    independent_spontaneous
        KL(evoked ‖ spontaneous with its units shuffled independently): the same rates, no correlations
    independent_evoked
        KL(evoked ‖ evoked with its units shuffled independently): all that evoked correlations hold
    """

    spontaneous: np.ndarray
    halves: np.ndarray
    independent_spontaneous: np.ndarray
    independent_evoked: np.ndarray

    @property
    def excess(self) -> np.ndarray:
        """Divergence of spontaneous activity beyond that of two halves of evoked activity (group,); around 0 where the two are alike."""
        return self.spontaneous - self.halves


def divergences(
    evoked: np.ndarray,
    spontaneous: np.ndarray,
    generator: np.random.Generator,
    *,
    stimuli: np.ndarray | None = None,
    group_size: int = 8,
    groups: int = 30,
) -> Divergences:
    """Divergence between the distributions of joint patterns in evoked and in spontaneous activity, with its controls.

        KL(p ‖ q) = Σ_z p(z) log₂ p(z) / q(z),    p(z) = (n(z) + 1/2) / (n + 2^g / 2)

    over the 2^g patterns z of a group of g units. Finite draws make any such divergence positive. All divergences here are therefore between sets of
    as many draws (half of the smaller recording), and that between two halves of evoked activity is the level of no difference.

    evoked, spontaneous
        states of the same units (draw, unit), 0 or 1
    generator
        chooses groups and halves, and shuffles
    stimuli
        which stimulus evoked each draw (draw,). The two halves then hold different stimuli, so that their divergence has the error of finitely many
        stimuli, as that of spontaneous activity has. None: draws are divided as if each had a stimulus of its own
    group_size
        g, up to 16; patterns should be much fewer than draws
    groups
        random groups of units that are looked at. Units that are the same in all draws of both are left out: they differ from nothing

    Errors: `InputError` for states that are not binary, of different widths or too few, and fewer units than a group.

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
    half = min(len(first), len(second)) // 2
    pooled = first.mean(axis=0) + second.mean(axis=0)
    live = np.flatnonzero((pooled > 0) & (pooled < 2))
    if not 1 <= group_size <= min(MOST_UNITS, len(live)):
        raise InputError(f"group_size = {group_size}: {len(live)} units change; give 1 … {min(MOST_UNITS, len(live))}")
    if half < 2 or groups < 1:
        raise InputError(f"evoked, spontaneous, groups: {len(first)} and {len(second)} draws, {groups} groups; give 4 draws and 1 group or more")
    one, other = _halves(first, stimuli, half, generator)
    resting = second[generator.permutation(len(second))[: len(one)]]
    against = (resting, other, generator.permuted(resting, axis=0), generator.permuted(other, axis=0))
    found = np.empty((4, groups))
    for number in range(groups):
        chosen = generator.choice(live, group_size, replace=False)
        reference = _pattern_probabilities(one[:, chosen])
        for place, states in enumerate(against):
            probabilities = _pattern_probabilities(states[:, chosen])
            found[place, number] = (reference * np.log2(reference / probabilities)).sum()
    return Divergences(*found)


@dataclass(frozen=True)
class CorrelationSimilarity:
    """How alike the pairwise correlations of two kinds of activity are: Pearson's correlation over pairs of units.

    similarity
        of evoked with spontaneous activity
    halves
        of one half of evoked activity with the other: as high as it can be with so many draws
    shuffled
        of evoked with spontaneous activity whose units have changed names: chance
    """

    similarity: float
    halves: float
    shuffled: float


def correlation_similarity(
    evoked: np.ndarray, spontaneous: np.ndarray, generator: np.random.Generator, *, stimuli: np.ndarray | None = None
) -> CorrelationSimilarity:
    """Pearson's correlation, over pairs of units, of their correlations in evoked and in spontaneous activity.

    evoked, spontaneous
        states or counts of the same units (draw, unit)
    generator
        divides draws into halves, of equal size in all comparisons, and renames units
    stimuli
        as of `divergences`

    Units that never change in one of the parts are left out; NaN with fewer than three left.

    >>> generator = np.random.default_rng(0)
    >>> mixed = generator.standard_normal((6, 6))
    >>> first, second = (generator.standard_normal((4000, 6)) @ mixed for _ in range(2))
    >>> bool(correlation_similarity(first, second, generator).similarity > 0.98)
    True
    """
    first, second = np.asarray(evoked, dtype=float), np.asarray(spontaneous, dtype=float)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or min(len(first), len(second)) < 4:
        raise InputError(f"evoked, spontaneous: shapes {first.shape} and {second.shape}; give (draw, unit) of the same units, 4 draws or more")
    half = min(len(first), len(second)) // 2
    one, other = _halves(first, stimuli, half, generator)
    parts = one, other, second[generator.permutation(len(second))[: len(one)]]
    live = np.logical_and.reduce([part.std(axis=0) > 0 for part in parts])
    if live.sum() < 3:
        return CorrelationSimilarity(float("nan"), float("nan"), float("nan"))
    one, other, resting = (np.corrcoef(part[:, live], rowvar=False) for part in parts)
    renamed = generator.permutation(len(resting))
    pairs = np.triu_indices(len(one), k=1)
    return CorrelationSimilarity(*(_alike(one[pairs], matrix[pairs]) for matrix in (resting, other, resting[np.ix_(renamed, renamed)])))


def _halves(states: np.ndarray, stimuli: np.ndarray | None, half: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of at most ``half`` states each, of different stimuli where these are told."""
    if stimuli is None:
        order = generator.permutation(len(states))
        return states[order[:half]], states[order[half : 2 * half]]
    names, owner = np.unique(stimuli, return_inverse=True)
    place = generator.permutation(len(names))[owner]
    one, other = states[place < len(names) // 2], states[place >= (len(names) + 1) // 2]
    size = min(half, len(one), len(other))
    if size < 2:
        raise InputError(f"stimuli: {len(names)} of them; two halves of different stimuli need 2 draws each, so give more")
    return generator.permutation(one)[:size], generator.permutation(other)[:size]


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
