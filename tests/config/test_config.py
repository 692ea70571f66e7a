"""A wrong configuration is refused in one line that names the key, the value and the remedy, before anything runs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from yuragi.config.model import Config, read_config, read_config_file
from yuragi.config.plan import Plan
from yuragi.config.specifications import specification
from yuragi.errors import InputError

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "config").glob("*.yaml"))
TINY = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())


def _changed(key: str, value: Any) -> dict[str, Any]:
    values = copy.deepcopy(TINY)
    *parents, last = key.split(".")
    place = values
    for parent in parents:
        place = place.setdefault(parent, {})
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return values


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_configuration_is_in_order(path: Path) -> None:
    config = read_config_file(path)
    assert config.name == path.stem
    plan = Plan(config)
    for network in plan.networks():
        assert plan.spec("train", network)
        assert plan.code("attack", network)


@pytest.mark.parametrize("path", [path for path in CONFIGS if path.stem != "tiny"], ids=lambda path: path.stem)
def test_plotted_points_have_three_seeds(path: Path) -> None:
    assert all(len(experiment.seeds) >= 3 for experiment in read_config_file(path).experiments.values())


CHOICE = {"experiment": "digits", "learning_rates": [0.01], "epochs": [3]}
SOURCES = {"itself": {"kind": "autoregressive"}}
BAD = {
    "misspelt null model": (
        "null_comparison.nulls.autoregressive.kind",
        "autoregresive",
        ["nulls.autoregressive.kind", "did you mean 'autoregressive'?"],
    ),
    "comparison of no recording": ("null_comparison.recordings", ["rests"], ["null_comparison.recordings", "'rests'", "did you mean 'rest'?"]),
    "comparison of responses": ("null_comparison.recordings", ["simulated_v1"], ["null_comparison.recordings", "'simulated_v1'", "rest"]),
    "group of one": ("null_comparison.groups", {"all": ["rest"]}, ["null_comparison.groups.all", "needs two recordings"]),
    "windows too long": ("null_comparison.window", 241, ["null_comparison.window = 241", "recordings.rest has 250 frames", "10 apart", "lower it"]),
    "windows too long for the test of the test": (
        "null_comparison.validation",
        {"recording": "rest", "null_model": {"kind": "autoregressive"}, "sources": SOURCES, "window": 300},
        ["null_comparison.validation.window = 300", "250 frames", "lower it"],
    ),
    "fewer of an unknown process": (
        "null_comparison.validation",
        {"recording": "rest", "null_model": {"kind": "autoregressive"}, "sources": SOURCES, "fewer": {"other": 5}},
        ["null_comparison.validation.fewer", "'other'", "itself"],
    ),
    "misspelt key": ("spectra.rank", [5, 80], ["spectra.rank", "did you mean 'ranks'?", "shuffles"]),
    "misspelt key of an option": ("attacks.pgd.stepz", 5, ["attacks.pgd.stepz", "did you mean 'steps'?"]),
    "misspelt kind": ("attacks.pgd.kind", "pdg", ["attacks.pgd.kind", "'pdg'", "did you mean 'pgd'?", "random_noise"]),
    "misspelt data set": ("recordings.rest.kind", "nitime", ["recordings.rest.kind", "'nitime'", "nitime_rest"]),
    "missing kind": ("recordings.rest", {}, ["recordings.rest", "kind"]),
    "missing section": ("experiments.digits.images", KeyError, ["experiments.digits.images", "missing"]),
    "ranks too long": ("spectra.ranks", [5, 300], ["spectra.ranks = [5, 300]", "simulated_v1", "100 ranks", "lower"]),
    "ranks beyond the stimuli": (
        "recordings.simulated_v1.stimuli",
        81,
        ["spectra.ranks = [5, 80]", "simulated_v1", "81 stimuli", "rank 79", "spectra.overrides.simulated_v1.ranks"],
    ),
    "ranks of one recording too long": (
        "spectra.overrides",
        {"simulated_v1": {"ranks": [5, 101]}},
        ["spectra.overrides.simulated_v1.ranks = [5, 101]", "100 ranks", "lower"],
    ),
    "ranks reversed": ("spectra.ranks", [80, 5], ["spectra.ranks", "[80, 5]"]),
    "one repeat": ("recordings.simulated_v1.repeats", 1, ["recordings.simulated_v1", "one repeat only", "two or more", "choose data with repeats"]),
    "order above the run": ("spontaneous.max_order", 400, ["spontaneous.max_order = 400", "rest", "4000 frames", "250 frames", "lower"]),
    "order too high for chosen components": (
        "spontaneous.max_order",
        26,
        ["spontaneous.max_order = 26", "rest", "260 frames", "250 frames", "lower"],
    ),
    "order too high for all units": (
        "spontaneous",
        {"components": None, "order": 8},
        ["spontaneous.order = 8", "rest", "261 frames with 28 variables", "250 frames", "components"],
    ),
    "order of one recording too high": ("spontaneous.overrides", {"rest": {"max_order": 26}}, ["spontaneous.overrides.rest.max_order = 26", "lower"]),
    "components above the units": ("spontaneous.components", 29, ["spontaneous.components = 29", "rest", "28 units", "lower", "'auto'"]),
    "calibrated ranks reversed": ("calibration", {"ranks": [60, 5]}, ["calibration.ranks", "[60, 5]", "three ranks"]),
    "two calibrated ranks": ("calibration", {"ranks": [5, 6]}, ["calibration.ranks", "[5, 6]", "three ranks"]),
    "calibrated ranks beyond the units": (
        "calibration",
        {"ranks": [5, 81], "units": 80},
        ["calibration: ranks = [5, 81]", "80 units", "up to 80", "lower"],
    ),
    "calibrated ranks beyond the stimuli": (
        "calibration",
        {"ranks": [5, 99], "stimuli": 100},
        ["calibration: ranks = [5, 99]", "100 stimuli", "up to 98", "lower"],
    ),
    "a population below its sample": ("calibration", {"population": 10}, ["calibration: population = 10", "1000 units"]),
    "more test images than there are": (
        "experiments.digits.test_images",
        451,
        ["experiments.digits.test_images = 451", "450 images", "'test'", "lower"],
    ),
    "a batch above the training images": (
        "experiments.digits.training.batch",
        1348,
        ["experiments.digits.training.batch = 1348", "1347 images", "'train'", "lower"],
    ),
    "an attack called worst": ("attacks.worst", {"kind": "fgsm"}, ["attacks", "worst", "give this attack another"]),
    "anchor beyond the layer": (
        "arms.both.penalty.anchor",
        50,
        ["arms.both.penalty.anchor = 50", "50 units of hidden1", "experiments.digits", "lower"],
    ),
    "last rank beyond the layer": (
        "arms.both.penalty.last_rank",
        51,
        ["arms.both.penalty.last_rank = 51", "hidden1", "experiments.digits.network", "50 units", "lower"],
    ),
    "a target of nothing": ("target", {}, ["target", "no stages", "give one"]),
    "a stage called spontaneous": ("target.stages", {"spontaneous": "simulated_v1"}, ["target.stages.spontaneous", "rename"]),
    "no file of the target": ("target", {"file": "mine.nc"}, ["target.file = 'mine.nc'", "no such file", "mend the path"]),
    "epsilon above the pixels": (
        "experiments.digits.epsilons",
        [0, 8],
        ["experiments.digits.epsilons.1: eps = 8", "8 of 255 grey levels are 0.031373"],
    ),
    "epsilon below zero": ("experiments.digits.epsilons", [0, -0.1], ["experiments.digits.epsilons.1: eps = -0.1", "outside [0, 1]"]),
    "epsilon twice": ("experiments.digits.epsilons", [0.1, 0.1], ["experiments.digits.epsilons", "twice"]),
    "epsilon in the attack": ("attacks.pgd.eps", 0.1, ["attacks", "pgd.eps", "experiments.<name>.epsilons"]),
    "unknown stage": ("arms.both.penalty.layers", {"hidden1": "v2"}, ["arms.both.penalty.layers.hidden1", "'v2'", "v1"]),
    "unknown recording": ("target.spontaneous", "rset", ["target.spontaneous", "'rset'", "did you mean 'rest'?"]),
    "unknown arm": ("experiments.digits.arms", ["plain", "bth"], ["experiments.digits.arms", "'bth'", "did you mean 'both'?"]),
    "no plain arm": ("experiments.digits.arms", ["both"], ["experiments.digits.arms", "plain"]),
    "unknown layer": ("arms.both.penalty.layers", {"hidden2": "v1"}, ["arms.both", "hidden2", "hidden1"]),
    "no target": ("target", None, ["arms.both", "target"]),
    "images as recording": ("recordings.rest", {"kind": "digits"}, ["recordings", "rest", "'digits'", "experiments.<name>.images"]),
    "recording as images": ("experiments.digits.images", {"kind": "nitime_rest"}, ["experiments.digits.images", "'nitime_rest'", "images"]),
    "not a number": ("experiments.digits.training.epochs", "many", ["experiments.digits.training.epochs = 'many'", "integer"]),
    "infinite": ("arms.both.penalty.weight", float("inf"), ["arms.both.penalty.weight", "finite"]),
    "bad name": ("name", "My Run", ["name = 'My Run'", "lower-case"]),
    "override of a recording that is not there": ("spectra.overrides", {"v9": {"ranks": [1, 9]}}, ["spectra.overrides", "'v9'"]),
    "override with a misspelt key": ("spectra.overrides", {"simulated_v1": {"rank": [1, 9]}}, ["spectra.overrides.simulated_v1", "rank"]),
    "more images to memorise than there are": (
        "experiments.digits.memorisation",
        {"images": 1348},
        ["experiments.digits.memorisation.images = 1348", "1347 images", "lower"],
    ),
    "no fraction to memorise": ("experiments.digits.memorisation", {"fractions": [1.5]}, ["experiments.digits.memorisation.fractions", "1.5"]),
    "a choice of no experiment": ("choices", {"digits": CHOICE | {"experiment": "digit"}}, ["choices.digits.experiment", "'digit'"]),
    "ranks that two arms have not in common": (
        "arms.early",
        {"penalty": {"kind": "spectral_constraint", "layers": {"hidden1": 1.0}, "ranks": [1, 4]}},
        ["arms.both.penalty", "hidden1", "arms.early", "to 4", "experiments.digits"],
    ),
    "seed set where it derives": ("spectra.seed", 3, ["spectra.seed", "does not exist"]),
}


@pytest.mark.parametrize(("key", "value", "expected"), BAD.values(), ids=BAD)
def test_bad_input_is_one_clear_line(key: str, value: Any, expected: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_config(_changed(key, value), "config/mine.yaml")
    message = str(caught.value)
    assert message.startswith("config/mine.yaml: ")
    assert "\n" not in message
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("section", "training", "told"),
    [
        ("choices", {"warmup_epochs": 3}, "choices.digits: warmup_epochs = 3: the training has 3 epochs"),
        ("choices", {"schedule": "steps", "drop_after": [4]}, "choices.digits: drop_after = [4]: nothing is trained after epoch 3"),
        ("choices", {"validation_fraction": 0.2}, "choices.digits: training.validation_fraction = 0.2: a choice holds images aside itself"),
        ("choices", {"batch": 1213}, "choices.digits.validation_fraction = 0.1: of 1347 images too few are left for a mini-batch of 1213"),
        ("memorisation", {"warmup_epochs": 3}, "experiments.digits.memorisation: warmup_epochs = 3: the training has 3 epochs"),
    ],
)
def test_a_training_from_which_no_other_can_be_made_is_told(section: str, training: dict[str, Any], told: str) -> None:
    values = _changed("experiments.digits.training", {"epochs": 5, "batch": 128} | training)
    if section == "choices":
        values["choices"] = {"digits": CHOICE}
    else:
        values["experiments"]["digits"]["memorisation"] = {"images": 100, "epochs": 3}
    with pytest.raises(InputError) as caught:
        read_config(values, "config/mine.yaml")
    assert str(caught.value).startswith(f"config/mine.yaml: {told}")
    assert "\n" not in str(caught.value)


FITTING = {
    "ranks up to the units": ("spectra.ranks", [5, 100]),
    "ranks up to the stimuli": ("recordings.simulated_v1.stimuli", 82),
    "the highest order for chosen components": ("spontaneous.max_order", 25),
    "the highest order for all units": ("spontaneous", {"components": None, "order": 7}),
    "all test images": ("experiments.digits.test_images", 450),
    "one batch": ("experiments.digits.training.batch", 1347),
    "the last anchor": ("arms.both.penalty.anchor", 49),
    "the last rank": ("arms.both.penalty.last_rank", 50),
    "the largest calibrated ranks": ("calibration", {"ranks": [5, 80], "units": 80, "stimuli": 82}),
    "the largest batch beside a choice": ("choices", {"digits": CHOICE | {"validation_fraction": 0.5}}),
    "all images to memorise": ("experiments.digits.memorisation", {"images": 1347}),
    "the whole range of pixels": ("experiments.digits.epsilons", [0, 1]),
}


@pytest.mark.parametrize(("key", "value"), FITTING.values(), ids=FITTING)
def test_what_just_fits_is_taken(key: str, value: Any) -> None:
    read_config(_changed(key, value))


def test_the_checks_know_what_they_do_not_import() -> None:
    from yuragi.config import checks
    from yuragi.robustness.evaluate import WORST
    from yuragi.spontaneous.reduction import FRAMES_PER_COEFFICIENT

    assert checks.FRAMES_PER_COEFFICIENT == FRAMES_PER_COEFFICIENT
    with pytest.raises(InputError, match="results call the strongest"):
        read_config(_changed(f"attacks.{WORST}", {"kind": "fgsm"}))


def _target_by_hand(folder: Path, **contents: Any) -> str:
    from yuragi.targets import BrainTarget

    path = folder / "mine.nc"
    BrainTarget(**contents).write(path)
    return str(path)


def test_a_target_written_by_hand_is_checked_against_the_arms(tmp_path: Path) -> None:
    import numpy as np

    from yuragi.targets import SpontaneousModel, Stage

    model = SpontaneousModel.from_autoregression(np.diag([0.9, 0.5])[None], np.eye(2))
    stages = {"v1": Stage(1.04)}
    complete = {"stages": stages, "spontaneous": model, "variance_ratio": 0.3}
    read_config(_changed("target", {"file": _target_by_hand(tmp_path, **complete)}))
    lacking = {
        "stages": ({"stages": {"v2": Stage(1.0)}}, ["arms.both.penalty.layers.hidden1", "'v1'", "v2"]),
        "spontaneous": ({"spontaneous": None}, ["arms.both.noise", "a spontaneous model", "mine.nc", "holds none", "add it"]),
        "variance_ratio": ({"variance_ratio": None}, ["arms.both.noise.relative_variance", "variance_ratio", "mine.nc", "holds none", "a number"]),
    }
    for change, expected in lacking.values():
        with pytest.raises(InputError) as caught:
            read_config(_changed("target", {"file": _target_by_hand(tmp_path, **(complete | change))}))
        assert all(part in str(caught.value) for part in expected), caught.value
        assert "\n" not in str(caught.value)


def test_a_file_that_is_no_target_is_told(tmp_path: Path) -> None:
    import xarray as xr

    path = tmp_path / "mine.nc"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"target.file = '.*mine.nc': cannot be read as NetCDF"):
        read_config(_changed("target", {"file": str(path)}))
    path.unlink()
    xr.Dataset({"alpha": ("stage", ["steep"])}, coords={"stage": ["v1"]}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(InputError, match=r"target.file = '.*mine.nc': "):
        read_config(_changed("target", {"file": str(path)}))


@pytest.mark.parametrize(("text", "told"), [("[name, demo]", "a list"), ("demo", "a text"), ("3", "a number"), ("true", "true or false")])
def test_what_is_no_configuration_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=f"mine.yaml: it is {told}, but keys with values are expected"):
        read_config_file(tmp_path / "mine.yaml")


def test_an_empty_file_and_broken_yaml_are_told(tmp_path: Path) -> None:
    for nothing in ({}, None):
        with pytest.raises(InputError, match="it is empty"):
            read_config(nothing, "mine.yaml")
    (tmp_path / "broken.yaml").write_text("name: [demo")
    with pytest.raises(InputError, match=r"broken.yaml: cannot be read as YAML") as caught:
        read_config_file(tmp_path / "broken.yaml")
    assert "\n" not in str(caught.value)


def test_the_plain_network_does_not_hang_on_the_target() -> None:
    plan = Plan(Config.model_validate(TINY))
    assert plan.target_file("plain") == []
    assert plan.target_file("both") == ["results/tiny/target.nc"]


def test_networks_of_one_seed_share_their_seed_across_arms_and_differ_across_seeds() -> None:
    plan = Plan(Config.model_validate(TINY))
    seeds = {name: specification(plan.config, "train", name).seed for name in plan.networks()}
    assert seeds["digits/plain-seed0"] == seeds["digits/both-seed0"]
    assert seeds["digits/plain-seed0"] != seeds["digits/plain-seed1"]


def test_manual_and_schema_are_in_step_with_the_code() -> None:
    from yuragi.config.manual import manual_text, schema_text

    assert (ROOT / "config" / "README.md").read_text() == manual_text(), "run `make manual`"
    assert (ROOT / "config" / "schema.json").read_text() == schema_text(), "run `make manual`"
