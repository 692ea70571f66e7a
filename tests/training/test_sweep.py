"""A sweep names the settings that were best on images that it did not train on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.errors import InputError
from yuragi.models.perceptron import Perceptron
from yuragi.training.build import build_network
from yuragi.training.settings import TrainingSettings
from yuragi.training.standard import train
from yuragi.training.sweep import Choice, best, choose_settings


def network(seed: int) -> torch.nn.Module:
    return build_network(Perceptron(hidden=(20,)), (1, 8, 8), 10, seed=seed)


def planted(curves: dict[float, list[list[float]]]) -> pd.DataFrame:
    """For each learning rate a list of curves, one a seed."""
    rows = [
        {"candidate": number, "learning_rate": rate, "seed": seed, "epoch": epoch, "validation_accuracy": value}
        for number, (rate, seeds) in enumerate(curves.items())
        for seed, curve in enumerate(seeds)
        for epoch, value in enumerate(curve, 1)
    ]
    return pd.DataFrame(rows)


def test_the_best_and_the_second_best_rate_each_at_its_own_epoch() -> None:
    table = planted({0.1: [[0.5, 0.9, 0.6], [0.5, 0.7, 0.6]], 0.01: [[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]], 1.0: [[0.2, 0.1, 0.1], [0.4, 0.1, 0.1]]})
    assert best(table) == Choice(0, 0.1, 2, pytest.approx(0.8))
    assert best(table, 2) == Choice(1, 0.01, 3, pytest.approx(0.7))
    assert best(table, 3)[:3] == (2, 1.0, 1)
    with pytest.raises(InputError, match=r"place = 4: 3 learning rate"):
        best(table, 4)


def test_ties_go_to_fewer_epochs_then_to_the_smaller_rate() -> None:
    assert best(planted({0.1: [[0.5, 0.75, 0.75]], 0.2: [[0.75, 0.5, 0.5]]}))[1:3] == (0.2, 1)
    assert best(planted({0.2: [[0.5, 0.75]], 0.1: [[0.5, 0.75]]}))[1:3] == (0.1, 2)


def test_a_rate_at_which_a_seed_diverged_does_not_win() -> None:
    table = pd.concat([planted({0.1: [[0.5, 0.6], [0.5, 0.6]]}), planted({9.0: [[0.9, 0.9]]}).assign(candidate=1)])
    diverged = pd.DataFrame([{"candidate": 1, "learning_rate": 9.0, "seed": 1, "epoch": 2, "validation_accuracy": np.nan}])
    assert best(pd.concat([table, diverged]))[:3] == (0, 0.1, 2)


def test_a_real_sweep_prefers_a_rate_that_learns_and_its_curve_is_that_of_shorter_trainings(digits) -> None:
    candidates = [TrainingSettings(epochs=6, batch=100, learning_rate=rate) for rate in (1e-5, 1e-2)]
    table = choose_settings(network, digits.images, digits.labels, candidates, [0, 1], validation_fraction=0.25)
    assert len(table) == 2 * 2 * 6
    assert best(table).learning_rate == 1e-2
    assert best(table).validation_accuracy > best(table, 2).validation_accuracy + 0.3
    shorter = TrainingSettings(epochs=3, batch=100, learning_rate=1e-2, validation_fraction=0.25)
    history = train(network(1), digits.images, digits.labels, shorter, seed=1)
    mine = table[(table.candidate == 1) & (table.seed == 1) & (table.epoch <= 3)]
    np.testing.assert_array_equal(mine.validation_accuracy, history.validation_accuracy)


def test_a_schedule_that_knows_the_last_epoch_tells_only_that_and_divergence_is_a_result(digits) -> None:
    candidates = [
        TrainingSettings(epochs=3, batch=200, schedule="cosine"),
        TrainingSettings(epochs=3, batch=200, optimiser="sgd", learning_rate=1e38, weight_decay=1e4),
    ]
    table = choose_settings(network, digits.images, digits.labels, candidates, [0])
    assert list(table.epoch) == [3, 3]
    assert np.isnan(table.validation_accuracy[1])
    assert best(table).candidate == 0


def test_bad_input(digits) -> None:
    with pytest.raises(InputError, match="at least one of each"):
        choose_settings(network, digits.images, digits.labels, [], [0])
    with pytest.raises(InputError, match=r"candidates\[0\]: it has a validation_fraction"):
        choose_settings(network, digits.images, digits.labels, [TrainingSettings(validation_fraction=0.1)], [0])
