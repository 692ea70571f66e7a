"""The job of training from the command line: what the step of choosing hands on, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from yuragi.__main__ import main
from yuragi.jobs.train import Arm, chosen_training
from yuragi.training.checkpoint import read_spec
from yuragi.training.settings import TrainingSettings

SPEC = {"network": {"kind": "perceptron", "hidden": [30]}, "training": {"epochs": 9, "batch": 300, "schedule": "steps", "drop_after": [2, 6]}}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "digits.nc"
    assert main(["ingest", str(path), "--dataset", "{kind: digits}"]) == 0
    return path


@pytest.fixture
def choice(tmp_path: Path) -> Path:
    """Learning rates whose best epochs are the third and the first."""
    rows = [(0, 0.01, 1, 0.5), (0, 0.01, 2, 0.6), (0, 0.01, 3, 0.7), (1, 0.001, 1, 0.6), (1, 0.001, 2, 0.5)]
    columns = ["candidate", "learning_rate", "epoch", "validation_accuracy"]
    path = tmp_path / "choice.csv"
    pd.DataFrame(rows, columns=columns).assign(seed=0).to_csv(path, index=False)
    return path


def trained(images: Path, folder: Path, spec: dict[str, object], *options: str) -> int:
    files = [str(folder / "plain-seed0.safetensors"), str(folder / "history.csv")]
    return main(["train", str(images), *files, "--spec", json.dumps(spec), "--scratch", str(folder / "scratch"), "--device", "cpu", *options])


def test_chosen_settings_keep_the_drops_that_their_epochs_reach(choice: Path) -> None:
    given = TrainingSettings.model_validate(SPEC["training"])
    first, second = (chosen_training(given, choice, place) for place in (1, 2))
    assert (first.learning_rate, first.epochs, first.schedule, first.drop_after) == (0.01, 3, "steps", (2,))
    assert (second.learning_rate, second.epochs, second.schedule, second.drop_after) == (0.001, 1, "constant", ())
    assert chosen_training(given, None, 1) == given


def test_the_network_is_trained_as_chosen(images: Path, choice: Path, tmp_path: Path) -> None:
    assert trained(images, tmp_path, SPEC, "--choice", str(choice)) == 0
    assert len(pd.read_csv(tmp_path / "history.csv")) == 3
    assert read_spec(tmp_path / "plain-seed0.safetensors")["training"]["learning_rate"] == 0.01
    assert not list((tmp_path / "scratch").glob("*"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"arm": {"whitened": "hidden7"}}, "arm: whitened = 'hidden7': no layer before the last has this name; choose one of hidden1"),
        ({"training": {"batch": 300, "warmup_epochs": 4}}, "choice.csv found best: warmup_epochs = 4: the training has 3 epochs"),
        ({"place": 3}, "place = 3: 2 learning rate"),
        ({"arm": {"penalty": {"kind": "spectral", "layers": {"hidden1": "v4"}}}}, "--target: this arm reads the brain target"),
        ({"arm": {"penalty": {"kind": "spectral", "layers": {"hidden7": 1.0}}}}, "layer 'hidden7' does not exist; did you mean 'hidden1'? Known:"),
        ({"arm": {"penalty": {"kind": "spectral", "layers": {"hidden1": 1.0}, "anchor": 30}}}, "30 units leave no rank after the anchor rank 30"),
    ],
)
def test_what_cannot_be_trained_is_one_line_and_leaves_nothing(
    images: Path, choice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], told: str
) -> None:
    assert trained(images, tmp_path, SPEC | change, "--choice", str(choice)) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["choice.csv"]


def test_an_arm_changes_what_it_names_and_nothing_else() -> None:
    from yuragi.models.perceptron import Perceptron

    plain = Perceptron(hidden=(30,), activation="relu")
    assert Arm().architecture(plain) is plain
    whitened = Arm(whitened="hidden1").architecture(plain)
    assert whitened == Perceptron(hidden=(30,), activation="relu", whitened="hidden1")
