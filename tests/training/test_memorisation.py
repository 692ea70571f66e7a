"""Learning by rote: what is measured, what does not learn by rote, and the numbers a curve comes down to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.errors import InputError
from yuragi.models.perceptron import Perceptron
from yuragi.noise.white import WhiteNoise
from yuragi.robustness.memorisation import seed_interval, summarise_curve
from yuragi.training.build import build_network
from yuragi.training.labels import randomised_labels
from yuragi.training.memorisation import corrected_for_guessing, memorise, remove_progress
from yuragi.training.settings import TrainingSettings

IMAGES = 120
SETTINGS = TrainingSettings(epochs=60, batch=30, learning_rate=1e-2)


def curves(digits, *, settings: TrainingSettings = SETTINGS, noise: WhiteNoise | None = None, **options) -> pd.DataFrame:
    def make_network() -> torch.nn.Module:
        return build_network(Perceptron(hidden=(200,)), (1, 8, 8), 10, seed=0, noise=noise)

    return memorise(make_network, digits.images[:IMAGES], digits.labels[:IMAGES], settings, seed=0, **options)


@pytest.fixture(scope="module")
def learned(digits) -> pd.DataFrame:
    return curves(digits, held_out=(digits.test_images, digits.test_labels))


def test_a_network_with_room_learns_random_labels_by_rote(learned: pd.DataFrame) -> None:
    last = learned.groupby("random_labels").last()
    assert (last["memorised"] > 0.9).all()
    assert last["true_label_accuracy"][0.5] > 0.9
    assert learned[learned["random_labels"] == 1]["true_label_accuracy"].isna().all()
    # What is learned of random labels alone is of no use for other images; half true labels are.
    assert last["held_out_accuracy"][1.0] < 0.3
    assert last["held_out_accuracy"][0.5] > 0.3
    assert np.allclose(learned["memorised"], (learned["random_label_accuracy"] - 0.1) / 0.9)
    assert (learned["chance"] == 0.1).all()
    assert learned["epoch"].tolist() == 2 * list(range(1, 61))


def test_a_network_that_may_not_grow_its_weights_does_not(digits) -> None:
    bound = SETTINGS.model_copy(update={"weight_decay": 0.3})
    assert curves(digits, settings=bound, fractions=[1.0])["memorised"].max() < 0.3


def test_what_is_measured_is_the_accuracy_on_the_random_labels(digits) -> None:
    networks = []

    def make_network() -> torch.nn.Module:
        networks.append(build_network(Perceptron(hidden=(200,)), (1, 8, 8), 10, seed=0))
        return networks[-1]

    images, labels = digits.images[:IMAGES], digits.labels[:IMAGES]
    found = memorise(make_network, images, labels, TrainingSettings(epochs=5, batch=60), seed=3, fractions=[0.4]).iloc[-1]
    drawn, where = randomised_labels(labels, 0.4, 10, seed=3)
    answers = networks[0](torch.from_numpy(images)).argmax(1).numpy()
    assert found["random_label_accuracy"] == pytest.approx((answers == drawn)[where].mean())
    assert found["true_label_accuracy"] == pytest.approx((answers == labels)[~where].mean())


def test_knowing_the_true_classes_is_no_memorising() -> None:
    labels = np.arange(20000) % 10
    drawn, where = randomised_labels(labels, 0.5, 10, seed=0)
    assert corrected_for_guessing(float((labels == drawn)[where].mean()), 10) == pytest.approx(0, abs=0.01)


def test_noise_is_on_and_the_same_arguments_give_the_same_numbers(digits, learned: pd.DataFrame) -> None:
    short = TrainingSettings(epochs=4, batch=60, learning_rate=5e-3)
    noise = WhiteNoise(layer="hidden1", relative_variance=3.0)
    one, other = (curves(digits, settings=short, noise=noise) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    single = curves(digits, settings=short, noise=noise, draws=1)
    assert not np.allclose(single["memorised"], one["memorised"])
    # A number of images times a number of draws: the mean is over both.
    random = one[one["random_labels"] == 1]["random_label_accuracy"] * IMAGES * 8
    assert np.allclose(random, random.round())
    assert (random % 8 != 0).any()


def test_an_interrupted_test_goes_on_where_it_was(digits, learned: pd.DataFrame, tmp_path) -> None:
    short = TrainingSettings(epochs=3, batch=60)
    whole = curves(digits, settings=short)
    first = curves(digits, settings=short, fractions=[0.5], scratch=tmp_path, key="run")
    assert (tmp_path / "run-0.5").exists()
    resumed = curves(digits, settings=short, scratch=tmp_path, key="run")
    pd.testing.assert_frame_equal(resumed, whole)
    pd.testing.assert_frame_equal(first, whole.iloc[:3])
    remove_progress(tmp_path, "run", (0.5, 1.0))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ([], r"fractions = \[\]: name one or more"),
        ([0.5, 0.5], "each once"),
        ([0.0], "fractions: 0 of 120 images leaves none with a random label"),
        ([1.5], "give numbers above 0, at most 1"),
    ],
)
def test_fractions_that_leave_nothing_to_learn_are_refused(digits, fractions: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        curves(digits, fractions=fractions)


def test_images_held_aside_are_refused(digits) -> None:
    with pytest.raises(InputError, match=r"validation_fraction = 0\.1: learning by rote is measured on all images"):
        curves(digits, settings=TrainingSettings(validation_fraction=0.1))


def test_a_curve_comes_down_to_how_fast_and_how_far() -> None:
    epochs, shares = np.arange(1, 6), {0.5: [0.0, 0.2, 0.5, 0.4, 0.9], 1.0: [0.0, 0.0, 0.1, 0.2, 0.3]}
    curve = pd.concat(
        [pd.DataFrame({"random_labels": fraction, "epoch": epochs, "memorised": share, "chance": 0.1}) for fraction, share in shares.items()]
    )
    summary = summarise_curve(curve.sample(frac=1, random_state=0)).set_index("random_labels")
    assert summary.loc[0.5, ["final", "area", "epochs_to_half", "epochs_to_90", "epochs"]].tolist() == pytest.approx([0.9, 0.4, 3, 5, 5])
    assert summary.loc[1.0, ["final", "area"]].tolist() == pytest.approx([0.3, 0.12])
    assert summary.loc[1.0, ["epochs_to_half", "epochs_to_90"]].isna().all()
    with pytest.raises(InputError, match=r"epochs \[1, 2, 4, 5\] at 0\.5 random labels"):
        summarise_curve(curve[curve["epoch"] != 3])


def test_intervals_over_seeds_cover_as_often_as_they_say() -> None:
    samples = np.random.default_rng(0).normal(1.0, 0.3, size=(2000, 3))
    intervals = np.array([seed_interval(sample) for sample in samples])
    assert np.mean((intervals[:, 0] <= 1) & (intervals[:, 1] >= 1)) == pytest.approx(0.95, abs=0.015)
    assert np.isnan(seed_interval([0.4])).all()
    assert np.isnan(seed_interval([0.4, np.nan])).all()
    assert seed_interval([0.2, 1.0, 0.9], bounds=(0.0, 1.0)) == (0, 1)
