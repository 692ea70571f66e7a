"""The same estimator over sampled networks and twins: it sees through the noise of bits, and tells where there is no signal."""

from __future__ import annotations

import numpy as np
import pytest

from yuragi.errors import InputError
from yuragi.sampling import Sampler, SamplingSettings
from yuragi.sampling.activity import responses
from yuragi.sampling.activity_settings import SpectrumSettings
from yuragi.sampling.hidden_spectrum import bernoulli_responses, first_layer_probabilities
from yuragi.sampling.images import Part
from yuragi.sampling.spectrum_table import spectrum_table
from yuragi.spectra import cvpca, pca_spectrum

SETTINGS = SpectrumSettings(stimuli=80, trials=4, sweeps=10, ranks=(2, 8), shuffles=2, bootstraps=10)


def planted(alpha: float, generator: np.random.Generator, stimuli: int = 400, units: int = 30) -> np.ndarray:
    """Probabilities whose covariance has the eigenvalues 0.02 n^-alpha."""
    scores = np.linalg.qr(generator.standard_normal((stimuli, units)) - 0.0)[0]
    scores -= scores.mean(axis=0)
    directions = np.linalg.qr(generator.standard_normal((units, units)))[0]
    return np.clip(0.5 + np.sqrt(0.02 * (stimuli - 1) * np.arange(1, units + 1) ** -alpha) * scores @ directions, 0, 1)


def test_noise_of_bits_does_not_flatten_a_planted_spectrum():
    generator = np.random.default_rng(0)
    p = planted(1.0, generator)
    counts = bernoulli_responses(p, generator, trials=8, sweeps=20) / 20
    exact, found, plain = pca_spectrum(p[None])[:12], cvpca(counts, generator=generator)[:12], pca_spectrum(counts)[:12]
    assert abs(found.sum() / exact.sum() - 1) < 0.05
    assert np.abs(np.log(found / exact)).max() < np.abs(np.log(plain / exact)).max()


def test_probabilities_are_what_counts_tend_to():
    generator = np.random.default_rng(1)
    sampler = Sampler(SamplingSettings(layers=(5, 4, 2)), generator)
    bits = generator.integers(0, 2, (20, 5))
    posterior = sampler.learn(bits, bits[:, 0], sweeps=30, burn_in=10, quiet=True)
    counts = responses(posterior, bits, generator, trials=20, sweeps=100)
    assert np.abs(counts.values.mean(axis=0) / 100 - first_layer_probabilities(posterior, bits)).max() < 0.05


def test_bad_probabilities():
    with pytest.raises(InputError, match=r"in \[0, 1\]"):
        bernoulli_responses(np.array([[1.2]]), np.random.default_rng(0), trials=2, sweeps=2)


def test_the_table():
    generator = np.random.default_rng(2)
    bits, labels = generator.integers(0, 2, (80, 12)).astype(np.uint8), generator.integers(0, 2, 80)
    networks = {}
    for seed in (0, 3):
        sampler = Sampler(SamplingSettings(layers=(12, 10, 2)), np.random.default_rng(seed))
        networks[seed] = sampler.learn(bits, labels, sweeps=30, burn_in=10, every=2, quiet=True)
    twins = {0: planted(1.0, generator, 80, 10)}
    table = spectrum_table(networks, twins, Part(bits, labels), SETTINGS, 0)
    alpha = table[(table["measure"] == "alpha") & (table["estimator"] == "cvpca")]
    assert alpha["network"].value_counts().to_dict() == {"before": 6, "after": 6, "twin": 2}
    # Synapses drawn anew in every trial leave no tuning to estimate an exponent from: none is told.
    share = table[(table["measure"] == "signal_share") & table["seed"].isna()].set_index(["network", "synapses"])["value"]
    assert share["before", "own"] < 0.05 < 0.3 < share["before", "same"]
    held = alpha[(alpha["network"] == "before") & (alpha["synapses"] == "same") & (alpha["seed"] == 0)].iloc[0]
    assert held["low"] < held["value"] < held["high"]
    change = table[(table["measure"] == "alpha_change") & (table["network"] == "after minus twin")]
    assert change["seed"].dropna().unique().tolist() == [0]
    with pytest.raises(InputError, match=r"spectrum.ranks = \[2, 11\]: the spectrum of layer 1 has 10 ranks"):
        spectrum_table(networks, {}, Part(bits, labels), SETTINGS.model_copy(update={"ranks": (2, 11)}), 0)
    with pytest.raises(InputError, match=r"spectrum.stimuli = 81: there are 80 test images"):
        spectrum_table(networks, {}, Part(bits, labels), SETTINGS.model_copy(update={"stimuli": 81}), 0)
