"""Exact sequential Gibbs sampling in plain Python: bit after bit, and unit after unit in pattern after pattern. Clear rather than fast.

One step draws one variable from its distribution given all others, so that the joint distribution of synapses and units is left as it is.
Repeated, the state is a sample of the posterior. It is what `yuragi.sampling.kernels` is compared with.
"""

from __future__ import annotations

import math

import numpy as np

from yuragi.sampling import conditionals
from yuragi.sampling.model import Patterns, Synapses


def bits_of(synapses: Synapses, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Bits with the given counts, n out of K at random: (post, source, synapse) uint8 for each set of connections.

    >>> from yuragi.sampling import SamplingSettings
    >>> synapses = Synapses.from_prior(SamplingSettings(layers=(2, 2), synapses=3), np.random.default_rng(0))
    >>> bits = bits_of(synapses, np.random.default_rng(1))
    >>> bool((bits[0].sum(axis=2) == synapses.counts[0]).all())
    True
    """
    k = synapses.settings.synapses
    order = [generator.random((*counts.shape, k)).argsort(axis=2).argsort(axis=2) for counts in synapses.counts]
    return tuple((rank < counts[:, :, None]).astype(np.uint8) for rank, counts in zip(order, synapses.counts, strict=True))


def reference_sweep(synapses: Synapses, bits: tuple[np.ndarray, ...], patterns: Patterns, generator: np.random.Generator) -> None:
    """Every unit that is not clamped once, and every binary synapse once; ``bits``, counts, units and potentials change in place.

    synapses, patterns
        the state
    bits
        from `bits_of`; their sums are the counts

    >>> from yuragi.sampling import SamplingSettings
    >>> generator = np.random.default_rng(0)
    >>> synapses = Synapses.from_prior(SamplingSettings(layers=(2, 2, 1), synapses=3), generator)
    >>> patterns = Patterns.forward(synapses, {0: (np.eye(2, dtype=np.uint8), None)}, 2, generator)
    >>> bits = bits_of(synapses, generator)
    >>> reference_sweep(synapses, bits, patterns, generator)
    >>> all((synapses.potentials(below, patterns.units[below]) == patterns.potentials[below]).all() for below in (0, 1))
    True
    """
    for layer, sampled in enumerate(patterns.sampled):
        if sampled:
            for unit in range(synapses.settings.layers[layer]):
                for pattern in np.flatnonzero(~patterns.clamped[layer][unit]):
                    sample_unit(synapses, patterns, layer, unit, int(pattern), generator)
    for below, values in enumerate(bits):
        for post, source, synapse in np.ndindex(*values.shape):
            sample_bit(synapses, values, patterns, below, (post, source, synapse), generator)


def sample_unit(synapses: Synapses, patterns: Patterns, layer: int, unit: int, pattern: int, generator: np.random.Generator) -> None:
    """Draw one unit in one pattern, and carry its change to its targets' potentials."""
    odds = conditionals.unit_log_odds_in(synapses, patterns, layer, unit, pattern)
    old, new = int(patterns.units[layer][unit, pattern]), int(_draw(float(odds[0]), generator))
    patterns.units[layer][unit, pattern] = new
    if new != old and layer < len(patterns.potentials):
        patterns.potentials[layer][:, pattern] += (new - old) * synapses.weights_from(layer, unit)


def sample_bit(
    synapses: Synapses, bits: np.ndarray, patterns: Patterns, below: int, place: tuple[int, int, int], generator: np.random.Generator
) -> None:
    """Draw one binary synapse, (post, source, synapse) of the connections from layer ``below``, and carry its change to the potentials."""
    post, source, _ = place
    old = int(bits[place])
    new = int(_draw(conditionals.bit_log_odds_in(synapses, patterns, below, post, source, old), generator))
    if new == old:
        return
    bits[place] = new
    counts, change = synapses.counts[below], new - old
    counts[post, source] = int(counts[post, source]) + change
    felt = conditionals.presynaptic(synapses, patterns, below, source).astype(np.int32)
    patterns.potentials[below][post] += change * int(synapses.steps[below][post, source]) * felt


def _draw(log_odds: float, generator: np.random.Generator) -> bool:
    """True with probability σ(log odds)."""
    uniform = generator.random()
    # log u / (1 - u) has the logistic distribution; 0 and 1 are left out by the clip.
    uniform = min(max(uniform, 1e-300), 1 - 2**-53)
    return math.log(uniform) - math.log1p(-uniform) < log_odds
