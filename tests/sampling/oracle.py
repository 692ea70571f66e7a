"""The joint probability written out in plain Python, apart from the package's own code, and what follows from it by enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import scipy.stats

from yuragi.sampling import Patterns, SamplingSettings, Synapses

Bits = tuple[np.ndarray, ...]


def log_joint_of_bits(synapses: Synapses, bits: Bits, units: tuple[np.ndarray, ...], temper: float = 1.0) -> float:
    """log P(b, s), term by term, the terms of layer L times ``temper``; of the package only signs and settings are used."""
    settings = synapses.settings
    total = 0.0
    for values in bits:
        total += sum(math.log(settings.prior if bit else 1 - settings.prior) for bit in values.ravel())
    for value in units[0].ravel():
        total += math.log(settings.rate if value else 1 - settings.rate)
    for below, values in enumerate(bits):
        for pattern in range(units[0].shape[1]):
            sources = [int(value) for value in units[below][:, pattern]] + [1] * settings.bias
            for post in range(len(values)):
                u = 0.0
                for source, active in enumerate(sources):
                    free = settings.signs == "free" or source == settings.layers[below]
                    sign = math.copysign(1, synapses.steps[below][post, source])
                    weight = sign * int(values[post, source].sum()) - (settings.synapses / 2 if free else 0)
                    u += float(settings.gains[below]) * weight * active
                power = temper if below == len(bits) - 1 else 1.0
                total -= power * math.log1p(math.exp(-u if units[below + 1][post, pattern] else u))
    return total


def with_bit(bits: Bits, below: int, place: tuple[int, int, int], value: int) -> Bits:
    changed = [values.copy() for values in bits]
    changed[below][place] = value
    return tuple(changed)


def with_unit(units: tuple[np.ndarray, ...], layer: int, unit: int, pattern: int, value: int) -> tuple[np.ndarray, ...]:
    changed = [values.copy() for values in units]
    changed[layer][unit, pattern] = value
    return tuple(changed)


def enumerated(synapses: Synapses, patterns: Patterns, temper: float = 1.0) -> dict[tuple[int, ...], float]:
    """P(counts of all connections | clamped units), every state summed over; small networks with K = 1 only."""
    assert synapses.settings.synapses == 1
    shapes = [counts.shape for counts in synapses.counts]
    free = [(layer, int(unit), int(t)) for layer, held in enumerate(patterns.clamped) for unit, t in np.argwhere(~held)]
    found = {}
    for values in itertools.product((0, 1), repeat=sum(a * b for a, b in shapes)):
        flat, place, bits = np.array(values), 0, []
        for a, b in shapes:
            bits.append(flat[place : place + a * b].reshape(a, b, 1))
            place += a * b
        # Given the synapses, patterns are independent: their hidden states are summed over one pattern at a time.
        total = log_joint_of_bits(synapses, tuple(bits), tuple(units[:, :0] for units in patterns.units))
        for pattern in range(patterns.n_patterns):
            own = [(layer, unit) for layer, unit, t in free if t == pattern]
            terms = []
            for states in itertools.product((0, 1), repeat=len(own)):
                units = [values[:, pattern : pattern + 1].copy() for values in patterns.units]
                for (layer, unit), state in zip(own, states, strict=True):
                    units[layer][unit, 0] = state
                terms.append(log_joint_of_bits(synapses, tuple(bits), tuple(units), temper) - log_joint_of_bits(synapses, tuple(bits), _none(units)))
            total += float(np.logaddexp.reduce(terms))
        found[values] = total
    normaliser = float(np.logaddexp.reduce(list(found.values())))
    return {values: math.exp(value - normaliser) for values, value in found.items()}


def _none(units: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    return tuple(values[:, :0] for values in units)


def state_of(synapses: Synapses) -> tuple[int, ...]:
    return tuple(int(value) for counts in synapses.counts for value in counts.ravel())


def fit(states: list[tuple[int, ...]], expected: dict[tuple[int, ...], float]) -> float:
    """p of a chi-square test that the states, nearly independent, have that distribution; rare states are counted together."""
    seen = {state: 0 for state in expected}
    for state in states:
        seen[state] += 1
    order = sorted(expected, key=lambda state: expected[state])
    observed, wanted, pool = [], [], [0.0, 0.0]
    for state in order:
        pool = [pool[0] + seen[state], pool[1] + expected[state] * len(states)]
        if pool[1] >= 10:
            observed.append(pool[0])
            wanted.append(pool[1])
            pool = [0.0, 0.0]
    observed[-1] += pool[0]
    wanted[-1] += pool[1]
    return float(scipy.stats.chisquare(observed, np.array(wanted) * (sum(observed) / sum(wanted))).pvalue)


def tiny(seed: int = 0, patterns: int = 4, clamp_outputs: bool = True, clamp_inputs: bool = True, **options) -> tuple[Synapses, Patterns]:
    """A small network with data at random."""
    generator = np.random.default_rng(seed)
    settings = SamplingSettings(**{"layers": (3, 2, 2), "synapses": 3, "prior": 0.3, "gain": 0.7, "rate": 0.4, **options})
    synapses = Synapses.from_prior(settings, generator)
    last = len(settings.layers) - 1
    clamps = {layer: (generator.integers(0, 2, (patterns, settings.layers[layer])).astype(np.uint8), None) for layer in (0, last)}
    if not clamp_outputs:
        del clamps[last]
    if not clamp_inputs:
        del clamps[0]
    return synapses, Patterns.forward(synapses, clamps, patterns, generator)
