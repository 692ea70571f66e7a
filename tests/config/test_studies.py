"""The studies of attacked networks in the configuration: what they run on, and what is refused before any job is queued."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from yuragi.config.model import read_config
from yuragi.config.plan import Plan
from yuragi.errors import InputError

ROOT = Path(__file__).parents[2]
TINY = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())
GRID = {"attacks": {"pgd": {"kind": "pgd", "eps": 0.1}, "near": {"kind": "feature_space", "layer": "hidden1"}}}
STUDIES: dict[str, dict[str, Any]] = {
    "masking": {"eps": 0.1},
    "feature_space": {},
    "adaptivity": GRID,
    "certificates": {},
    "corruptions": {"test_images": 300},
}


def configured(**changed: Any) -> dict[str, Any]:
    values = copy.deepcopy(TINY)
    values["experiments"]["digits"] |= changed
    return values


def plan_of(**changed: Any) -> Plan:
    return Plan(read_config(configured(**changed)))


def test_without_studies_nothing_is_added() -> None:
    assert not {"masking", "feature_space", "adaptivity", "certificates", "corruptions", "robustness_l2"} & plan_of().by_kind().keys()


@pytest.mark.parametrize(
    ("study", "job", "kinds", "files"),
    [
        ("masking", "masking", ["masking", "draws", "surface"], 4),
        ("feature_space", "feature_space", ["feature_space", "feature_space_examples"], 2),
        ("adaptivity", "adaptivity", ["adaptivity", "adaptivity_claims"], 1),
        ("certificates", "certify", ["certificates"], 4),
        ("corruptions", "corrupt", ["corruptions", "corruption_differences"], 1),
    ],
)
def test_a_study_brings_its_files_figures_and_specifications(study: str, job: str, kinds: list[str], files: int) -> None:
    plan = plan_of(**{study: STUDIES[study]})
    there = plan.by_kind()
    assert all(len(there[kind]) == files for kind in kinds)
    assert set(plan.figures()) > set(plan_of().figures())
    for network in plan.networks():
        assert plan.spec(job, network)
        assert plan.code(job, network)


def test_arms_are_chosen() -> None:
    assert [path.rpartition("/")[2] for path in plan_of(certificates={"arms": ["both"]}).by_kind()["certificates"]] == [
        "both-seed0.csv",
        "both-seed1.csv",
    ]


def test_corrupted_images_are_the_same_for_all_networks_of_an_experiment() -> None:
    plan = plan_of(corruptions={"test_images": 300})
    assert len({plan.spec("corrupt", network) for network in plan.networks()}) == 1


def test_spontaneous_noise_is_a_defence_where_the_target_has_it() -> None:
    assert plan_of(adaptivity=GRID).spontaneous_target() == ["results/tiny/target.nc"]
    without = configured(adaptivity=GRID, arms=["plain"]) | {"target": None, "arms": {"plain": {}}}
    assert Plan(read_config(without)).spontaneous_target() == []


def test_attacks_in_the_l2_ball_stand_beside_the_others() -> None:
    plan = plan_of(l2_epsilons=[0, 1])
    assert plan.by_kind()["robustness_l2"] == ["results/tiny/robustness_l2/digits.csv"]
    assert '"threat":{"epsilons":[0.0,1.0],"knowledge":"network and its noise","norm":"l2"}' in plan.spec("attack_l2", "digits/plain-seed0")
    assert '"norm":"linf"' in plan.spec("attack", "digits/plain-seed0")


BAD = {
    "an arm that is not trained": ("masking", {"eps": 0.1, "arms": ["gone"]}, ["experiments.digits.masking.arms: the name 'gone'", "plain"]),
    "no ε": ("masking", {}, ["experiments.digits.masking.eps"]),
    "more images than there are": ("corruptions", {"test_images": 500}, ["corruptions.test_images = 500", "450 images", "lower it"]),
    "more certified images than there are": ("certificates", {"test_images": 500}, ["certificates.test_images = 500", "450 images"]),
    "a layer that is not there": ("feature_space", {"layers": ["conv1"]}, ["feature_space.layers = 'conv1'", "hidden1"]),
    "a generator at a layer that is not there": ("feature_space", {"generation": {"layers": ["conv1"]}}, ["generation.layers = 'conv1'", "hidden1"]),
    "noise at a layer that is not there": ("adaptivity", GRID | {"layer": "conv1"}, ["adaptivity.layer = 'conv1'", "hidden1"]),
    "an attack at a layer that is not there": (
        "adaptivity",
        {"attacks": {"near": {"kind": "feature_space", "layer": "conv1"}}},
        ["adaptivity.attacks.near.layer = 'conv1'", "hidden1"],
    ),
    "no attacks": ("adaptivity", {"attacks": {}}, ["adaptivity.attacks"]),
    "too many calibration images": ("adaptivity", GRID | {"calibration_images": 5000}, ["calibration_images = 5000", "1347 images"]),
    "a size below 0": ("l2_epsilons", [-1], ["l2_epsilons"]),
    "a size twice": ("l2_epsilons", [1, 1], ["l2_epsilons", "names a value twice"]),
    "σ that is none": ("certificates", {"sigmas": [0]}, ["sigmas = [0.0]", "above 0"]),
    "a corruption that is none": ("corruptions", {"corruptions": {"rain": {"kind": "rain"}}}, ["corruptions.rain.kind", "fog"]),
    "a size beyond the pixel range": ("masking", {"eps": 8}, ["experiments.digits.masking", "eps = 8 is outside [0, 1]", "8 of 255 grey levels"]),
    "draws that do not rise": ("masking", {"eps": 0.1, "ladder": [5, 1]}, ["masking.ladder", "ladder = [5, 1]", "rise"]),
    "a map without a middle": ("masking", {"eps": 0.1, "surface_points": 4}, ["surface_points = 4", "odd"]),
    "a method twice": ("feature_space", {"methods": ["feature_space"] * 2}, ["feature_space.methods", "each once"]),
    "more images in a layer than there are": ("feature_space", {"images": 500}, ["feature_space.images = 500", "450 images"]),
    "no image to fit to": (
        "feature_space",
        {"images": 10, "generation": {"held_out": 9}},
        ["generation.held_out = 9", "10 images", "hold out fewer"],
    ),
    "a matching twice": ("adaptivity", GRID | {"matchings": ["energy", "energy"]}, ["adaptivity.matchings", "each once"]),
    "a severity that is none": ("corruptions", {"severities": [7]}, ["corruptions.severities"]),
}


@pytest.mark.parametrize(("key", "value", "expected"), BAD.values(), ids=BAD)
def test_bad_input_is_one_clear_line(key: str, value: Any, expected: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_config(configured(**{key: value}), "config/mine.yaml")
    message = str(caught.value)
    assert message.startswith("config/mine.yaml: ")
    assert "\n" not in message
    for part in expected:
        assert part in message


def test_sizes_do_not_stand_with_the_attacks() -> None:
    values = copy.deepcopy(TINY)
    for key, value, where in (("eps", 0.1, "epsilons"), ("norm", "l2", "l2_epsilons")):
        values["attacks"] = {"pgd": {"kind": "pgd", key: value}}
        with pytest.raises(InputError, match=rf"attacks: pgd.{key} = {value}: sizes are given .*{where}"):
            read_config(values)
