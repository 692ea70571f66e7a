"""Networks that learn by sampling, from the command line to their tables."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.__main__ import main
from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf
from yuragi.models import Perceptron
from yuragi.models.front_ends.binarise import Binarise
from yuragi.sampling import Sampler, SamplingSettings, predict, read_posterior, write_posterior
from yuragi.sampling.settings import ARMS
from yuragi.settings import validate
from yuragi.training.checkpoint import save_network

DATA = {"train_images": 150, "validation_images": 40, "test_images": 60, "threshold": 0.4}
NETWORK = {"hidden": [8], "drive": [4, 6]}
CHAIN = {"sweeps": 24, "burn_in": 8, "every": 2, "draws": 2}
SPEC = {"data": DATA, "network": NETWORK, "chain": CHAIN, "seed": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits, three arms of two seeds, and a twin that has learned nothing."""
    folder = tmp_path_factory.mktemp("sampling")
    assert main(["ingest", str(folder / "digits.nc"), "--dataset", "{kind: digits}"]) == 0
    for arm, learning in ARMS.items():
        for seed in (0, 1):
            assert learn(folder, folder / f"{arm}-seed{seed}", SPEC | {"learning": learning.model_dump(), "seed": seed}) == 0
    architecture = Perceptron(hidden=(8,), front_end=Binarise(threshold=0.4))
    network = architecture.build((1, 8, 8), 10, torch.Generator().manual_seed(0))
    save_network(network, {"network": architecture.model_dump(mode="json")}, folder / "twin-seed0.safetensors")
    return folder


def learn(folder: Path, stem: Path, spec: dict, *options: str) -> int:
    files = [f"{stem}{ending}" for ending in (".nc", ".history.csv", ".predictions.nc")]
    return main(["sampling_learn", str(folder / "digits.nc"), *files, "--spec", json.dumps(spec), *options])


def choose(folder: Path, to: Path, spec: dict) -> int:
    return main(["sampling_choose", str(folder / "digits.nc"), str(to), "--spec", json.dumps(spec)])


def summarise(
    folder: Path, to: Path, arms: tuple[str, ...] = tuple(ARMS), seeds: tuple[int, ...] = (0, 1), *, predictions: tuple[str, ...] | None = None
):
    files = [to / f"{name}.csv" for name in ("accuracy", "claims", "mixing")]
    posteriors = [str(folder / f"{arm}-seed{seed}.nc") for arm in arms for seed in seeds]
    predicted = [str(folder / f"{arm}-seed{seed}.predictions.nc") for arm in (arms if predictions is None else predictions) for seed in seeds]
    spec = json.dumps({"data": DATA, "resamples": 200})
    options = ["--predictions", *predicted, "--twins", str(folder / "twin-seed0.safetensors"), "--spec", spec]
    return main(["sampling_summary", str(folder / "digits.nc"), *map(str, files), *posteriors, *options]), files


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("yuragi: ")
    return lines[0]


def test_a_network_learns_and_what_it_wrote_fits_together(folder: Path):
    posterior = read_posterior(folder / "sampled-seed0.nc")
    assert posterior.settings.layers == (64, 8, 10)
    assert posterior.settings.drive == (4, 6)
    assert posterior.sweeps.tolist() == list(range(10, 25, 2))
    history = pd.read_csv(folder / "sampled-seed0.history.csv")
    assert history["sweep"].tolist() == list(range(2, 25, 2))
    assert history["mean_accuracy"].between(0, 1).all()
    found = read_netcdf(folder / "sampled-seed0.predictions.nc", "probability")
    dataset = read_netcdf(folder / "digits.nc")
    chosen = np.flatnonzero(dataset["split"].values == "test")[:60]
    np.testing.assert_array_equal(found["label"], dataset["labels"].values[chosen])
    np.testing.assert_array_equal(found["correct"], found["probability"].argmax("class") == found["label"])
    assert found["true_class"].shape == (8, 60)
    # The samples in the file are those that predicted: drawn again they say much the same.
    bits = dataset["images"].values[chosen].reshape(60, -1) > 0.4
    again = predict(posterior, bits, np.random.default_rng(0), draws=20, rule="one_hot").probabilities
    assert np.corrcoef(again.ravel(), found["probability"].values.ravel())[0, 1] > 0.9
    assert read_posterior(folder / "fixed_hidden-seed1.nc").learning == ARMS["fixed_hidden"]


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path):
    endings = (".nc", ".history.csv", ".predictions.nc")
    assert learn(folder, tmp_path / "a", SPEC | {"seed": 0}) == 0
    assert learn(folder, tmp_path / "b", SPEC | {"seed": 9}) == 0
    for ending in endings:
        assert (tmp_path / f"a{ending}").read_bytes() == (folder / f"sampled-seed0{ending}").read_bytes()
        assert (tmp_path / f"a{ending}").read_bytes() != (tmp_path / f"b{ending}").read_bytes()
    drives = SPEC | {"drives": [2, [4, 6]]}
    for name in ("one.csv", "two.csv"):
        assert choose(folder, tmp_path / name, drives) == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_a_drive_is_chosen_and_learned_with(folder: Path, tmp_path: Path):
    assert choose(folder, tmp_path / "choice.csv", SPEC | {"drives": [[0.01, 0.01], [5, 7]]}) == 0
    table = pd.read_csv(tmp_path / "choice.csv")
    assert table["drive"].tolist() == ["0.01 0.01", "5 7"] * len(ARMS)
    assert table.loc[table["arm"] == "sampled", "validation_accuracy"].is_monotonic_increasing
    assert learn(folder, tmp_path / "own", SPEC, "--choice", str(tmp_path / "choice.csv")) == 0
    assert read_posterior(tmp_path / "own.nc").settings.drive == (5, 7)


