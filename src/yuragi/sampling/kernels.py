"""The fast exact sampler: compiled, on whole arrays, with the same distribution as `yuragi.sampling.reference`.

Three facts make it fast, and none of them approximates.

- Given the units, the incoming synapses of different postsynaptic units are independent: they are drawn in parallel, one connection after
  another within a unit.
- The K bits of a connection are exchangeable: their count is drawn at once. Potentials are whole numbers, so that a histogram h of them over the
  patterns with an active presynaptic unit, one table of log σ, and the number m of those patterns in which the postsynaptic unit is silent give
  all K + 1 scores, because log σ(-x) = log σ(x) - x: Σ_t log p(s_t | z_t + v) = Σ_z h(z) log σ(scale (z + v)) - scale m v + constant.
- Given the synapses, patterns are independent: units are drawn one after another within a layer, all patterns in parallel.

Random numbers are SplitMix64 streams, one a postsynaptic unit or pattern, whose starts depend on a key from the caller's generator alone: any
number of threads (`numba.set_num_threads`, or the environment's ``NUMBA_NUM_THREADS``) gives the same bytes. Call it from one thread of Python.

Source of the streams: Steele, Lea & Flood 2014, OOPSLA (10.1145/2660193.2660195).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from yuragi.sampling.model import Patterns, Synapses, log_sigmoid

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S30, S27, S31, S11 = (np.uint64(shift) for shift in (30, 27, 31, 11))
UNIT = 2.0**-53
BLOCK = 128
"""Patterns that one thread samples together: few enough for the cache, enough for vector instructions."""


@numba.njit(inline="always")
def _mixed(x):
    x = (x ^ (x >> S30)) * MIX_1
    x = (x ^ (x >> S27)) * MIX_2
    return x ^ (x >> S31)


@numba.njit(inline="always")
def _start(key, number):
    return _mixed(key + _mixed(np.uint64(number) * GOLDEN + GOLDEN))


@numba.njit(inline="always")
def _uniform(start, number):
    """The number-th of a stream, in (0, 1)."""
    return (float(_mixed(start + np.uint64(number + 1) * GOLDEN) >> S11) + 0.5) * UNIT


@numba.njit(cache=True)
def _active_patterns(units, bias):
    """The patterns in which each source is 1, one source after another, and where each one's part begins; last the bias, with all of them."""
    width, patterns = units.shape
    starts = np.zeros(width + bias + 1, dtype=np.int64)
    for i in range(width):
        total = 0
        for t in range(patterns):
            total += units[i, t]
        starts[i + 1] = starts[i] + total
    if bias:
        starts[width + 1] = starts[width] + patterns
    found = np.empty(starts[-1], dtype=np.int32)
    for i in range(width + bias):
        place = starts[i]
        for t in range(patterns):
            if i == width or units[i, t]:
                found[place] = t
                place += 1
    return found, starts


@numba.njit(cache=True, parallel=True, fastmath={"reassoc", "contract", "nsz"})
def _sample_counts(counts, steps, offsets, log_prior, potentials, post, active, starts, scale, table, power, key):
    """Draw all counts of one set of connections; ``counts`` and ``potentials`` change in place."""
    n_post, n_source = counts.shape
    levels, centre = len(log_prior), len(table) // 2
    for j in numba.prange(n_post):
        start = _start(key, j)
        histogram = np.zeros(len(table))
        scores = np.empty(levels)
        z, s = potentials[j], post[j]
        for i in range(n_source):
            first, last = starts[i], starts[i + 1]
            step, offset = np.int64(steps[j, i]), np.int64(offsets[i])
            present = step * np.int64(counts[j, i]) - offset
            silent, low, high = 0, len(table), -1
            for place in range(first, last):
                t = np.uint64(active[place])  # unsigned: the compiler then checks no index for its sign
                index = z[t] - present + centre
                histogram[np.uint64(index)] += 1.0
                silent += 1 - s[t]
                low, high = min(low, index), max(high, index)
            low = min(low, high + 1)
            occupied = histogram[low : high + 1]
            largest = -math.inf
            for level in range(levels):
                value = step * level - offset
                looked_up = table[low + value : high + 1 + value]
                score = 0.0
                for index in range(len(occupied)):
                    score += occupied[index] * looked_up[index]
                scores[level] = log_prior[level] + power * (score - scale * silent * value)
                largest = max(largest, scores[level])
            occupied[:] = 0.0
            total = 0.0
            for level in range(levels):
                total += math.exp(scores[level] - largest)
                scores[level] = total
            threshold, drawn = _uniform(start, i) * total, 0
            while drawn < levels - 1 and scores[drawn] <= threshold:
                drawn += 1
            change = step * drawn - offset - present
            if change != 0:
                counts[j, i] = drawn
                for place in range(first, last):
                    z[np.uint64(active[place])] += change


