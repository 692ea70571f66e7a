"""A planted problem is learned and its controls stay below; histories and choices are what they say."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from yuragi.errors import InputError
from yuragi.sampling.classification import best_drive, compare_drives, learn_labels, predictions
from yuragi.sampling.images import BinaryImages, Part
from yuragi.sampling.prediction import log_class_scores
from yuragi.sampling.settings import ARMS, Chain, Learning, NetworkSettings
from yuragi.settings import validate


def parity_images(seed: int = 0, number: int = 240) -> BinaryImages:
    """Three pixels whose parity is the label, beside three that say nothing."""
    generator = np.random.default_rng(seed)

    def part(images: int) -> Part:
        bits = generator.integers(0, 2, (images, 6)).astype(np.uint8)
        return Part(bits, (bits[:, :3].sum(axis=1) % 2).astype(np.int64))

    return BinaryImages(part(number), part(120), part(200), 2, (1, 2, 3))


def lit_pixel(number: int = 60) -> BinaryImages:
    """Three classes, each of which lights a pixel of its own, beside noise: easy without hidden units."""
    generator = np.random.default_rng(1)

    def part(images: int) -> Part:
        labels = generator.integers(0, 3, images)
        bits = np.concatenate([np.eye(3, dtype=np.uint8)[labels], generator.integers(0, 2, (images, 3)).astype(np.uint8)], axis=1)
        return Part(bits, labels.astype(np.int64))

    return BinaryImages(part(number), part(number), part(number), 3, (1, 2, 3))


def test_what_needs_hidden_synapses_is_learned_and_the_controls_stay_below():
    data, network, chain = parity_images(), NetworkSettings(hidden=(8,), drive=(6, 6)), Chain(sweeps=500, burn_in=250, every=10)
    accuracy = {arm: [] for arm in ARMS}
    for (arm, learning), seed in itertools.product(ARMS.items(), range(3)):
        posterior, history = learn_labels(data, network, chain, np.random.default_rng(seed), learning=learning, quiet=True)
        found = predictions(posterior, data.test, chain, np.random.default_rng(seed))
        accuracy[arm].append(float(found["correct"].mean()))
        assert posterior.learning == learning
        assert history["mean_accuracy"].iloc[-1] == pytest.approx(accuracy[arm][-1], abs=0.2)
    means = {arm: np.mean(values) for arm, values in accuracy.items()}
    assert means["sampled"] > 0.9
    assert means["fixed_hidden"] < means["sampled"] - 0.1
    assert means["random_features"] < means["sampled"] - 0.1


def test_arms_differ_only_in_their_rule():
    """Networks of one seed start from the same hidden synapses: those that stay in the controls."""
    data, chain = lit_pixel(), Chain(sweeps=8, burn_in=0, every=2)
    drawn = {}
    for arm, learning in ARMS.items():
        posterior, _ = learn_labels(data, NetworkSettings(hidden=(4,)), chain, np.random.default_rng(0), learning=learning, quiet=True)
        drawn[arm] = posterior.counts[0]
    np.testing.assert_array_equal(drawn["fixed_hidden"], drawn["random_features"])
    assert (drawn["fixed_hidden"] == drawn["fixed_hidden"][0]).all()
    assert (drawn["sampled"] != drawn["fixed_hidden"]).any()
    assert [learning.exact for learning in ARMS.values()] == [True, False, False]


def test_an_easy_problem_without_hidden_units():
    data, chain = lit_pixel(), Chain(sweeps=150, burn_in=50, every=5)
    posterior, history = learn_labels(data, NetworkSettings(hidden=(), drive=4), chain, np.random.default_rng(0), quiet=True)
    assert posterior.settings.layers == (6, 3)
    assert (predictions(posterior, data.test, chain, np.random.default_rng(0))["correct"]).all()
    assert history["sweep"].tolist() == list(range(5, 151, 5))
    assert posterior.sweeps.tolist() == list(range(55, 151, 5))
    assert history["mean_accuracy"].iloc[-1] == 1
    shuffled = BinaryImages(Part(data.train.bits, np.random.default_rng(3).permutation(data.train.labels)), data.validation, data.test, 3, (1, 2, 3))
    wrong, _ = learn_labels(shuffled, NetworkSettings(hidden=(), drive=4), chain, np.random.default_rng(0), quiet=True)
    assert predictions(wrong, data.test, chain, np.random.default_rng(0))["correct"].mean() < 0.7, "labels at random teach nothing"


@pytest.mark.parametrize("rule", ["one_hot", "outputs"])
def test_a_history_is_of_single_states_and_of_the_mean_over_the_later_half(rule):
    """Without hidden units scores are no draws, and can be computed again from the samples."""
    data, chain = lit_pixel(12), Chain(sweeps=9, burn_in=0, every=1, rule=rule)
    posterior, history = learn_labels(data, NetworkSettings(hidden=(), drive=2), chain, np.random.default_rng(5), quiet=True)
    scores = np.exp(np.stack(list(log_class_scores(posterior, data.validation.bits, np.random.default_rng(0), rule=rule))))
    labels = data.validation.labels
    for number, row in enumerate(history.itertuples(), start=1):
        assert row.sweep == number
        assert row.single_accuracy == (scores[number - 1].argmax(axis=1) == labels).mean()
        later = scores[number // 2 : number]
        assert len(later) == -(-number // 2)
        assert row.mean_accuracy == (later.sum(axis=0).argmax(axis=1) == labels).mean()
    assert history["single_accuracy"].nunique() > 1


def test_predictions_tell_what_their_names_say():
    data, chain = lit_pixel(), Chain(sweeps=20, burn_in=4, every=2)
    posterior, _ = learn_labels(data, NetworkSettings(hidden=(), drive=1), chain, np.random.default_rng(0), quiet=True)
    found = predictions(posterior, data.test, chain, np.random.default_rng(0), followed=7)
    scores = np.exp(np.stack(list(log_class_scores(posterior, data.test.bits, np.random.default_rng(0), rule="one_hot"))))
    probability, labels = scores.sum(axis=0) / scores.sum(axis=(0, 2))[:, None], data.test.labels
    np.testing.assert_allclose(found["probability"], probability)
    np.testing.assert_array_equal(found["correct"], probability.argmax(axis=1) == labels)
    np.testing.assert_allclose(found["single_correct"], (scores.argmax(axis=2) == labels).mean(axis=0))
    own = scores / scores.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(found["true_class"], own[:, np.arange(7), labels[:7]])
    np.testing.assert_allclose(found["entropy"], -(probability * np.log(probability)).sum(axis=1))
    assert 0 < found["single_correct"].mean() < 1
    np.testing.assert_array_equal(found["label"], labels)
    assert predictions(posterior, data.test, chain, np.random.default_rng(0))["true_class"].sizes["followed"] == len(labels)


def test_test_images_have_no_say():
    data, chain = lit_pixel(), Chain(sweeps=8, burn_in=0, every=2)
    other = BinaryImages(data.train, data.validation, Part(1 - data.test.bits, data.test.labels), 3, (1, 2, 3))
    first, second = (learn_labels(part, NetworkSettings(hidden=(4,)), chain, np.random.default_rng(0), quiet=True) for part in (data, other))
    pd.testing.assert_frame_equal(first[1], second[1])
    np.testing.assert_array_equal(first[0].counts[0], second[0].counts[0])


def test_drives_are_compared_from_one_seed_and_the_best_is_chosen():
    data, chain = lit_pixel(), Chain(sweeps=40, burn_in=20, every=2)
    table = compare_drives(data, NetworkSettings(hidden=(4,)), [0.01, (4, 4), 3.123456789, (4, 4)], chain, seed=0)
    assert table["arm"].tolist() == [arm for arm in ARMS for _ in range(4)]
    assert table["drive"].tolist() == ["0.01", "4 4", "3.123456789", "4 4"] * len(ARMS)
    assert table.iloc[1].equals(table.iloc[3])
    assert table.loc[0, "validation_accuracy"] < table.loc[1, "validation_accuracy"], "units without drive are coins"
    assert best_drive(table) != 0.01
    _, history = learn_labels(data, NetworkSettings(hidden=(4,), drive=(4, 4)), chain, np.random.default_rng(0), quiet=True)
    assert table.loc[1, "validation_accuracy"] == history["mean_accuracy"].iloc[-1]
    assert table.loc[1, "single_accuracy"] == history["single_accuracy"].iloc[-1]


@pytest.mark.parametrize(
    ("drives", "accuracies", "best"),
    [(["4", "8"], [0.5, 0.6], 8.0), (["4 2", "8 3"], [0.6, 0.6], (4.0, 2.0)), (["0.5 1 2", "8"], [0.7, 0.6], (0.5, 1.0, 2.0))],
)
def test_the_best_drive_is_read_from_a_table_and_the_first_of_equals(drives, accuracies, best, tmp_path):
    own = pd.DataFrame({"arm": "sampled", "drive": drives, "validation_accuracy": accuracies})
    other = pd.DataFrame({"arm": "fixed_hidden", "drive": ["9"], "validation_accuracy": [0.99]})
    pd.concat([own, other]).to_csv(tmp_path / "choice.csv", index=False)
    table = pd.read_csv(tmp_path / "choice.csv")
    found = best_drive(table)
    assert found == best
    assert best_drive(table, "fixed_hidden") == 9.0, "every arm has its own"
    with pytest.raises(InputError, match="random_features"):
        best_drive(table, "random_features")
    assert NetworkSettings().model_copy(update={"drive": found}).drive == best


@pytest.mark.parametrize(("drive", "accuracy"), [("eight", 0.6), ("4 -2", 0.6), ("inf", 0.6), ("8", np.nan), ("8", "good"), (np.nan, 0.6)])
def test_a_damaged_table_of_drives_is_refused(drive, accuracy):
    table = pd.DataFrame({"arm": ["sampled"], "drive": [drive], "validation_accuracy": [accuracy]})
    with pytest.raises(InputError, match=r"choice: drive = '.*' of the best row of 'sampled'"):
        best_drive(table)


def test_copies_of_the_outputs_and_the_drive_of_each_layer_reach_the_network():
    data = lit_pixel()
    settings = NetworkSettings(hidden=(5, 4), drive=(1, 2, 3), copies=2, synapses=3).sized(data)
    assert settings.layers == (6, 5, 4, 6)
    assert (settings.drive, settings.copies, settings.outputs, settings.synapses) == ((1, 2, 3), 2, 3, 3)
    with pytest.raises(InputError, match=r"drive = \[8.0, 8.0\]: 3 layers lie above the pixels"):
        NetworkSettings(hidden=(5, 4), drive=(8, 8)).sized(data)


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        (NetworkSettings, {"hidden": [0]}, "hidden"),
        (NetworkSettings, {"prior": 1.5}, "prior"),
        (NetworkSettings, {"excitatory": 2}, "excitatory"),
        (NetworkSettings, {"drive": [0, 1]}, "drive"),
        (Chain, {"sweeps": 10, "burn_in": 0, "every": 3}, "fewer than four states are kept"),
        (Chain, {"draws": 0}, "draws"),
        (Chain, {"rule": "mean"}, "rule"),
        (Learning, {"temper": 0}, "temper"),
    ],
)
def test_settings_without_sense_are_told_in_one_line(kind, values, told):
    with pytest.raises(InputError, match=told) as caught:
        validate(kind, values, "study")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("sweeps", "burn_in", "every"), [(8, 0, 2), (45, 5, 10), (49, 9, 10), (59, 19, 10)])
def test_a_chain_that_is_let_through_keeps_four_states(sweeps, burn_in, every):
    chain = Chain(sweeps=sweeps, burn_in=burn_in, every=every)
    posterior, _ = learn_labels(lit_pixel(8), NetworkSettings(hidden=(), drive=4), chain, np.random.default_rng(0), quiet=True)
    assert len(posterior) == 4
    assert posterior.sweeps.min() > burn_in
