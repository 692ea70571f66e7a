"""Both samplers draw from the posterior that enumeration gives; a wrong one is caught; the same seed gives the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from tests.sampling.oracle import enumerated, fit, state_of, tiny

from yuragi.sampling import Sampler, SamplingSettings, conditionals, kernels, sample_chains
from yuragi.sampling.model import Patterns, Synapses
from yuragi.sampling.reference import bits_of, reference_sweep

pytestmark = pytest.mark.usefixtures("shapes_unchecked")

SMALL = {"layers": (2, 2, 1), "synapses": 1, "prior": 0.4, "gain": 4.0, "bias": False, "patterns": 5}
SURE, WRONG = 1e-3, 1e-6
"""p-values: above the first the distribution is right (seeds are fixed), below the second it is not."""


def by_kernels(synapses: Synapses, patterns: Patterns, samples: int, thin: int = 8) -> list[tuple[int, ...]]:
    generator, table, found = np.random.default_rng(3), kernels.tables(synapses), []
    for number in range(samples * thin):
        kernels.sample_units(synapses, patterns, table, generator)
        kernels.sample_synapses(synapses, patterns, table, generator)
        if number % thin == thin - 1:
            found.append(state_of(synapses))
    return found


def by_reference(synapses: Synapses, patterns: Patterns, samples: int, thin: int = 4) -> list[tuple[int, ...]]:
    generator, found = np.random.default_rng(3), []
    bits = bits_of(synapses, generator)
    for number in range(samples * thin):
        reference_sweep(synapses, bits, patterns, generator)
        if number % thin == thin - 1:
            found.append(state_of(synapses))
    return found


CASES = {
    "free": {},
    "presynaptic": {"signs": "presynaptic", "seed": 1},
    "random": {"signs": "random", "seed": 2},
    "latent": {"clamp_inputs": False, "rate": 0.6},
    "deep": {"layers": (1, 1, 2, 1), "patterns": 3},
}


@pytest.mark.parametrize("case", CASES)
def test_the_fast_sampler_draws_from_the_posterior(case):
    network = SMALL | CASES[case]
    expected, found = enumerated(*tiny(**network)), by_kernels(*tiny(**network), 2000)
    assert fit(found, expected) > SURE
    prior = {state: 0.4 ** sum(state) * 0.6 ** (len(state) - sum(state)) for state in expected}
    assert fit(found, prior) < WRONG, "the data matter"


@pytest.mark.parametrize("case", ["free", "random", "latent"])
def test_the_reference_draws_from_the_posterior(case):
    network = SMALL | CASES[case]
    assert fit(by_reference(*tiny(**network), 500), enumerated(*tiny(**network))) > SURE


def test_a_reference_without_the_retrograde_term_is_caught(monkeypatch):
    expected = enumerated(*tiny(**SMALL))
    monkeypatch.setattr(conditionals, "unit_log_odds", lambda own, weights, targets, without: own)
    assert fit(by_reference(*tiny(**SMALL), 500), expected) < WRONG


def test_a_slightly_wrong_table_is_caught(monkeypatch):
    expected = enumerated(*tiny(**SMALL))
    right = kernels.log_sigmoid_table
    monkeypatch.setattr(kernels, "log_sigmoid_table", lambda scale, bound: right(0.8 * scale, bound))
    assert fit(by_kernels(*tiny(**SMALL), 2000), expected) < WRONG


def test_counts_have_their_distribution_where_there_are_several_synapses():
    """The mean count of every connection, by both samplers, K = 3: the reference draws bits, the fast one counts."""
    network = {"layers": (2, 2, 1), "synapses": 3, "gain": 1.0, "patterns": 6, "seed": 4}
    slow = np.array(by_reference(*tiny(**network), 200, thin=3), dtype=float)
    fast = np.array(by_kernels(*tiny(**network), 4000, thin=3), dtype=float)
    error = fast.std(axis=0) / np.sqrt(200 / 3)
    assert (np.abs(slow.mean(axis=0) - fast.mean(axis=0)) < 4 * error).all()
    np.testing.assert_allclose(slow.std(axis=0), fast.std(axis=0), rtol=0.25)


def test_online_learning_without_a_window_has_the_posterior_of_the_stored_set():
    synapses, patterns = tiny(**SMALL)
    sampler = Sampler(synapses.settings, np.random.default_rng(0))
    inputs, outputs = patterns.units[0].T, patterns.units[-1].T
    sampler.observe([(inputs[:3], outputs[:3]), (inputs[3:], outputs[3:])], window=None, sweeps=3, quiet=True)
    posterior = sampler.fluctuate(33000, every=6, quiet=True)
    found = [state_of(drawn) for drawn in posterior]
    assert fit(found, enumerated(synapses, patterns)) > SURE


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_threads():
    code = """
import hashlib, numba, numpy as np
from yuragi.sampling import Sampler, SamplingSettings
generator = np.random.default_rng(0)
sampler = Sampler(SamplingSettings(layers=(40, 30, 20, 5)), np.random.default_rng(1))
posterior = sampler.learn(generator.integers(0, 2, (700, 40)), generator.integers(0, 5, 700), sweeps=4, quiet=True)
arrays = (*posterior.counts, *sampler.patterns.units, *posterior.traces.values())
print(numba.get_num_threads(), hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""
    found = {}
    for threads in ("1", "2", "1"):
        environment = {**os.environ, "NUMBA_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        used, digest = done.stdout.split()
        assert used == threads
        found.setdefault(threads, set()).add(digest)
    assert found["1"] == found["2"]
    assert len(found["1"]) == 1


def test_different_seeds_differ_and_chains_share_signs():
    settings = SamplingSettings(layers=(3, 4, 2), signs="presynaptic")
    first, second = sample_chains(settings, np.eye(3), np.array([0, 1, 1]), np.random.default_rng(0), chains=2, sweeps=2, quiet=True)
    assert all((a == b).all() for a, b in zip(first.synapses.steps, second.synapses.steps, strict=True))
    assert (first.counts[0] != second.counts[0]).any()
