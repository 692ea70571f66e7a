"""The job of training from the command line: what the step of choosing hands on, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from yuragi.__main__ import main
from yuragi.jobs.train import Arm, chosen_training
from yuragi.training.checkpoint import load_network, read_spec
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
        ({"arm": {"adversarial": {"attack": {"kind": "fgsm"}, "k": 301}}}, "k = 301: a mini-batch has batch = 300 images"),
        ({"arm": {"adversarial": {"attack": {"kind": "fgsm"}, "clean_epochs": 3}}}, "clean_epochs = 3: the training has 3 epochs"),
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


WATCHED = ("watched_clean_accuracy", "watched_attack_accuracy", "watched_pgd_accuracy")
ADVERSARIAL = {"attack": {"kind": "fgsm", "eps": 0.1}, "clean_epochs": 1, "watched_images": 40, "watched_steps": 2}
SHORT = SPEC | {"training": {"epochs": 3, "batch": 300}}


def adversarially(**options: Any) -> dict[str, object]:
    return SHORT | {"arm": {"adversarial": ADVERSARIAL | options, "width": 2, "batch_norm": True}}


def test_an_adversarial_arm_is_trained_watched_and_recorded_as_it_was_widened(images: Path, tmp_path: Path) -> None:
    assert trained(images, tmp_path, adversarially()) == 0
    history = pd.read_csv(tmp_path / "history.csv")
    assert {"held_out_accuracy", "adversarial_train_accuracy", *WATCHED} <= set(history)
    assert list(history["adversarial"]) == [0, 1, 1]
    assert list(history["adversarial_train_accuracy"].isna()) == [True, False, False]
    assert history[list(WATCHED)].stack().between(0, 1).all()
    # Fractions of the 40 images that are watched.
    counts = 40 * history[list(WATCHED)].to_numpy()
    assert counts == pytest.approx(counts.round(), abs=1e-3)
    path = tmp_path / "plain-seed0.safetensors"
    spec = read_spec(path)
    assert (spec["network"]["hidden"], spec["network"]["batch_norm"]) == ([60], True)
    assert (spec["arm"]["width"], spec["arm"]["adversarial"]["attack"]["kind"], spec["arm"]["adversarial"]["weight"]) == (2, "fgsm", 0.3)
    assert load_network(path).width("hidden1") == 60
    assert not list((tmp_path / "scratch").glob("*"))


@pytest.mark.parametrize(("found", "told"), [(2, True), (None, False)])
def test_catastrophic_overfitting_is_told_in_one_line(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, found: int | None, told: bool
) -> None:
    met = []
    monkeypatch.setattr("yuragi.training.overfitting.catastrophic_epoch", lambda history: met.append(history) or found)
    assert trained(images, tmp_path, adversarially()) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "catastrophic" in line]
    assert [line.startswith("catastrophic overfitting in epoch 2: ") and "train on pgd" in line for line in lines] == [True] * told
    # What it is judged by is the history that is written.
    (history,) = met
    written = pd.read_csv(tmp_path / "history.csv")
    assert [row["watched_pgd_accuracy"] for row in history] == pytest.approx(list(written["watched_pgd_accuracy"]))


def test_without_watched_images_nothing_is_watched(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trained(images, tmp_path, adversarially(watched_images=0)) == 0
    history = pd.read_csv(tmp_path / "history.csv")
    assert not {*WATCHED} & set(history)
    assert {"adversarial", "adversarial_train_accuracy"} <= set(history)
    assert "catastrophic" not in capsys.readouterr().err


def test_ordinary_training_has_no_columns_of_adversarial_training(images: Path, tmp_path: Path) -> None:
    assert trained(images, tmp_path, SHORT) == 0
    assert not [name for name in pd.read_csv(tmp_path / "history.csv") if name.startswith(("adversarial", "watched"))]