def test_the_tables(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, files = summarise(folder, tmp_path)
    assert code == 0
    printed = capsys.readouterr().err.strip().splitlines()
    assert printed[-1].startswith("sampled: the chains have not mixed: R-hat "), "24 sweeps are few"
    table, claims, mixing = (pd.read_csv(path) for path in files)
    assert set(table["arm"]) == {*ARMS, "twin", "logistic_regression"}
    assert set(claims["arm"]) == {"fixed_hidden", "random_features", "twin", "logistic_regression"}
    rows = table.set_index(["arm", "prediction"])["accuracy"]
    correct = [read_netcdf(folder / f"sampled-seed{seed}.predictions.nc")["correct"].values.mean() for seed in (0, 1)]
    assert rows["sampled", "posterior_mean"] == pytest.approx(np.mean(correct))
    for row in claims.itertuples():
        assert row.difference == pytest.approx(rows["sampled", row.prediction] - rows[row.arm, row.prediction], abs=1e-8)
    assert set(mixing["arm"]) == {"sampled"}, "seeds of the controls are no chains of one distribution"
    assert (mixing["r_hat"] > 1.01).any()
    before = [path.read_bytes() for path in files]
    assert summarise(folder, tmp_path)[0] == 0
    assert [path.read_bytes() for path in files] == before


def test_one_seed_is_told_to_be_too_few_for_r_hat(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, files = summarise(folder, tmp_path, ("sampled",), (0,))
    assert code == 0
    assert "R-hat needs two seeds" in capsys.readouterr().err
    assert len(pd.read_csv(files[2])) == 0


WRONG = {
    "threshold": ({"data": DATA | {"threshold": 1.5}}, ["data.threshold = 1.5"]),
    "no units": ({"network": {"hidden": [8, 0]}}, ["network.hidden.1 = 0"]),
    "prior": ({"network": {"prior": 1.2}}, ["network.prior = 1.2"]),
    "signs": ({"network": {"excitatory": -0.1}}, ["network.excitatory = -0.1"]),
    "no power": ({"learning": {"temper": 0}}, ["learning.temper = 0"]),
    "misspelt": ({"learning": {"plastics": "all"}}, ["learning.plastics", "did you mean 'plastic'"]),
    "too many images": ({"data": DATA | {"train_images": 9000}}, ["digits.nc: train_images + validation_images = 9040", "lower"]),
    "too many test images": ({"data": DATA | {"test_images": 9000}}, ["digits.nc: test_images = 9000", "lower"]),
    "drive of another length": ({"network": {"hidden": [8], "drive": [1, 2, 3]}}, ["drive = [1.0, 2.0, 3.0]: 2 layers lie above the pixels"]),
    "nothing is kept": ({"chain": {"sweeps": 20, "burn_in": 15, "every": 5}}, ["fewer than four states are kept"]),
}


@pytest.mark.parametrize(("values", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line_and_leaves_nothing(
    values: dict, told: list[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert learn(folder, tmp_path / "a", SPEC | values) == 2
    message = complaint(capsys)
    for part in told:
        assert part in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "drives"),
        ({"drives": []}, "drives"),
        ({"drives": [0]}, "drives.0"),
        ({"drives": [[1, 2, 3]]}, "drive = [1.0, 2.0, 3.0]: 2 layers lie above the pixels"),
        ({"drives": [2], "data": DATA | {"validation_images": 5000}}, "train_images + validation_images = 5150"),
    ],
    ids=str,
)
def test_a_choice_without_sense_is_one_line_and_leaves_nothing(
    values: dict, told: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert choose(folder, tmp_path / "choice.csv", SPEC | values) == 2
    assert told in complaint(capsys)
    assert not list(tmp_path.iterdir())


def test_files_of_other_steps_are_one_line_and_leave_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    spec = json.dumps({"data": DATA, "resamples": 200})
    digits, own = str(folder / "digits.nc"), str(folder / "sampled-seed0.nc")
    predicted = str(folder / "sampled-seed0.predictions.nc")
    (tmp_path / "there").mkdir()
    outputs = [str(tmp_path / f"there/{name}.csv") for name in ("accuracy", "claims", "mixing")]
    (tmp_path / "strange.nc").write_bytes(Path(own).read_bytes())
    (tmp_path / "table.csv").write_text("sweep,accuracy\n1,0.5\n")
    for arguments, told in [
        (["sampling_summary", digits, *outputs, own, "--spec", spec], "yuragi: --predictions: none of the arm 'sampled'"),
        (["sampling_summary", digits, *outputs, digits, "--predictions", predicted, "--spec", spec], "the name does not tell arm and seed"),
        (["sampling_summary", digits, *outputs, str(tmp_path / "strange.nc"), "--predictions", predicted, "--spec", spec], "arm and seed"),
        (["sampling_summary", digits, *outputs, own, "--predictions", own, "--spec", spec], "holds no variable 'probability'"),
        (["sampling_summary", own, *outputs, own, "--predictions", predicted, "--spec", spec], "holds no variable 'images'"),
        (
            ["sampling_summary", digits, *outputs, own, str(folder / "sampled-seed1.nc"), "--predictions", predicted, "--spec", spec],
            "yuragi: --predictions: 1 of the arm 'sampled', which has 2 posteriors",
        ),
        (["sampling_learn", own, *outputs, "--spec", json.dumps(SPEC)], "holds no variable 'images'"),
        (
            ["sampling_learn", digits, *outputs, "--spec", json.dumps(SPEC), "--choice", str(tmp_path / "table.csv")],
            "table.csv: the column 'arm' is missing",
        ),
    ]:
        assert main(arguments) == 2
        assert told in complaint(capsys)
        assert not list((tmp_path / "there").iterdir())


@pytest.mark.parametrize("name", ["labels", "split", "classes"])
@pytest.mark.parametrize("job", ["sampling_choose", "sampling_learn", "sampling_twin", "sampling_attack"])
def test_an_image_file_that_lacks_a_part_is_one_line(job: str, name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    dataset = read_netcdf(folder / "digits.nc")
    if name == "classes":
        del dataset.attrs["classes"]
    images = tmp_path / "images.nc"
    write_netcdf(dataset.drop_vars(name, errors="ignore"), images)
    extra = {
        "sampling_choose": ("--drives", "[1]"),
        "sampling_learn": (str(tmp_path / "b"), str(tmp_path / "c")),
        "sampling_twin": (str(tmp_path / "b"),),
        "sampling_attack": (str(tmp_path / "b"), "--attacks", "{fgsm: {kind: fgsm}}", "--threat", "{epsilons: [0.1]}"),
    }
    first = str(folder / "sampled-seed0.nc") if job == "sampling_attack" else str(tmp_path / "a")
    assert main([job, str(images), first, *extra[job], "--data", json.dumps(DATA)]) == 2
    message = complaint(capsys)
    assert message.startswith(f"yuragi: {images}: the image set ")
    assert f"'{name}'" in message
    assert [path.name for path in tmp_path.iterdir()] == ["images.nc"]


def test_files_of_other_images_are_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A posterior of other pixels or classes, and twins of another threshold, shape or number of classes."""
    for file, layers in (("sampled-seed5.nc", (60, 4, 10)), ("sampled-seed6.nc", (64, 4, 3))):
        inputs = np.zeros((3, layers[0]), dtype=np.uint8)
        sampler = Sampler(SamplingSettings(layers=layers), np.random.default_rng(0))
        write_posterior(sampler.learn(inputs, np.arange(3), sweeps=8, quiet=True), tmp_path / file)
    for file, shape, classes, front_end in (
        ("twin-seed5.safetensors", (1, 8, 8), 10, Binarise(threshold=0.5)),
        ("twin-seed6.safetensors", (1, 8, 8), 10, None),
        ("twin-seed7.safetensors", (1, 8, 4), 10, Binarise(threshold=0.4)),
        ("twin-seed8.safetensors", (1, 8, 8), 9, Binarise(threshold=0.4)),
    ):
        architecture = Perceptron(hidden=(4,), front_end=front_end)
        network = architecture.build(shape, classes, torch.Generator().manual_seed(0))
        save_network(network, {"network": architecture.model_dump(mode="json")}, tmp_path / file)
    spec = ["--data", json.dumps(DATA)]
    shown = [word for name in ("variability", "spectrum", "spontaneous") for word in (f"--{name}", "{stimuli: 3}")]
    predicted = ["--predictions", str(folder / "sampled-seed0.predictions.nc")]
    attack = ["--attacks", "{fgsm: {kind: fgsm}}", "--threat", "{epsilons: [0.1]}", "--test-images", "5"]
    digits, own, outputs = str(folder / "digits.nc"), str(folder / "sampled-seed0.nc"), [str(tmp_path / f"there/{name}") for name in "abc"]
    for file, told in (
        ("sampled-seed5.nc", "layer 0 has 60 units, but the images have 64 pixels"),
        ("sampled-seed6.nc", "layer L tells 3 classes, but the images have 10"),
        ("twin-seed5.safetensors", "above a threshold of 0.5, not (1, 8, 8) above 0.4"),
        ("twin-seed6.safetensors", "above a threshold of None"),
        ("twin-seed7.safetensors", "takes images of shape (1, 8, 4)"),
        ("twin-seed8.safetensors", "tells 9 classes, but the images have 10"),
    ):
        wrong, sampled = str(tmp_path / file), file.startswith("sampled")
        commands = [
            ["sampling_summary", digits, *outputs, own, *([wrong] if sampled else []), *predicted, *([] if sampled else ["--twins", wrong])],
            ["sampling_attack", digits, wrong, outputs[0], *attack],
            ["sampling_attack", digits, own, outputs[0], *attack, "--partner", wrong],
        ]
        if sampled:
            commands += [
                ["sampling_activity", digits, *outputs, wrong, *shown],
                ["sampling_fluctuation", digits, wrong, *outputs],
                ["sampling_memory", digits, *outputs[:2], "--posterior", wrong],
            ]
        for command in commands:
            assert main([*command, *spec]) == 2
            message = complaint(capsys)
            assert message.startswith(f"yuragi: {wrong}: "), command
            assert told in message
    assert not (tmp_path / "there").exists()


def test_damaged_samples_are_told_and_not_sampled_from(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    dataset = read_netcdf(folder / "sampled-seed0.nc")
    dataset["counts0"].values[:] = 255
    write_netcdf(dataset, tmp_path / "sampled-seed0.nc")
    outputs = [str(tmp_path / f"there/{name}") for name in "abc"]
    assert main(["sampling_fluctuation", str(folder / "digits.nc"), str(tmp_path / "sampled-seed0.nc"), *outputs, "--data", json.dumps(DATA)]) == 2
    message = complaint(capsys)
    assert f"{tmp_path / 'sampled-seed0.nc'}: counts0 holds 255, not a whole number 0 … 8; learn it again with `yuragi sampling_learn`" in message
    assert not (tmp_path / "there").exists()


def test_a_failing_summary_leaves_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """The second table fails: the first is not written either."""

    def failing(*_: object, **__: object) -> None:
        raise InputError("second: no table; a planted error")

    monkeypatch.setattr("yuragi.sampling.summary.comparisons", failing)
    failing.__name__ = "comparisons"
    assert summarise(folder, tmp_path)[0] == 2
    assert "a planted error" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("job", ["sampling_fluctuation", "sampling_fluctuation_claims", "sampling_memory", "sampling_robustness", "sampling_summary"])
def test_too_few_resamples_are_refused_by_the_specification(job: str):
    module = importlib.import_module(f"yuragi.jobs.{job}")
    values = {"data": DATA} if "data" in module.Spec.model_fields else {}
    assert validate(module.Spec, values | {"resamples": 200}, "--spec").resamples == 200
    with pytest.raises(InputError, match=r"^--spec: resamples = 199: "):
        validate(module.Spec, values | {"resamples": 199}, "--spec")