@numba.njit(cache=True, parallel=True, fastmath={"reassoc", "contract", "nsz"})
def _sample_units(units, clamped, own, own_scale, base, weights, targets, potentials, scale, table, power, key):
    """Draw all free units of one layer in all patterns; ``units`` and the targets' ``potentials`` change in place."""
    width, n_patterns = units.shape
    n_targets, centre = len(targets), len(table) // 2
    for block in numba.prange((n_patterns + BLOCK - 1) // BLOCK):
        first = block * BLOCK
        size = min(BLOCK, n_patterns - first)
        stop = first + size
        start = np.empty(size, dtype=np.uint64)
        odds, change = np.empty(size), np.empty(size, dtype=np.int32)
        for t in range(size):
            start[t] = _start(key, first + t)
        for j in range(width):
            s, held, z = units[j, first:stop], clamped[j, first:stop], own[j, first:stop]
            for t in range(size):
                odds[t] = base + own_scale * z[t]
            for k in range(n_targets):
                weight = weights[j, k]
                if weight == 0:
                    continue
                felt, target = potentials[k, first:stop], targets[k, first:stop]
                for t in range(size):
                    # log p(s_k | z) = scale s_k z + log σ(-scale z)
                    without = centre - felt[t] + weight * s[t]
                    odds[t] += power * (scale * weight * target[t] + table[np.uint64(without - weight)] - table[np.uint64(without)])
            changed = False
            for t in range(size):
                drawn = s[t]
                if not held[t]:
                    drawn = np.uint8(_uniform(start[t], j) * (1.0 + math.exp(-odds[t])) < 1.0)
                change[t] = np.int32(drawn) - np.int32(s[t])
                changed = changed or change[t] != 0
                s[t] = drawn
            if changed:
                for k in range(n_targets):
                    weight = weights[j, k]
                    felt = potentials[k, first:stop]
                    for t in range(size):
                        felt[t] += weight * change[t]


def log_sigmoid_table(scale: float, bound: int) -> np.ndarray:
    """log σ(scale z) for z = -bound … bound (2 bound + 1,): every potential's, for there are no others.

    >>> log_sigmoid_table(1.0, 1).round(4)
    array([-1.3133, -0.6931, -0.3133])
    """
    return log_sigmoid(scale * np.arange(-bound, bound + 1))


def tables(synapses: Synapses) -> tuple[np.ndarray, ...]:
    """The table of each set of connections; settings and signs alone decide them, so that one sampler needs them once."""
    return tuple(log_sigmoid_table(scale, synapses.bound(below)) for below, scale in enumerate(synapses.settings.scales))


def sample_synapses(
    synapses: Synapses,
    patterns: Patterns,
    table: tuple[np.ndarray, ...],
    generator: np.random.Generator,
    *,
    first: int = 0,
    power: float = 1.0,
) -> None:
    """Draw every connection's count once, given the units; counts and potentials change in place.

    synapses, patterns
        the state
    table
        from `tables`
    generator
        one whole number is drawn for each set of connections
    first
        the connections from this layer on are drawn; those below it stay
    power
        β: the likelihood of layer L has this power; 1 is exact

    >>> from yuragi.sampling import SamplingSettings
    >>> generator = np.random.default_rng(0)
    >>> synapses = Synapses.from_prior(SamplingSettings(layers=(2, 2, 1)), generator)
    >>> patterns = Patterns.forward(synapses, {0: (np.eye(2, dtype=np.uint8), None)}, 2, generator)
    >>> sample_synapses(synapses, patterns, tables(synapses), generator)
    >>> all((synapses.potentials(below, patterns.units[below]) == patterns.potentials[below]).all() for below in (0, 1))
    True
    """
    settings = synapses.settings
    for below, key in enumerate(_keys(generator, len(table))):
        if below < first:
            continue
        active, starts = _active_patterns(patterns.units[below], int(settings.bias))
        _sample_counts(
            synapses.counts[below],
            synapses.steps[below],
            synapses.offsets[below],
            settings.log_prior,
            patterns.potentials[below],
            patterns.units[below + 1],
            active,
            starts,
            settings.scales[below],
            table[below],
            power if below == len(table) - 1 else 1.0,
            key,
        )


def sample_units(
    synapses: Synapses,
    patterns: Patterns,
    table: tuple[np.ndarray, ...],
    generator: np.random.Generator,
    *,
    feedback: bool = True,
    power: float = 1.0,
) -> None:
    """Draw every unit that is not clamped once, given the synapses; units and potentials change in place.

    Arguments as of `sample_synapses`; one whole number is drawn for each layer. Without ``feedback`` the retrograde term is left out.
    """
    settings, last = synapses.settings, len(synapses.settings.layers) - 1
    for layer, key in enumerate(_keys(generator, last + 1)):
        own_power = (power if layer == last - 1 else 1.0) if feedback else 0.0
        if not patterns.sampled[layer]:
            continue
        units = patterns.units[layer]
        if layer:
            own, own_scale, base = patterns.potentials[layer - 1], settings.scales[layer - 1], 0.0
        else:
            own, own_scale, base = np.zeros(units.shape, dtype=np.int32), 0.0, math.log(settings.rate) - math.log1p(-settings.rate)
        if layer < last:
            weights = np.ascontiguousarray(synapses.weights(layer).T)
            targets, potentials, scale, looked_up = patterns.units[layer + 1], patterns.potentials[layer], settings.scales[layer], table[layer]
        else:
            weights, targets = np.zeros((len(units), 0), dtype=np.int32), np.zeros((0, patterns.n_patterns), dtype=np.uint8)
            potentials, scale, looked_up = np.zeros((0, patterns.n_patterns), dtype=np.int32), 0.0, table[0]
        _sample_units(units, patterns.clamped[layer], own, own_scale, base, weights, targets, potentials, scale, looked_up, own_power, key)


def _keys(generator: np.random.Generator, number: int) -> np.ndarray:
    return generator.integers(0, 2**64, number, dtype=np.uint64)
