"""The network's own activity: what its averages must be where they are known exactly, and what presentations share."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from yuragi.errors import InputError
from yuragi.sampling import Sampler, SamplingSettings
from yuragi.sampling.activity import prior_samples, responses, spontaneous, spontaneous_states, time_course
from yuragi.sampling.learning import Posterior
from yuragi.sampling.model import sigmoid
from yuragi.spontaneous.recordings import checked_recording

INPUTS = np.array(list(itertools.product((0, 1), repeat=3)), dtype=np.uint8)


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    sampler = Sampler(SamplingSettings(layers=(3, 4, 2), rate=0.3), np.random.default_rng(0))
    return sampler.learn(INPUTS, INPUTS[:, 0].astype(np.int64), sweeps=40, burn_in=10, every=1, quiet=True)


def exact_hidden(posterior: Posterior, bits: np.ndarray) -> np.ndarray:
    """P(h = 1 | input) for each sample of the synapses (sample, stimulus, unit): outputs that are free say nothing."""
    scale = posterior.settings.scales[0]
    return np.stack([sigmoid(scale * synapses.potentials(0, bits.T)).T for synapses in posterior])


def test_rates_are_those_of_a_forward_pass(posterior):
    found = responses(posterior.latest(1), INPUTS, np.random.default_rng(1), trials=300, sweeps=10, same_synapses=True)
    assert found.dims == ("repeat", "stimulus", "unit")
    rate = found.values.mean(axis=0) / 10
    assert np.abs(rate - exact_hidden(posterior.latest(1), INPUTS)[0]).max() < 0.05


def test_every_trial_has_synapses_of_its_own(posterior):
    # With a trial for every sample, what lies between trials is the variance of the samples' probabilities, beside the noise of bits.
    found = responses(posterior, INPUTS, np.random.default_rng(1), trials=len(posterior), sweeps=400).values / 400
    exact = exact_hidden(posterior, INPUTS)
    assert np.abs(found.mean(axis=0) - exact.mean(axis=0)).max() < 0.03
    assert np.abs(np.sort(found, axis=0) - np.sort(exact, axis=0)).mean() < 0.03
    held = responses(posterior, INPUTS, np.random.default_rng(1), trials=len(posterior), sweeps=400, same_synapses=True).values / 400
    assert held.var(axis=0).max() < 0.02 < found.var(axis=0).max()


def test_the_time_course_begins_without_the_stimulus(posterior):
    course = time_course(posterior.latest(1), INPUTS, np.random.default_rng(2), trials=300, before=5, after=6, same_synapses=True)
    assert course.sizes == {"trial": 300, "stimulus": 8, "time": 11, "unit": 4}
    before, after = (course.values[:, :, course["time"].values * sign >= (sign < 0)] for sign in (-1, 1))
    between = [part.mean(axis=(0, 2)).var(axis=0).mean() for part in (before, after)]
    assert between[0] < 0.1 * between[1]
    # From the first sweep on, the rates are those of a forward pass; before the onset, their mean over inputs with their prior rate.
    exact, weight = exact_hidden(posterior.latest(1), INPUTS)[0], np.prod(np.where(INPUTS == 1, 0.3, 0.7), axis=1)
    assert np.abs(before.mean(axis=(0, 1, 2)) - weight @ exact).max() < 0.05
    assert np.abs(after.mean(axis=(0, 2)) - exact).max() < 0.06


def test_a_blank_start_holds_the_inputs_at_nothing(posterior):
    course = time_course(posterior.latest(1), INPUTS, np.random.default_rng(2), trials=100, before=4, after=1, start="blank", same_synapses=True)
    blank = exact_hidden(posterior.latest(1), np.zeros((1, 3), np.uint8))[0, 0]
    assert np.abs(course.sel(time=slice(None, -1)).values.mean(axis=(0, 1, 2)) - blank).max() < 0.05


def test_spontaneous_activity_is_the_prior(posterior):
    weight = np.prod(np.where(INPUTS == 1, 0.3, 0.7), axis=1)
    expected = np.einsum("s,bsu->u", weight, exact_hidden(posterior, INPUTS)) / len(posterior)
    assert np.abs(spontaneous_states(posterior, np.random.default_rng(3), 6000).mean(axis=0) - expected).max() < 0.03
    recording = spontaneous(posterior, np.random.default_rng(3), 6000)
    assert checked_recording(recording).dims == ("time", "unit")
    assert np.abs(recording.values.mean(axis=0) - expected).max() < 0.06


def test_before_learning_the_signs_are_the_same(posterior):
    before = prior_samples(posterior, np.random.default_rng(4), 400)
    assert before.synapses.steps is posterior.synapses.steps
    assert len(before) == 400
    assert abs(before.counts[0].mean() - 4) < 0.05


def test_stimuli_at_the_outputs():
    # One latent unit that copies itself upwards: data in the output tell the hidden unit by the retrograde term alone.
    sampler = Sampler(SamplingSettings(layers=(1, 2, 6)), np.random.default_rng(0))
    data = np.repeat([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]], 40, axis=0)
    posterior = sampler.learn(None, data, sweeps=200, burn_in=100, every=5, quiet=True)
    found = responses(posterior, data[[0, -1]], np.random.default_rng(1), trials=20, sweeps=5, burn_in=10, at="outputs")
    assert np.abs(np.diff(found.values.mean(axis=0), axis=0)).max() > 2.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 31}, "trials = 31: each has a sample"),
        ({"trials": 0}, "trials = 0"),
        ({"layer": 0}, "layer = 0: the stimulus is clamped there"),
        ({"layer": 3}, "layer = 3: the network has the layers 0 … 2"),
        ({"sweeps": 0}, "sweeps = 0"),
        ({"bits": INPUTS / 2}, "bits: .* neither 0 nor 1"),
    ],
)
def test_bad_input(posterior, change, message):
    options = {"bits": INPUTS, "trials": 3, "sweeps": 2, **change}
    with pytest.raises(InputError, match=message):
        responses(posterior, options.pop("bits"), np.random.default_rng(0), **options)


def test_the_same_seed_gives_the_same_bytes(posterior):
    first, second = (time_course(posterior, INPUTS, np.random.default_rng(5), trials=4, before=2, after=2).values for _ in range(2))
    assert (first == second).all()
