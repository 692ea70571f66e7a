"""Drawn pictures, recall and uncertainty against planted truths and plain alternatives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from yuragi.datasets import load
from yuragi.errors import InputError
from yuragi.sampling import Sampler, SamplingSettings
from yuragi.sampling.images import Part, binary_images
from yuragi.sampling.memory import (
    COLUMNS,
    cue_mask,
    drawn_pictures,
    example_pictures,
    generation_table,
    nearest_by,
    recall_table,
)
from yuragi.sampling.memory_settings import GenerativeSettings, StorageSettings
from yuragi.sampling.uncertainty import auroc, auroc_interval, uncertainty_table


@pytest.fixture(scope="module")
def images():
    return binary_images(load("digits"), train_images=400, validation_images=50, test_images=200)


@pytest.fixture(scope="module")
def drawing(images):
    settings = GenerativeSettings(hidden=(24,), sweeps=80, burn_in=40, every=4)
    return settings.learn(images.train, images.classes, np.random.default_rng(0), quiet=True)


@pytest.fixture(scope="module")
def storing(images):
    settings = StorageSettings(causes=12, hidden=(32,), stored=8, repeats=20, sweeps=250, burn_in=150, every=20)
    return settings.learn(images.train, np.random.default_rng(0), quiet=True)


def test_drawn_pictures_are_recognised_and_their_pixels_hang_together(images, drawing):
    table = generation_table(drawing, images.train, images.test, np.random.default_rng(0), pictures=30, resamples=200)
    assert tuple(table.columns) == COLUMNS
    value = table.set_index(["condition", "measure"])["value"]
    assert value["drawn", "recognised"] > 0.7
    assert value["drawn, labels shuffled", "recognised"] < 0.25
    assert value["before learning", "recognised"] < 0.25
    assert value["real", "recognised"] > 0.8
    # What a label alone does not show: independent pixels are recognised, but their covariances are those of nothing.
    assert value["independent pixels", "recognised"] > 0.8
    assert abs(value["independent pixels", "pixel covariance"]) < 0.15
    assert abs(value["before learning", "pixel covariance"]) < 0.15
    assert value["drawn", "pixel covariance"] > 0.3
    assert value["real", "pixel covariance"] > 0.6
    assert value["real", "nearest"] < value["drawn", "nearest"] < value["independent pixels", "nearest"] < value["before learning", "nearest"]
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()


def test_a_copy_has_no_distance():
    part = Part(np.eye(4, dtype=np.uint8), np.array([0, 0, 1, 1]))
    learned = Part(np.repeat(part.bits, 20, axis=0), np.repeat(part.labels, 20))
    drawing = GenerativeSettings(hidden=(2,), sweeps=4, burn_in=0, every=1).learn(learned, 2, np.random.default_rng(0), quiet=True)
    table = generation_table(drawing, learned, part, np.random.default_rng(0), pictures=3, resamples=50)
    nearest = table[table["measure"] == "nearest"].set_index("condition")["value"]
    assert nearest["real"] == 0
    assert nearest["before learning"] > 0.1


def test_every_sample_of_the_synapses_draws():
    # Two samples with opposite biases and no other connection that matters: pictures take turns.
    settings = SamplingSettings(layers=(1, 3), drive=40.0)
    posterior = Sampler(settings, np.random.default_rng(0)).learn(np.ones((1, 1)), np.ones((1, 3)), sweeps=2, quiet=True)
    counts = np.zeros((2, 3, 2), dtype=np.uint8)
    counts[1] = 8
    posterior = type(posterior)(posterior.synapses, (counts,), posterior.sweeps, {}, posterior.learning)
    assert drawn_pictures(posterior, np.zeros(4, dtype=int), np.random.default_rng(0)).tolist() == [[0] * 3, [1] * 3, [0] * 3, [1] * 3]


def test_stored_pictures_come_back_and_others_do_not(images, storing):
    posterior, stored = storing
    table = recall_table(posterior, stored, images.test, np.random.default_rng(0), cues=(0.5,), sweeps=30, resamples=200)
    value = table.set_index("condition")["value"]
    assert value["network, stored"] > 0.9
    assert value["network, stored"] > value["mean picture, stored"] + 0.05
    assert value["network, stored"] > value["network, new"] + 0.05
    assert value["nearest stored, stored"] > 0.97
    assert set(table["images"]) == {8}


def test_the_nearest_picture_is_judged_by_known_pixels_alone():
    stored = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], dtype=np.uint8)
    known = np.array([[True, False, False, False], [False, False, False, True]])
    assert nearest_by(np.array([[1, 0, 1, 1], [1, 1, 0, 1]]), known, stored).tolist() == [0, 1]
    with pytest.raises(InputError, match=r"cue = 0\.01: 0 of 8 pixels"):
        cue_mask((2, 8), 0.01, np.random.default_rng(0))


def test_examples_have_their_kinds(images, drawing, storing):
    found = example_pictures(drawing, *storing, images, np.random.default_rng(0), cues=(0.1, 0.5), drawn=2, recalls=3, sweeps=6)
    kinds, numbers = np.unique(found["kind"].values, return_counts=True)
    assert dict(zip(kinds.tolist(), numbers.tolist(), strict=True)) == {"cue": 3, "drawn": 20, "nearest": 3, "real": 10, "recalled": 3, "stored": 3}
    assert found["picture"].shape == (42, 1, 8, 8)
    cues = found["picture"].values[found["kind"].values == "cue"]
    assert np.allclose((cues == 0.5).mean(axis=(1, 2, 3)), 0.5)
    stored = found["picture"].values[found["kind"].values == "stored"]
    assert (cues[cues != 0.5] == stored[cues != 0.5]).all()


def test_uncertainty_tells_unfamiliar_pictures_and_counting_does_not(images):
    sampler = Sampler(SamplingSettings(layers=(64, 20, 10)), np.random.default_rng(0))
    posterior = sampler.learn(images.train.bits, images.train.labels, sweeps=60, burn_in=30, every=2, quiet=True)
    table = uncertainty_table(posterior, images.test, images.train, np.random.default_rng(0), draws=2, resamples=100)
    value = table.set_index(["condition", "measure"])["value"]
    assert value["wrong", "entropy"] > 0.65
    assert value["shuffled", "mutual information"] > 0.85
    assert value["shuffled", "entropy"] > value["shuffled", "entropy of one sample"]
    assert value["shuffled", "active pixels"] == 0.5
    assert value["inverted", "active pixels"] > 0.95


def test_a_network_that_is_never_wrong_has_no_auroc_of_errors():
    bits = np.repeat(np.eye(2, dtype=np.uint8), 30, axis=0)
    part = Part(bits, np.repeat([0, 1], 30))
    posterior = Sampler(SamplingSettings(layers=(2, 2)), np.random.default_rng(0)).learn(bits, part.labels, sweeps=200, burn_in=100, quiet=True)
    table = uncertainty_table(posterior, part, part, np.random.default_rng(0), resamples=20)
    wrong = table[table["condition"] == "wrong"]
    assert wrong[["value", "low", "high"]].isna().all().all()


def test_auroc_is_that_of_scikit_learn_and_its_interval_covers():
    generator = np.random.default_rng(0)
    cases, others = np.round(generator.normal(1, 1, 80), 1), np.round(generator.normal(0, 1, 120), 1)
    truth = np.repeat([1, 0], [80, 120])
    assert auroc(cases, others) == pytest.approx(roc_auc_score(truth, np.concatenate([cases, others])), abs=1e-12)
    low, high = auroc_interval(cases, others, generator, resamples=300)
    assert low < 0.76 < high  # Φ(1 / √2)
    assert np.isnan(auroc(cases, others[:0]))


def test_settings_that_keep_or_store_nothing_are_refused(images):
    with pytest.raises(ValueError, match="keeps no sample"):
        GenerativeSettings(sweeps=10, burn_in=10)
    with pytest.raises(InputError, match="stored = 401: there are 400 pictures"):
        StorageSettings(stored=401).learn(images.train, np.random.default_rng(0))
