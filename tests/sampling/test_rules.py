"""Rules of learning other than the exact posterior's, copied outputs and drives of one's own, against enumeration; each beside a control."""

from __future__ import annotations

import itertools

import numpy as np
import pydantic
import pytest
import scipy.stats
from tests.sampling.oracle import enumerated, fit, log_joint_of_bits, state_of, tiny

from yuragi.errors import InputError
from yuragi.sampling import Learning, Patterns, Sampler, SamplingSettings, Synapses, predict
from yuragi.sampling.kernels import sample_units, tables
from yuragi.sampling.learning import Posterior, sample_chains
from yuragi.sampling.model import sigmoid

pytestmark = pytest.mark.usefixtures("shapes_unchecked")

SMALL = {"layers": (2, 2, 1), "synapses": 1, "prior": 0.4, "gain": 2.0, "bias": False, "patterns": 5}
SURE, WRONG = 1e-3, 1e-6
"""p-values: above the first the distribution is right (seeds are fixed), below the second it is not."""


def drawn(synapses: Synapses, patterns: Patterns, learning: Learning, samples: int = 2000, thin: int = 8) -> list[tuple[int, ...]]:
    """States of a chain that starts at these synapses, with these data."""
    sampler = Sampler(synapses.settings, np.random.default_rng(7), learning=learning)
    sampler.synapses, sampler.patterns = synapses, patterns
    return [state_of(sample) for sample in sampler.fluctuate(samples * thin, every=thin, quiet=True)]


@pytest.mark.parametrize("layers", [(2, 2, 1), (3, 2)], ids=str)
@pytest.mark.parametrize("temper", [3.0, 0.3])
def test_a_tempered_chain_draws_from_the_tempered_joint(layers, temper):
    """P(b, h) ∝ P(b) P(h | x, b) P(y | h, b)^β: the chain passes, the exact posterior's fails."""
    network = SMALL | {"layers": layers}
    expected = enumerated(*tiny(**network), temper)
    assert fit(drawn(*tiny(**network), Learning(temper=temper)), expected) > SURE
    assert fit(drawn(*tiny(**network), Learning()), expected) < WRONG


def test_fixed_hidden_synapses_stay_and_those_above_follow_their_posterior_given_them():
    synapses, patterns = tiny(**SMALL)
    held = synapses.counts[0].copy()
    found = drawn(synapses, patterns, Learning(plastic="outputs"))
    assert all(state[: held.size] == tuple(held.ravel()) for state in found)
    everything = enumerated(*tiny(**SMALL))
    inside = {state: p for state, p in everything.items() if state[: held.size] == tuple(held.ravel())}
    expected = {state: p / sum(inside.values()) for state, p in inside.items()}
    assert fit(found, expected) > SURE
    assert len({state[: held.size] for state in drawn(*tiny(**SMALL), Learning(), samples=50)}) > 1, "without the rule they do not stay"


@pytest.mark.parametrize("feedback", [True, False])
def test_hidden_synapses_of_a_deep_network_stay_what_the_prior_drew(feedback):
    settings = SamplingSettings(layers=(4, 5, 6, 3), signs="presynaptic")
    inputs, labels = np.random.default_rng(0).integers(0, 2, (30, 4)), np.random.default_rng(1).integers(0, 3, 30)
    sampler = Sampler(settings, np.random.default_rng(2), learning=Learning(plastic="outputs", feedback=feedback))
    before = [counts.copy() for counts in sampler.synapses.counts]
    posterior = sampler.learn(inputs, labels, sweeps=20, quiet=True)
    for below in (0, 1):
        assert (posterior.counts[below] == before[below]).all()
        assert (before[below] == Synapses.from_prior(settings, np.random.default_rng(2)).counts[below]).all()
    assert (posterior.counts[2] != before[2]).any()
    for below in range(3):
        np.testing.assert_array_equal(sampler.patterns.potentials[below], sampler.synapses.potentials(below, sampler.patterns.units[below]))


