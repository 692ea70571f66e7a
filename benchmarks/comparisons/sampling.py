"""A sweep of learning by sampling: the fast sampler against plain Python, bit after bit and unit after unit, of which a part is run."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.peers import Comparison, Sides
from yuragi.sampling import Patterns, SamplingSettings, Synapses
from yuragi.sampling.kernels import sample_synapses, sample_units, tables
from yuragi.sampling.reference import bits_of, sample_bit, sample_unit

LAYERS, PATTERNS, ACTIVE = (784, 200, 10), 1000, 0.15
PARTS = 200
"""The reference runs one of so many parts of a sweep, with the same mix: 785 of 157,000 connections below, 10 of 2,010 above, 5 of 1,000 patterns."""

State = tuple[Synapses, Patterns]


def state(layers: tuple[int, ...], patterns: int) -> State:
    """Synapses from the prior, random inputs and labels, hidden units a forward draw."""
    generator = np.random.default_rng(0)
    synapses = Synapses.from_prior(SamplingSettings(layers=layers), generator)
    inputs = (generator.random((patterns, layers[0])) < ACTIVE).astype(np.uint8)
    labels = np.eye(layers[-1], dtype=np.uint8)[generator.integers(0, layers[-1], patterns)]
    return synapses, Patterns.forward(synapses, {0: (inputs, None), len(layers) - 1: (labels, None)}, patterns, generator)


def sweep(layers: tuple[int, ...], patterns: int) -> Sides:
    """All units and synapses once, and of the reference a part: all sources of one hidden unit, one source of each output, a few patterns."""
    fast, slow = state(layers, patterns), state(layers, patterns)
    table, bits = tables(fast[0]), bits_of(slow[0], np.random.default_rng(1))
    generator = np.random.default_rng(2)

    def ours() -> State:
        sample_units(*fast, table, generator)
        sample_synapses(*fast, table, generator)
        return fast

    def peer() -> State:
        for unit in range(layers[1]):
            for pattern in range(patterns // PARTS):
                sample_unit(*slow, 1, unit, pattern, generator)
        for below, posts in enumerate(([0], range(layers[2]))):
            for post in posts:
                for source in range(bits[below].shape[1]) if below == 0 else [post]:
                    for synapse in range(bits[below].shape[2]):
                        sample_bit(slow[0], bits[below], slow[1], below, (post, source, synapse), generator)
        return slow

    return Sides(ours, peer)


def disagreement(*states: State) -> float:
    """The largest difference of a potential that was kept up to date from one computed anew; that both draw from one distribution is tested."""
    found = 0
    for synapses, patterns in states:
        for below, kept in enumerate(patterns.potentials):
            found = max(found, int(np.abs(kept - synapses.potentials(below, patterns.units[below])).max()))
    return float(found)


COMPARISONS = (
    Comparison(
        name=f"sampling: a full sweep of {'-'.join(map(str, LAYERS))}, 8 synapses a connection, {PATTERNS:,} patterns",
        peer=f"the plain Python reference, extrapolated from a {PARTS}th of a sweep",
        prepare=partial(sweep, LAYERS, PATTERNS),
        difference=disagreement,
        faster=50,
        parts=PARTS,
        # Compiled code loads on first use.
        warm_up=partial(sweep, (20, 10, 3), PARTS),
    ),
)
