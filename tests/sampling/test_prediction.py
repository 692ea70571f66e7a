"""Averages over samples against sums over all hidden states, completion against enumeration, generation and recall of planted patterns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.sampling.oracle import log_joint_of_bits, tiny

from yuragi.errors import InputError
from yuragi.sampling import Sampler, SamplingSettings, Synapses, binarise, complete, generate, one_hot, output_samples, predict, recall
from yuragi.sampling.learning import Posterior
from yuragi.sampling.model import sigmoid
from yuragi.sampling.prediction import log_class_scores
from yuragi.sampling.reference import bits_of


def samples(settings: SamplingSettings, number: int, seed: int = 0) -> Posterior:
    """Synapses from the prior, dressed as a posterior."""
    generator = np.random.default_rng(seed)
    first = Synapses.from_prior(settings, generator)
    others = [first.counts] + [Synapses.from_prior(settings, generator).counts for _ in range(number - 1)]
    return Posterior(first, tuple(np.stack(parts) for parts in zip(*others, strict=True)), np.arange(number), {})


def exact_scores(posterior: Posterior, inputs: np.ndarray, one: bool) -> np.ndarray:
    """q_b(c) (sample, pattern, class) by a sum over all states of one hidden layer."""
    found = []
    for synapses in posterior:
        scales = synapses.settings.scales
        own = sigmoid(scales[0] * synapses.potentials(0, inputs.T))
        total = np.zeros((len(inputs), synapses.settings.layers[2]))
        for states in itertools.product((0, 1), repeat=synapses.settings.layers[1]):
            hidden = np.array(states)[:, None]
            weight = np.where(hidden == 1, own, 1 - own).prod(axis=0)
            p = sigmoid(scales[1] * synapses.potentials(1, hidden))[:, 0]
            score = np.array([p[c] * np.delete(1 - p, c).prod() for c in range(len(p))]) if one else p
            total += weight[:, None] * score
        found.append(total)
    return np.array(found)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("rule", ["outputs", "one_hot"])
def test_a_prediction_is_the_mean_over_samples_and_hidden_states(rule):
    posterior = samples(SamplingSettings(layers=(3, 4, 3), synapses=3), 6)
    inputs = np.array(list(itertools.product((0, 1), repeat=3)))
    scores = exact_scores(posterior, inputs, rule == "one_hot")
    expected = scores.sum(axis=0) / scores.sum(axis=(0, 2))[:, None]
    found = predict(posterior, inputs, np.random.default_rng(0), draws=4000, rule=rule)
    np.testing.assert_allclose(found.probabilities, expected, atol=0.012)
    np.testing.assert_allclose(found.outputs, exact_scores(posterior, inputs, False).mean(axis=0), atol=0.01)
    weights = scores.sum(axis=2) / scores.sum(axis=(0, 2))
    own = scores / scores.sum(axis=2, keepdims=True)
    information = -(expected * np.log(expected)).sum(axis=1) + (weights * (own * np.log(own)).sum(axis=2)).sum(axis=0)
    np.testing.assert_allclose(found.mutual_information, information, atol=0.012)
    np.testing.assert_allclose(found.entropy, -(expected * np.log(expected)).sum(axis=1), atol=0.012)


def test_without_hidden_units_a_prediction_is_exact():
    posterior = samples(SamplingSettings(layers=(3, 1)), 5)
    inputs = np.array(list(itertools.product((0, 1), repeat=3)))
    found = predict(posterior, inputs, np.random.default_rng(0))
    expected = np.mean([sigmoid(s.settings.scales[0] * s.potentials(0, inputs.T))[0] for s in posterior], axis=0)
    np.testing.assert_allclose(found.outputs[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(found.probabilities, np.stack([1 - expected, expected], axis=1), rtol=1e-6)
    each = output_samples(posterior, inputs, np.random.default_rng(0))
    np.testing.assert_allclose(each.mean(axis=0), found.outputs)
    one = predict(posterior.latest(1), inputs, np.random.default_rng(0))
    np.testing.assert_allclose(one.mutual_information, 0, atol=1e-12)


def test_probabilities_of_codes_below_the_smallest_number_are_compared_all_the_same():
    posterior = samples(SamplingSettings(layers=(64, 10), drive=1000.0), 6)
    inputs = np.random.default_rng(0).integers(0, 2, (40, 64))
    found = predict(posterior, inputs, np.random.default_rng(0), rule="one_hot")
    log = np.stack(list(log_class_scores(posterior, inputs, np.random.default_rng(0), rule="one_hot")))
    assert (log.max(axis=2) < -745).any(), "no score of some sample and pattern is a number above 0"
    assert (log.max(axis=(0, 2)) < -745).any(), "nor of any sample"
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    largest = log.max(axis=(0, 2), keepdims=True)
    expected = np.exp(log - largest).sum(axis=0)
    np.testing.assert_allclose(found.probabilities, expected / expected.sum(axis=1, keepdims=True))
    assert np.isfinite(found.mutual_information).all()
    assert (found.mutual_information <= found.entropy + 1e-12).all()


def test_synapses_are_unsure_where_nothing_was_seen():
    generator = np.random.default_rng(0)
    inputs = np.concatenate([np.repeat([[1] * 5 + [0] * 15], 50, axis=0), np.repeat([[0] * 5 + [1] * 5 + [0] * 10], 50, axis=0)])
    posterior = Sampler(SamplingSettings(layers=(20, 2)), generator).learn(inputs, np.repeat([0, 1], 50), sweeps=400, burn_in=100, quiet=True)
    seen, unseen = inputs[[0, 50]], np.array([[0] * 10 + [1] * 5 + [0] * 5, [0] * 15 + [1] * 5])
    known, unknown = (predict(posterior, cues, generator).mutual_information for cues in (seen, unseen))
    assert unknown.min() > 5 * known.max()


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("case", [{}, {"layers": (2, 3, 2, 2)}, {"signs": "presynaptic"}])
def test_completion_samples_what_enumeration_gives(case):
    synapses, patterns = tiny(**{"patterns": 2, "gain": 1.5, **case})
    width_in, width_out = synapses.settings.layers[0], synapses.settings.layers[-1]
    posterior = Posterior(synapses, tuple(counts[None] for counts in synapses.counts), np.array([0]), {})
    known_in, known_out = np.zeros((2, width_in), dtype=bool), np.ones((2, width_out), dtype=bool)
    known_in[:, 0], known_out[:, 0] = True, False
    inputs, outputs = patterns.units[0].T, patterns.units[-1].T
    found = complete(
        posterior,
        np.random.default_rng(0),
        inputs=inputs,
        known_inputs=known_in,
        outputs=outputs,
        known_outputs=known_out,
        sweeps=20000,
        burn_in=100,
    )
    bits = bits_of(synapses, np.random.default_rng(1))
    known = [known_in.T, *(np.zeros_like(units, dtype=bool) for units in patterns.units[1:-1]), known_out.T]
    for pattern in range(2):
        free = [(layer, unit) for layer, mask in enumerate(known) for unit in np.flatnonzero(~mask[:, pattern])]
        terms, means = [], []
        for states in itertools.product((0, 1), repeat=len(free)):
            units = [values[:, pattern : pattern + 1].copy() for values in patterns.units]
            for (layer, unit), state in zip(free, states, strict=True):
                units[layer][unit, 0] = state
            terms.append(log_joint_of_bits(synapses, bits, tuple(units)))
            means.append(np.concatenate(units)[:, 0])
        weight = np.exp(np.array(terms) - np.logaddexp.reduce(terms))
        np.testing.assert_allclose(np.concatenate([part[pattern] for part in found.mean]), weight @ np.array(means), atol=0.02)
    assert (found.draw[0][known_in] == inputs[known_in]).all()


STORED = np.array([[1] * 5 + [0] * 15, [0] * 5 + [1] * 5 + [0] * 10, [0] * 10 + [1] * 10], dtype=np.uint8)


def test_recall_from_partial_cues():
    sampler = Sampler(SamplingSettings(layers=(6, 20)), np.random.default_rng(0))
    posterior = sampler.learn(None, np.repeat(STORED, 20, axis=0), sweeps=600, burn_in=200, every=10, quiet=True)
    known = np.zeros((3, 20), dtype=bool)
    known[:, ::5] = True
    found = recall(posterior, STORED, known, np.random.default_rng(1))
    assert (found.round() == STORED).mean() > 0.95
    assert (found[known] == STORED[known]).all()
    blind = recall(posterior, STORED, np.zeros((3, 20), dtype=bool), np.random.default_rng(1))
    assert (blind.round() == STORED).mean() < 0.8


def test_generation_from_a_label_in_either_direction():
    generator = np.random.default_rng(0)
    images, labels = np.repeat(STORED, 30, axis=0), np.repeat([0, 1, 2], 30)
    down = Sampler(SamplingSettings(layers=(3, 8, 20)), generator)
    model = down.learn(one_hot(labels, 3), images, sweeps=600, burn_in=200, every=10, quiet=True)
    shown = generate(model, np.array([2, 0]), generator, labels_at="inputs", sweeps=1, burn_in=0)
    assert (shown.mean[-1].round() == STORED[[2, 0]]).mean() > 0.95
    assert shown.draw[-1].shape == (2, 20)
    up = Sampler(SamplingSettings(layers=(20, 8, 3)), generator)
    model = up.learn(images, labels, sweeps=600, burn_in=200, every=10, quiet=True)
    driven = generate(model, np.array([0, 1, 2]), generator).mean[0]
    own = [driven[c][STORED[c] == 1].mean() - driven[c][STORED[c] == 0].mean() for c in range(3)]
    assert min(own) > 0.05, "more of its own pixels than of others, though inputs have no model"


def test_bad_requests_are_refused():
    posterior = samples(SamplingSettings(layers=(3, 2)), 2)
    generator = np.random.default_rng(0)
    with pytest.raises(InputError, match="neither 0 nor 1"):
        predict(posterior, np.full((1, 3), 0.5), generator)
    with pytest.raises(InputError, match="draws = 0"):
        predict(posterior, np.ones((1, 3)), generator, draws=0)
    with pytest.raises(InputError, match="nothing is left"):
        complete(posterior, generator, inputs=np.ones((1, 3)), sweeps=3, burn_in=3)
    with pytest.raises(InputError, match="no patterns"):
        complete(posterior, generator)
    with pytest.raises(InputError, match="known_inputs"):
        complete(posterior, generator, inputs=np.ones((1, 3)), known_inputs=np.ones((1, 3)))
    with pytest.raises(InputError, match="labels: 5"):
        generate(posterior, np.array([5]), generator)


@pytest.mark.usefixtures("shapes_unchecked")
def test_unknown_words_are_refused():
    posterior, generator = samples(SamplingSettings(layers=(3, 2)), 2), np.random.default_rng(0)
    with pytest.raises(InputError, match="labels_at = 'output'"):
        generate(posterior, np.array([1]), generator, labels_at="output")
    with pytest.raises(InputError, match="patterns_at = 'output'"):
        recall(posterior, np.ones((1, 3)), np.ones((1, 3), dtype=bool), generator, patterns_at="output")
    for outputs in (1, 2):
        with pytest.raises(InputError, match="rule = 'x'"):
            predict(samples(SamplingSettings(layers=(3, outputs)), 2), np.ones((1, 3)), generator, rule="x")


def test_binarise_has_two_rules_and_refuses_the_rest():
    values = np.array([[0.0, 0.5, 0.500001, 1.0]])
    np.testing.assert_array_equal(binarise(values, "threshold"), [[0, 0, 1, 1]])
    np.testing.assert_array_equal(binarise(values, "threshold", threshold=0.1), [[0, 1, 1, 1]])
    drawn = binarise(np.full(20000, 0.3), "bernoulli", generator=np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(0.3, abs=0.015)
    np.testing.assert_array_equal(drawn, binarise(np.full(20000, 0.3), "bernoulli", generator=np.random.default_rng(0)))
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(InputError, match=r"outside \[0, 1\]"):
            binarise(np.array([0.5, wrong]), "threshold")
    with pytest.raises(InputError, match="threshold = 1"):
        binarise(values, "threshold", threshold=1.0)
    with pytest.raises(InputError, match="generator = None"):
        binarise(values, "bernoulli")
