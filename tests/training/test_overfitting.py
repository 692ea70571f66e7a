"""Catastrophic overfitting is found where it was planted and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from yuragi.errors import InputError
from yuragi.training.overfitting import catastrophic_epoch


def history(pgd, attack, **further):
    columns = {"epoch": range(1, len(pgd) + 1), "watched_pgd_accuracy": pgd, "watched_attack_accuracy": attack, **further}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def grown(epochs: int, height: float) -> np.ndarray:
    return height * (1 - np.exp(-np.arange(1, epochs + 1) / 4))


@pytest.mark.parametrize("planted", [3, 9, 19, 20])
def test_it_is_found_at_the_epoch_where_it_was_planted(planted: int):
    pgd, attack = grown(20, 0.6), grown(20, 0.8)
    pgd[planted - 1 :], attack[planted - 1 :] = 0.0, 0.99
    assert catastrophic_epoch(history(pgd, attack)) == planted


def test_a_fall_over_several_epochs_counts_from_the_one_below_half():
    pgd = [0.5, 0.6, 0.45, 0.31, 0.29, 0.1, 0.0]
    assert catastrophic_epoch(history(pgd, [0.7] * 7)) == 5


def test_it_stays_found_where_the_network_recovers():
    pgd = [0.5, 0.6, 0.0, 0.0, 0.55, 0.6]
    assert catastrophic_epoch(history(pgd, [0.7] * 6)) == 3


@pytest.mark.parametrize("rows", [[], history([0.5], [0.7])])
def test_a_short_history_has_none(rows):
    assert catastrophic_epoch(rows) is None


def test_a_training_that_learns_has_none():
    assert catastrophic_epoch(history(grown(30, 0.6), grown(30, 0.8))) is None


def test_divergence_is_none():
    pgd, attack = grown(20, 0.6), grown(20, 0.8)
    pgd[9:], attack[9:] = 0.1, 0.1
    assert catastrophic_epoch(history(pgd, attack)) is None
    pgd[12:], attack[12:] = np.nan, np.nan
    assert catastrophic_epoch(history(pgd, attack)) is None


def test_the_attack_may_lose_five_points_and_no_more():
    pgd = [0.6, 0.0, 0.0]
    assert catastrophic_epoch(history(pgd, [0.7, 0.65, 0.65])) == 2
    assert catastrophic_epoch(history(pgd, [0.7, 0.64, 0.64])) is None


def test_robust_overfitting_that_leaves_more_than_half_is_none():
    pgd = np.concatenate([np.linspace(0.1, 0.5, 10), np.linspace(0.5, 0.3, 20)])
    assert catastrophic_epoch(history(pgd, [0.8] * 30)) is None


def test_one_bad_epoch_is_none():
    assert catastrophic_epoch(history([0.3, 0.14, 0.3, 0.3], [0.5] * 4)) is None
    assert catastrophic_epoch(history([0.3, 0.14, 0.14, 0.3], [0.5] * 4)) == 2


def test_the_last_epoch_alone_must_fall_further():
    assert catastrophic_epoch(history([0.3, 0.12], [0.5] * 2)) is None
    assert catastrophic_epoch(history([0.3, 0.1], [0.5] * 2)) == 2


def test_a_network_that_was_never_robust_has_none():
    assert catastrophic_epoch(history([0.14, 0.0, 0.0, 0.0], [0.5] * 4)) is None


@pytest.mark.parametrize(("images", "allowed"), [(100, 0.08), (200, 0.02)])
def test_the_noise_of_a_small_watched_batch_is_none(images: int, allowed: float):
    generator = np.random.default_rng(0)
    for level in (0.1, 0.2, 0.3, 0.5, 0.8):
        found = 0
        for _ in range(100):
            pgd, attack = (generator.binomial(images, min(value, 1), 30) / images for value in (level, level + 0.2))
            found += catastrophic_epoch(history(pgd, attack)) is not None
        assert found <= 100 * allowed, level


def test_noise_does_not_hide_it():
    generator = np.random.default_rng(1)
    for _ in range(50):
        pgd, attack = np.full(20, 0.4), np.full(20, 0.6)
        pgd[11:], attack[11:] = 0.02, 0.8
        noisy = (generator.binomial(100, values) / 100 for values in (pgd, attack))
        assert catastrophic_epoch(history(*noisy)) == 12


def test_epochs_without_adversarial_images_show_none():
    pgd = [0.6, 0.1, 0.1, 0.5, 0.0, 0.0]
    rows = history(pgd, [0.7] * 6, adversarial=[0, 0, 0, 1, 1, 1])
    assert catastrophic_epoch(rows) == 5
    assert catastrophic_epoch(rows[:4]) is None


def test_epochs_that_were_not_watched_are_passed_over():
    nan = float("nan")
    assert catastrophic_epoch(history([0.6, nan, 0.0, nan, 0.0], [0.7, nan, 0.9, nan, 0.9])) == 3


def test_the_history_of_an_ordinary_training_is_refused():
    with pytest.raises(InputError, match="the column 'watched_pgd_accuracy' is missing; give the history of an adversarial training"):
        catastrophic_epoch([{"epoch": 1, "loss": 0.3}])
