"""The jobs of memorisation and of networks' properties, from the command line to their files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from yuragi.__main__ import main
from yuragi.errors import InputError
from yuragi.jobs import memorise, properties
from yuragi.settings import validate

NETWORK = {"kind": "perceptron", "hidden": [40]}
SPEC = {"network": NETWORK, "images": 100, "epochs": 3, "training": {"batch": 1000, "epochs": 50}}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "digits.nc"
    assert main(["ingest", str(path), "--dataset", "{kind: digits}"]) == 0
    return path


def memorised(images: Path, table: Path, spec: dict[str, object], scratch: Path) -> pd.DataFrame:
    assert main(["memorise", str(images), str(table), "--spec", json.dumps(spec), "--scratch", str(scratch), "--device", "cpu"]) == 0
    return pd.read_csv(table)


def test_a_table_of_every_fraction_and_epoch(images: Path, tmp_path: Path) -> None:
    found = memorised(images, tmp_path / "plain-seed0.csv", SPEC, tmp_path / "scratch")
    assert found["random_labels"].tolist() == [0.5] * 3 + [1.0] * 3
    assert found["epoch"].tolist() == [1, 2, 3] * 2
    assert {"memorised", "random_label_accuracy", "true_label_accuracy", "held_out_accuracy", "chance"} <= set(found)
    assert not list((tmp_path / "scratch").glob("*"))


def test_the_same_specification_gives_the_same_bytes_and_another_seed_others(images: Path, tmp_path: Path) -> None:
    noisy = SPEC | {"arm": {"noise": {"kind": "white", "layer": "hidden1", "relative_variance": 0.5}}}
    written = []
    for number, seed in enumerate((1, 1, 2)):
        memorised(images, tmp_path / f"{number}.csv", noisy | {"seed": seed}, tmp_path / "scratch")
        written.append((tmp_path / f"{number}.csv").read_bytes())
    assert written[0] == written[1] != written[2]


def test_what_cannot_be_is_refused(images: Path, tmp_path: Path) -> None:
    spec = memorise.Spec.model_validate(SPEC | {"images": 5000})
    with pytest.raises(InputError, match=r"images = 5000: the set has 1[0-9]{3} training images; lower it"):
        memorise.run(images, tmp_path / "table.csv", spec=spec, scratch=str(tmp_path), device="cpu")
    assert not (tmp_path / "table.csv").exists()
    for fraction in (0.0, 2.0):
        with pytest.raises(InputError, match=rf"here: fractions: {fraction:g} is no fraction of labels"):
            validate(memorise.Spec, SPEC | {"fractions": [0.5, fraction]}, "here")


def test_an_arm_of_the_brain_target_wants_it(images: Path, tmp_path: Path) -> None:
    arm = {"penalty": {"kind": "spectral", "layers": {"hidden1": "v1"}}}
    with pytest.raises(InputError, match="--target: this arm reads the brain target"):
        memorise.run(images, tmp_path / "table.csv", spec=memorise.Spec.model_validate(SPEC | {"arm": arm}))


def test_the_training_is_that_of_the_arm_but_for_its_length() -> None:
    training = {"batch": 1000, "epochs": 50, "learning_rate": 0.01, "validation_fraction": 0.1, "patience": 3}
    spec = memorise.Spec.model_validate(SPEC | {"training": training})
    by_rote = spec.by_rote(spec.training)
    assert (by_rote.batch, by_rote.epochs, by_rote.learning_rate) == (100, 3, 0.01)
    assert (by_rote.validation_fraction, by_rote.patience) == (0, None)
    with pytest.raises(InputError, match="warmup_epochs = 5: the training has 3 epochs"):
        validate(memorise.Spec, SPEC | {"training": {"warmup_epochs": 5}}, "here")


def test_properties_of_every_network(images: Path, tmp_path: Path) -> None:
    networks = []
    for arm, seed in (("plain", 0), ("two-parts", 1)):
        networks.append(str(tmp_path / f"{arm}-seed{seed}.safetensors"))
        spec = {"network": NETWORK, "training": {"epochs": 1}, "seed": seed}
        files = [networks[-1], str(tmp_path / f"{arm}.history.csv")]
        assert main(["train", str(images), *files, "--spec", json.dumps(spec), "--scratch", str(tmp_path / "scratch"), "--device", "cpu"]) == 0
    written = []
    for name in ("one.csv", "other.csv"):
        options = ["--layers", "[hidden1]", "--images", "60", "--device", "cpu"]
        assert main(["properties", str(images), str(tmp_path / name), *networks, *options]) == 0
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    found = pd.read_csv(tmp_path / "one.csv")
    assert list(found.columns) == ["arm", "seed", "layer", "property", "value"]
    assert list(zip(found["arm"], found["seed"], strict=True))[:: len(found) // 2] == [("plain", 0), ("two-parts", 1)]
    assert set(found["layer"].dropna()) == {"hidden1"}
    with pytest.raises(InputError, match="hidden7"):
        properties.run(images, tmp_path / "no.csv", [Path(networks[0])], spec=properties.Spec(layers=("hidden7",)), device="cpu")
