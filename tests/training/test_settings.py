"""Settings that contradict each other are refused in one line, and the schedule is its closed form."""

from __future__ import annotations

import math

import pytest

from yuragi.settings import validate
from yuragi.training.schedule import learning_rate
from yuragi.training.settings import TrainingSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"momentum": 0.9}, "only sgd takes it"),
        ({"patience": 3}, "nothing to stop on; give a validation_fraction"),
        ({"stop_on": "accuracy"}, "nothing is stopped early without patience"),
        ({"schedule": "steps"}, "it has no step"),
        ({"drop_after": (5,)}, "only the schedule steps reads it"),
        ({"schedule": "steps", "drop_after": (5, 5)}, "give ascending epochs"),
        ({"schedule": "steps", "drop_after": (50,)}, "nothing is trained after epoch 50"),
        ({"warmup_epochs": 50}, "the training has 50 epochs; warm up for fewer"),
        ({"validation_fraction": 1.0}, "validation_fraction = 1.0"),
        ({"precision": "16"}, "precision = '16'"),
        ({"data_on_device": "sometimes"}, "data_on_device"),
    ],
)
def test_contradictions_are_one_line(values, message) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        validate(TrainingSettings, values, "training")
    assert "\n" not in str(caught.value)


def test_every_setting_is_described() -> None:
    assert [name for name, field in TrainingSettings.model_fields.items() if not field.description] == []


def test_a_constant_rate_is_one() -> None:
    assert {learning_rate(TrainingSettings(epochs=4), step, 7) for step in range(28)} == {1e-3}


def test_cosine_falls_from_the_rate_to_nothing() -> None:
    settings = TrainingSettings(epochs=10, learning_rate=0.2, schedule="cosine")
    rates = [learning_rate(settings, step, 5) for step in range(50)]
    assert rates == pytest.approx([0.1 * (1 + math.cos(math.pi * step / 50)) for step in range(50)], rel=1e-12)
    assert rates[25] == pytest.approx(0.1)
    assert 0 < rates[-1] < 1e-3


def test_warm_up_rises_linearly_and_the_cosine_begins_after_it() -> None:
    settings = TrainingSettings(epochs=10, learning_rate=1.0, schedule="cosine", warmup_epochs=2)
    rates = [learning_rate(settings, step, 5) for step in range(50)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == 1.0
    assert rates[30] == pytest.approx(0.5)


def test_steps_drop_after_their_epochs() -> None:
    settings = TrainingSettings(epochs=9, learning_rate=1.0, schedule="steps", drop_after=(3, 6), drop_factor=0.5)
    assert [learning_rate(settings, step, 2) for step in range(18)] == [1.0] * 6 + [0.5] * 6 + [0.25] * 6
