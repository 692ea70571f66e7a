"""Every conditional against the joint, enumerated; the fast sampler's numbers against the conditionals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.sampling.oracle import log_joint_of_bits, tiny, with_bit, with_unit

from yuragi.sampling import SamplingSettings, Synapses, log_joint
from yuragi.sampling import conditionals as closed
from yuragi.sampling.kernels import sample_synapses, sample_units, tables
from yuragi.sampling.reference import bits_of

NETWORKS = [
    {"signs": signs, "layers": layers, "synapses": synapses, "bias": bias}
    for signs, layers, synapses, bias in [
        ("free", (3, 2, 2), 3, True),
        ("free", (2, 3, 2, 1), 2, True),
        ("free", (3, 2), 1, False),
        ("presynaptic", (3, 2, 2), 2, True),
        ("presynaptic", (2, 3, 2, 1), 3, False),
        ("random", (3, 2, 2), 3, True),
        ("random", (2, 2, 3, 2), 1, True),
    ]
]
CLAMPED = [(True, True), (True, False), (False, True)]


@pytest.mark.parametrize(("inputs", "outputs"), CLAMPED)
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_a_unit_given_all_else(network, inputs, outputs):
    synapses, patterns = tiny(clamp_inputs=inputs, clamp_outputs=outputs, **network)
    bits = bits_of(synapses, np.random.default_rng(5))
    checked = 0
    for layer, held in enumerate(patterns.clamped):
        for unit, pattern in np.argwhere(~held):
            on, off = (log_joint_of_bits(synapses, bits, with_unit(patterns.units, layer, unit, pattern, value)) for value in (1, 0))
            found = closed.unit_log_odds_in(synapses, patterns, layer, int(unit))[pattern]
            assert abs(found - (on - off)) < 1e-10
            assert found == closed.unit_log_odds_in(synapses, patterns, layer, int(unit), int(pattern))[0]
            checked += 1
    assert checked or len(synapses.settings.layers) == 2


@pytest.mark.parametrize("outputs", [True, False])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_a_synapse_given_all_else(network, outputs):
    synapses, patterns = tiny(clamp_outputs=outputs, **network)
    bits = bits_of(synapses, np.random.default_rng(5))
    for below, values in enumerate(bits):
        for place in np.ndindex(*values.shape):
            on, off = (log_joint_of_bits(synapses, with_bit(bits, below, place, value), patterns.units) for value in (1, 0))
            found = closed.bit_log_odds_in(synapses, patterns, below, place[0], place[1], int(values[place]))
            assert abs(found - (on - off)) < 1e-10


@pytest.mark.parametrize("outputs", [True, False])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_the_count_of_a_connection_given_all_else(network, outputs):
    synapses, patterns = tiny(clamp_outputs=outputs, **network)
    bits = bits_of(synapses, np.random.default_rng(5))
    k = synapses.settings.synapses
    for below, values in enumerate(bits):
        for post, source in np.ndindex(*values.shape[:2]):
            scores = [[] for _ in range(k + 1)]
            for chosen in itertools.product((0, 1), repeat=k):
                changed = [array.copy() for array in bits]
                changed[below][post, source] = chosen
                scores[sum(chosen)].append(log_joint_of_bits(synapses, tuple(changed), patterns.units))
            expected = np.array([np.logaddexp.reduce(terms) for terms in scores])
            expected -= np.logaddexp.reduce(expected)
            found = closed.count_log_probabilities_in(synapses, patterns, below, post, source)
            np.testing.assert_allclose(found, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_the_joint_of_counts_is_that_of_bits_summed(network):
    synapses, patterns = tiny(**network)
    bits = bits_of(synapses, np.random.default_rng(5))
    k = synapses.settings.synapses
    ways = sum(np.log([len(list(itertools.combinations(range(k), int(n)))) for n in counts.ravel()]).sum() for counts in synapses.counts)
    assert abs(log_joint(synapses, patterns) - log_joint_of_bits(synapses, bits, patterns.units) - ways) < 1e-9


@pytest.mark.parametrize("network", [NETWORKS[1], NETWORKS[3], NETWORKS[5]], ids=str)
def test_the_fast_sampler_draws_counts_from_the_closed_form(network):
    """The same uniform numbers, put through the closed form's distribution function, give the same counts."""
    synapses, patterns = tiny(seed=2, patterns=300, **network | {"layers": (12, 7, 6, 3)})
    expected = synapses.with_counts(tuple(counts.copy() for counts in synapses.counts))
    felt = patterns.under(expected)
    key = np.random.default_rng(9).integers(0, 2**64, len(synapses.counts), dtype=np.uint64)
    sample_synapses(synapses, patterns, tables(synapses), np.random.default_rng(9))
    moved = 0
    for below, counts in enumerate(expected.counts):
        for post, source in np.ndindex(*counts.shape):
            cumulative = np.exp(closed.count_log_probabilities_in(expected, felt, below, post, source)).cumsum()
            drawn = int((cumulative <= uniform(key[below], post, source) * cumulative[-1]).sum())
            moved += drawn != counts[post, source]
            change = int(expected.steps[below][post, source]) * (drawn - int(counts[post, source]))
            felt.potentials[below][post] += change * closed.presynaptic(expected, felt, below, source).astype(np.int32)
            counts[post, source] = drawn
        np.testing.assert_array_equal(synapses.counts[below], counts)
        np.testing.assert_array_equal(patterns.potentials[below], synapses.potentials(below, patterns.units[below]))
    assert moved > 10


