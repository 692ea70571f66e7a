"""Learning by sampling solves what one layer cannot, holds it while it fluctuates, follows a stream, and refuses bad data."""

from __future__ import annotations

import itertools

import numpy as np
import pydantic
import pytest

from yuragi.errors import InputError
from yuragi.sampling import Patterns, Sampler, SamplingSettings, Synapses, log_joint, predict
from yuragi.sampling.settings import Learning
from yuragi.settings import validate

pytestmark = pytest.mark.usefixtures("shapes_unchecked")


def parity(bits: int) -> tuple[np.ndarray, np.ndarray]:
    inputs = np.array(list(itertools.product((0, 1), repeat=bits)), dtype=np.uint8)
    return inputs, inputs.sum(axis=1) % 2


def accuracy(posterior, inputs, labels, seed=100) -> float:
    return float((predict(posterior, inputs, np.random.default_rng(seed), draws=10).labels == labels).mean())


def solved(bits, hidden, copies, sweeps, seed, **options) -> float:
    inputs, labels = parity(bits)
    sampler = Sampler(SamplingSettings(layers=(bits, *hidden, 1), **options), np.random.default_rng(seed))
    seen, told = np.repeat(inputs, copies, axis=0), np.repeat(labels, copies)[:, None]
    return accuracy(sampler.learn(seen, told, sweeps=sweeps, burn_in=sweeps // 3, every=5, quiet=True), inputs, labels)


@pytest.mark.parametrize("seed", range(5))
def test_exclusive_or(seed):
    assert solved(2, (8,), 30, 1000, seed) == 1


def test_exclusive_or_without_hidden_units_is_not_solved():
    assert np.mean([solved(2, (), 30, 1000, seed) for seed in range(5)]) < 0.8


@pytest.mark.parametrize("seed", range(5))
def test_four_bit_parity(seed):
    assert solved(4, (24,), 10, 2000, seed) >= 0.95


@pytest.mark.parametrize("signs", ["presynaptic", "random"])
def test_exclusive_or_with_fixed_signs(signs):
    assert np.mean([solved(2, (16,), 30, 1500, seed, signs=signs) for seed in range(5)]) >= 0.95


def test_exclusive_or_with_two_hidden_layers():
    assert np.mean([solved(2, (8, 8), 30, 1500, seed) for seed in range(5)]) >= 0.95


def test_what_was_learned_holds_while_everything_fluctuates():
    inputs, labels = parity(2)
    sampler = Sampler(SamplingSettings(layers=(2, 8, 1)), np.random.default_rng(0))
    sampler.learn(np.repeat(inputs, 30, axis=0), np.repeat(labels, 30)[:, None], sweeps=500, quiet=True)
    first = sampler.synapses.counts[0].copy()
    later = sampler.fluctuate(5000, every=25, quiet=True)
    assert accuracy(later.latest(100), inputs, labels) == 1
    assert (later.counts[0][-1] != first).mean() > 0.5
    assert later.sweeps[-1] == sampler.sweeps == 5500


def test_a_stream_is_followed_and_what_left_the_window_is_forgotten():
    inputs, labels = parity(2)
    generator, sampler = np.random.default_rng(0), Sampler(SamplingSettings(layers=(2, 8, 1)), np.random.default_rng(1))

    def arrivals(told, number):
        for _ in range(number):
            chosen = generator.integers(0, 4, 2)
            yield inputs[chosen], told[chosen][:, None]

    first = sampler.observe(arrivals(labels, 400), window=120, sweeps=2, burn_in=300, quiet=True)
    assert accuracy(first, inputs, labels) == 1
    second = sampler.observe(arrivals(1 - labels, 600), window=120, sweeps=2, burn_in=500, quiet=True)
    assert accuracy(second, inputs, 1 - labels) == 1
    assert sampler.patterns.n_patterns == 120
    held = sampler.patterns
    for below in range(2):
        np.testing.assert_array_equal(held.potentials[below], sampler.synapses.potentials(below, held.units[below]))


def test_an_arrival_larger_than_the_window_is_cut():
    inputs, labels = parity(3)
    sampler = Sampler(SamplingSettings(layers=(3, 2)), np.random.default_rng(0))
    sampler.observe([(inputs, labels)], window=5, quiet=True)
    np.testing.assert_array_equal(sampler.patterns.units[0].T, inputs[-5:])


def test_posterior_of_synapses_without_data_above_is_the_prior():
    """Inputs alone are causes: they tell nothing of the synapses."""
    sampler = Sampler(SamplingSettings(layers=(4, 5, 3), prior=0.3), np.random.default_rng(0))
    posterior = sampler.learn(np.random.default_rng(1).integers(0, 2, (6, 4)), None, sweeps=4000, burn_in=200, quiet=True)
    counts = np.concatenate([part.reshape(len(posterior), -1) for part in posterior.counts], axis=1)
    assert counts.mean() == pytest.approx(8 * 0.3, rel=0.03)
    assert counts.var() == pytest.approx(8 * 0.3 * 0.7, rel=0.06)


def test_samples_are_copies_and_the_callers_arrays_stay():
    inputs = np.eye(3)
    kept = inputs.copy()
    sampler = Sampler(SamplingSettings(layers=(3, 2)), np.random.default_rng(0))
    posterior = sampler.learn(inputs, np.array([0, 1, 1]), sweeps=3, quiet=True)
    before = [counts.copy() for counts in posterior.counts]
    sampler.fluctuate(5, quiet=True)
    assert all((a == b).all() for a, b in zip(before, posterior.counts, strict=True))
    assert (inputs == kept).all()
    assert "3-2" in repr(sampler)


def test_progress_is_shown_unless_quiet(capsys):
    sampler = Sampler(SamplingSettings(layers=(2, 2)), np.random.default_rng(0))
    sampler.learn(np.eye(2), np.array([0, 1]), sweeps=3)
    assert "sampling, sweeps: 3/3" in capsys.readouterr().err


def test_summaries_of_ones_own_are_traced():
    sampler = Sampler(SamplingSettings(layers=(2, 2)), np.random.default_rng(0))
    posterior = sampler.learn(np.eye(2), np.eye(2), sweeps=4, quiet=True, summaries={"first": lambda synapses, patterns: synapses.counts[0][0, 0]})
    np.testing.assert_array_equal(posterior.traces["first"], posterior.counts[0][:, 0, 0])
    assert set(posterior.traces) == {"log_synapses", "log_units", "log_outputs", "activity", "first"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layers": (3, 0, 2)}, "layers"),
        ({"layers": (3,)}, "layers"),
        ({"layers": (3, 2), "prior": 1.2}, "prior"),
        ({"layers": (3, 2), "prior": 0.0}, "prior"),
        ({"layers": (3, 2), "excitatory": -0.1}, "excitatory"),
        ({"layers": (3, 2), "rate": 1.0}, "rate"),
        ({"layers": (3, 2), "synapses": 0}, "synapses"),
        ({"layers": (3, 2), "gain": -1.0}, "gain"),
        ({"layers": (3, 2), "gain": (1.0, 2.0)}, "gain has 2 numbers"),
        ({"layers": (3, 2), "signs": "both"}, "signs"),
    ],
)
def test_settings_that_make_no_network(values, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        SamplingSettings(**values)
    with pytest.raises(InputError, match=message) as told:
        validate(SamplingSettings, values, "network")
    assert "\n" not in str(told.value)


GOOD = np.eye(3)
BAD = [
    (GOOD * 0.5, np.array([0, 1, 1]), "inputs: 3 of 9 values are neither 0 nor 1"),
    (GOOD * np.nan, np.array([0, 1, 1]), "neither 0 nor 1"),
    (GOOD[:, :2], np.array([0, 1, 1]), r"inputs: shape \(3, 2\)"),
    (GOOD[0], np.array([0]), r"inputs: shape \(3,\)"),
    (GOOD[:0], None, "no pattern"),
    (GOOD, np.array([0, 1, 2]), "labels: 2 is outside 0 … 1"),
    (GOOD, np.array([0, -1, 1]), "labels: -1 is outside"),
    (GOOD, np.array([0.0, 1.0, 1.0]), "labels"),
    (GOOD, np.array([0, 1]), "3 and 2 patterns"),
    (GOOD, np.full((3, 2), 2), "outputs"),
    (None, None, "no data"),
]


@pytest.mark.parametrize(("inputs", "outputs", "message"), BAD)
def test_bad_data_are_refused_in_one_line(inputs, outputs, message):
    sampler = Sampler(SamplingSettings(layers=(3, 2)), np.random.default_rng(0))
    with pytest.raises(InputError, match=message) as told:
        sampler.clamp(inputs, outputs)
    assert "\n" not in str(told.value)
    assert sampler.patterns is None


def test_bad_requests_are_refused():
    sampler = Sampler(SamplingSettings(layers=(3, 2)), np.random.default_rng(0))
    with pytest.raises(InputError, match="no data are clamped"):
        sampler.fluctuate(3)
    with pytest.raises(InputError, match="no data are clamped"):
        sampler.sweep()
    with pytest.raises(InputError, match="unit_sweeps = 0"):
        Sampler(SamplingSettings(layers=(3, 2)), np.random.default_rng(0), unit_sweeps=0)
    with pytest.raises(InputError, match="no sample is kept"):
        sampler.learn(GOOD, np.array([0, 1, 1]), sweeps=5, burn_in=5)
    with pytest.raises(InputError, match="window = 0"):
        sampler.observe([], window=0)
    with pytest.raises(InputError, match="before a sample was kept"):
        sampler.observe(iter([(GOOD, np.array([0, 1, 1]))]), window=None, burn_in=3, quiet=True)
    posterior = sampler.learn(GOOD, np.array([0, 1, 1]), sweeps=2, quiet=True)
    with pytest.raises(InputError, match="there are 2 samples"):
        posterior.latest(3)


def test_labels_of_one_output_unit_are_its_bit():
    sampler = Sampler(SamplingSettings(layers=(3, 1)), np.random.default_rng(0))
    sampler.clamp(GOOD, np.array([0, 1, 1]))
    assert sampler.patterns.units[-1].tolist() == [[0, 1, 1]]
    posterior = sampler.learn(np.repeat(GOOD, 40, axis=0), np.repeat([0, 1, 0], 40), sweeps=100, burn_in=20, quiet=True)
    assert predict(posterior, GOOD, np.random.default_rng(0)).labels.tolist() == [0, 1, 0]
    with pytest.raises(InputError, match="neither 0 nor 1"):
        sampler.clamp(GOOD, np.array([0, 1, 2]))


def test_free_outputs_cannot_be_tempered():
    sampler = Sampler(SamplingSettings(layers=(3, 2)), np.random.default_rng(0), learning=Learning(temper=3))
    with pytest.raises(InputError, match="temper = 3 is the power of their likelihood"):
        sampler.clamp(GOOD, None)
    sampler.clamp(GOOD, np.array([0, 1, 1]))
    with pytest.raises(InputError, match="outputs = None"):
        sampler.observe([(GOOD, None)], window=None, quiet=True)


def test_the_joint_refuses_patterns_of_another_network():
    generator = np.random.default_rng(0)
    small, large = (Synapses.from_prior(SamplingSettings(layers=layers), generator) for layers in ((3, 2), (4, 2)))
    patterns = Patterns.forward(small, {}, 5, generator)
    with pytest.raises(InputError, match="layers of"):
        log_joint(large, patterns)
