"""A wrong configuration is refused in one line that names the key, the value and the remedy, before anything runs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from yuragi.config.model import Config, read_config, read_config_file
from yuragi.config.plan import Plan
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


BAD = {
    "misspelt key": ("spectra.rank", [5, 80], ["spectra.rank", "did you mean 'ranks'?", "shuffles"]),
    "misspelt key of an option": ("attacks.pgd.stepz", 5, ["attacks.pgd.stepz", "did you mean 'steps'?"]),
    "misspelt kind": ("attacks.pgd.kind", "pdg", ["attacks.pgd.kind", "'pdg'", "did you mean 'pgd'?", "random_sign"]),
    "misspelt data set": ("recordings.rest.kind", "nitime", ["recordings.rest.kind", "'nitime'", "nitime_rest"]),
    "missing kind": ("recordings.rest", {}, ["recordings.rest", "kind"]),
    "missing section": ("experiments.digits.images", KeyError, ["experiments.digits.images", "missing"]),
    "ranks too long": ("spectra.ranks", [5, 300], ["spectra.ranks = [5, 300]", "simulated_v1", "100 ranks", "lower"]),
    "ranks reversed": ("spectra.ranks", [80, 5], ["spectra.ranks", "[80, 5]"]),
    "one repeat": ("recordings.simulated_v1.repeats", 1, ["recordings.simulated_v1", "one repeat only", "two or more"]),
    "order above the run": ("spontaneous.max_order", 400, ["order 400", "rest", "250 frames", "lower"]),
    "epsilon above the pixels": ("experiments.digits.epsilons", [0, 8], ["experiments.digits.epsilons.1 = 8", "less than or equal to 1"]),
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


def test_an_empty_file_and_broken_yaml_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it is empty"):
        read_config({}, "mine.yaml")
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
    seeds = {name: plan._spec("train", name).seed for name in plan.networks()}
    assert seeds["digits/plain-seed0"] == seeds["digits/both-seed0"]
    assert seeds["digits/plain-seed0"] != seeds["digits/plain-seed1"]


def test_manual_and_schema_are_in_step_with_the_code() -> None:
    from yuragi.config.manual import manual_text, schema_text

    assert (ROOT / "config" / "README.md").read_text() == manual_text(), "run `make manual`"
    assert (ROOT / "config" / "schema.json").read_text() == schema_text(), "run `make manual`"