def hidden_distributions(synapses: Synapses, inputs: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P(h | x) and P(h | x, y) of one pattern and one hidden layer, by a sum over all its states."""
    width = synapses.settings.layers[1]
    bits = tuple(np.repeat(counts[:, :, None] > 0, 1, axis=2).astype(np.uint8) for counts in synapses.counts)
    logs = np.array(
        [
            [
                log_joint_of_bits(synapses, bits, (inputs[:, None], np.array(state)[:, None], outputs[:, None]), temper)
                for state in itertools.product((0, 1), repeat=width)
            ]
            for temper in (0.0, 1.0)
        ]
    )
    probability = np.exp(logs - logs.max(axis=1, keepdims=True))
    forward, given_outputs = probability / probability.sum(axis=1, keepdims=True)
    return forward, given_outputs


def test_without_feedback_hidden_units_are_forward_draws_and_with_it_they_feel_the_labels():
    copies = 4000
    synapses, patterns = tiny(seed=3, layers=(3, 3, 2), synapses=1, gain=2.5, patterns=1)
    inputs, outputs = patterns.units[0][:, 0], patterns.units[-1][:, 0]
    forward, given_outputs = hidden_distributions(synapses, inputs, outputs)
    p = {}
    for feedback in (False, True):
        clamps = {0: (np.tile(inputs, (copies, 1)), None), 2: (np.tile(outputs, (copies, 1)), None)}
        state = Patterns.forward(synapses, clamps, copies, np.random.default_rng(0))
        generator = np.random.default_rng(1)
        for _ in range(30 if feedback else 1):
            sample_units(synapses, state, tables(synapses), generator, feedback=feedback)
        seen = np.bincount((state.units[1] * np.array([[4], [2], [1]])).sum(axis=0), minlength=8)
        p[feedback] = [scipy.stats.chisquare(seen, copies * expected).pvalue for expected in (forward, given_outputs)]
        np.testing.assert_array_equal(state.potentials[1], synapses.potentials(1, state.units[1]))
    assert p[False][0] > SURE
    assert p[False][1] < WRONG
    assert p[True][1] > SURE
    assert p[True][0] < WRONG


def test_random_features_average_over_forward_draws():
    """One synapse above one hidden unit: P(n) = Σ_h P(h | x) P(n | h, y), which is not the posterior given the hidden synapses."""
    network = {"layers": (2, 1, 1), "synapses": 1, "gain": 5.0, "bias": False, "patterns": 4, "prior": 0.5, "seed": 7}
    synapses, patterns = tiny(**network)
    on = {}
    for state in itertools.product((0, 1), repeat=4):
        units = (patterns.units[0], np.array([state]), patterns.units[2])
        logs = np.zeros((2, 2))
        for value, temper in itertools.product((0, 1), (0.0, 1.0)):
            bits = (synapses.counts[0][:, :, None], np.full((1, 1, 1), value))
            logs[value, int(temper)] = log_joint_of_bits(synapses, bits, units, temper)
        on[state] = np.exp(logs[0, 0]), np.exp(logs[0, 1]), np.exp(logs[1, 1])
    forward, off, at = np.array(list(on.values())).T
    expected = float((forward / forward.sum()) @ (at / (at + off)))
    posterior = float(at.sum() / (at + off).sum())
    # A draw a sweep, each from hidden units of its own: the samples are independent.
    number = 5000
    share = {}
    for feedback in (False, True):
        states = drawn(*tiny(**network), Learning(plastic="outputs", feedback=feedback), samples=number, thin=1)
        share[feedback] = float(np.mean([state[-1] for state in states]))
    error = 0.5 / np.sqrt(number)
    assert abs(share[False] - expected) < 4 * error
    assert abs(expected - posterior) > 10 * error
    assert abs(share[True] - posterior) < 6 * error  # one state depends on the one before
    assert abs(share[True] - posterior) < abs(share[True] - expected)


def test_copies_have_the_posterior_of_data_shown_twice():
    """Two units show each bit, with synapses of their own: enumerated as an ordinary network whose outputs are told twice."""
    network = SMALL | {"layers": (2, 2, 1), "seed": 1, "gain": 3.0}
    _, patterns = tiny(**network)
    inputs, bits = patterns.units[0].T, patterns.units[-1].T
    described = {key: value for key, value in network.items() if key in SamplingSettings.model_fields} | {"layers": (2, 2, 2)}
    twice, settings = (SamplingSettings(**described, copies=copies) for copies in (1, 2))
    start = Synapses.from_prior(twice, np.random.default_rng(0))
    shown = Patterns.forward(start, {0: (inputs, None), 2: (np.repeat(bits, 2, axis=1), None)}, len(inputs), np.random.default_rng(0))
    expected = enumerated(start, shown)
    sampler = Sampler(settings, np.random.default_rng(0))
    assert settings.outputs == 1
    posterior = sampler.learn(inputs, bits, sweeps=16000, every=8, quiet=True)
    assert fit([state_of(sample) for sample in posterior], expected) > SURE
    # The hidden synapses alone: those of the network with one unit a bit are others.
    once = enumerated(*tiny(**network))
    alone = drawn(*tiny(**network), Learning())
    hidden = {name: merged(table) for name, table in (("once", once), ("twice", expected))}
    assert fit([state[:4] for state in alone], hidden["once"]) > SURE
    assert fit([state[:4] for state in alone], hidden["twice"]) < WRONG


def merged(table: dict[tuple[int, ...], float]) -> dict[tuple[int, ...], float]:
    """The distribution of the four hidden synapses alone."""
    found: dict[tuple[int, ...], float] = {}
    for state, p in table.items():
        found[state[:4]] = found.get(state[:4], 0.0) + p
    return found


@pytest.mark.parametrize("rule", ["outputs", "one_hot"])
def test_predictions_of_copies_count_every_unit_of_a_class(rule):
    """Without hidden units: the mean of a class's units, or the probability that all units of all copies show the code."""
    settings = SamplingSettings(layers=(3, 4), copies=2, synapses=3)
    synapses = Synapses.from_prior(settings, np.random.default_rng(0))
    posterior = Posterior(synapses, tuple(counts[None] for counts in synapses.counts), np.array([1]), {})
    inputs = np.array(list(itertools.product((0, 1), repeat=3)))
    on = sigmoid(settings.scales[0] * synapses.potentials(0, inputs.T)).T.reshape(8, 2, 2)  # pattern, copy, class
    scores = on.mean(axis=1)
    if rule == "one_hot":
        scores = np.stack([(on[:, :, c] * (1 - on[:, :, 1 - c])).prod(axis=1) for c in (0, 1)], axis=1)
    found = predict(posterior, inputs, np.random.default_rng(0), rule=rule)
    np.testing.assert_allclose(found.probabilities, scores / scores.sum(axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(found.outputs, on.mean(axis=1), atol=1e-6)


def test_labels_reach_every_copy():
    sampler = Sampler(SamplingSettings(layers=(2, 6), copies=2), np.random.default_rng(0))
    sampler.clamp(np.eye(2), np.array([2, 0]))
    np.testing.assert_array_equal(sampler.patterns.units[1].T, [[0, 0, 1, 0, 0, 1], [1, 0, 0, 1, 0, 0]])


def test_a_drive_for_each_layer_sets_the_gains():
    layers = (300, 200, 100)
    settings = SamplingSettings(layers=layers, drive=(2.0, 6.0))
    for place, drive in enumerate((2.0, 6.0)):
        assert settings.gains[place] == SamplingSettings(layers=layers, drive=drive).gains[place]
    generator = np.random.default_rng(0)
    synapses = Synapses.from_prior(settings, generator)
    for below, drive in enumerate(settings.drive):
        u = settings.scales[below] * synapses.potentials(below, (generator.random((layers[below], 60)) < 0.5).astype(np.uint8))
        assert np.sqrt((u**2).mean()) == pytest.approx(drive, rel=0.12)
    assert SamplingSettings(layers=layers, drive=(2.0, 6.0), gain=0.1).gains.tolist() == [0.1, 0.1]
    with pytest.raises(pydantic.ValidationError, match="drive has 3 numbers, but 3 layers have 2 sets"):
        SamplingSettings(layers=layers, drive=(1.0, 2.0, 3.0))
    with pytest.raises(pydantic.ValidationError, match="copies = 3"):
        SamplingSettings(layers=layers, copies=3)


def test_rules_that_make_no_chain_are_refused_and_only_one_is_exact():
    assert Learning().exact
    for other in ({"plastic": "outputs"}, {"feedback": False}, {"temper": 2}):
        assert not Learning(**other).exact
    for wrong in ({"temper": 0}, {"temper": -1}, {"plastic": "hidden"}, {"tempered": 2}):
        with pytest.raises(pydantic.ValidationError, match=next(iter(wrong))):
            Learning(**wrong)


def test_chains_and_their_samples_know_their_rule():
    rule = Learning(temper=2)
    for posterior in sample_chains(
        SamplingSettings(layers=(2, 2)), np.eye(2), np.eye(2), np.random.default_rng(0), learning=rule, sweeps=3, quiet=True
    ):
        assert posterior.learning == posterior.latest(1).learning == posterior.thinned(2).learning == rule


def test_thinned_samples_are_evenly_spread_and_end_with_the_last():
    posterior = Sampler(SamplingSettings(layers=(2, 2)), np.random.default_rng(0)).learn(np.eye(2), np.eye(2), sweeps=10, quiet=True)
    assert posterior.thinned(3).sweeps.tolist() == [4, 7, 10]
    assert posterior.thinned(10).sweeps.tolist() == list(range(1, 11))
    assert posterior.thinned(1).sweeps.tolist() == posterior.latest(1).sweeps.tolist() == [10]
    assert posterior.latest(4).sweeps.tolist() == [7, 8, 9, 10]
    for part in (posterior.thinned(3), posterior.latest(4)):
        assert {len(values) for values in part.traces.values()} == {len(part)}
        np.testing.assert_array_equal(part.synapses.counts[0], posterior.counts[0][-1])
        np.testing.assert_array_equal(part.counts[0], posterior.counts[0][part.sweeps - 1])
    for number in (0, 11):
        with pytest.raises(InputError, match=f"number = {number}: there are 10 samples"):
            posterior.thinned(number)