@pytest.mark.parametrize(("inputs", "outputs"), CLAMPED)
@pytest.mark.parametrize("network", [NETWORKS[1], NETWORKS[3], NETWORKS[5]], ids=str)
def test_the_fast_sampler_draws_units_from_the_closed_form(network, inputs, outputs):
    synapses, patterns = tiny(seed=2, patterns=300, clamp_inputs=inputs, clamp_outputs=outputs, **network | {"layers": (12, 7, 6, 3)})
    patterns.clamped[1][2, 10:20] = True
    expected = type(patterns)(tuple(units.copy() for units in patterns.units), patterns.clamped, patterns.potentials).under(synapses)
    before = [units.copy() for units in patterns.units]
    key = np.random.default_rng(9).integers(0, 2**64, 4, dtype=np.uint64)
    sample_units(synapses, patterns, tables(synapses), np.random.default_rng(9))
    for layer, held in enumerate(expected.clamped):
        for unit in range(len(held)):
            odds = closed.unit_log_odds_in(synapses, expected, layer, unit)
            drawn = np.array([uniform(key[layer], t, unit) < 1 / (1 + np.exp(-odds[t])) for t in range(300)])
            expected.units[layer][unit] = np.where(held[unit], expected.units[layer][unit], drawn)
            if layer < 3:
                expected.potentials[layer][:] = synapses.potentials(layer, expected.units[layer])
        np.testing.assert_array_equal(patterns.units[layer], expected.units[layer])
        assert (patterns.units[layer] == before[layer])[held].all()
        assert held.all() or (patterns.units[layer] != before[layer]).mean() > 0.1
    for below in range(3):
        np.testing.assert_array_equal(patterns.potentials[below], synapses.potentials(below, patterns.units[below]))


def uniform(key: np.uint64, stream: int, number: int) -> float:
    """The sampler's own number, computed without compilation."""
    with np.errstate(over="ignore"):
        start = mixed(key + mixed(np.uint64(stream) * GOLDEN + GOLDEN))
        return (float(mixed(start + np.uint64(number + 1) * GOLDEN) >> np.uint64(11)) + 0.5) * 2.0**-53


GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mixed(x: np.uint64) -> np.uint64:
    """SplitMix64's finaliser, as published."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def test_the_default_gain_keeps_the_drive_at_what_is_asked():
    generator = np.random.default_rng(0)
    for signs, layers, synapses in [("free", (400, 300), 8), ("free", (50, 300), 1), ("random", (400, 300), 5)]:
        settings = SamplingSettings(layers=layers, synapses=synapses, signs=signs, drive=3.0)
        drawn = Synapses.from_prior(settings, generator)
        units = (generator.random((layers[0], 40)) < 0.5).astype(np.uint8)
        u = settings.scales[0] * drawn.potentials(0, units)
        assert np.sqrt((u**2).mean()) == pytest.approx(3.0, rel=0.12)
