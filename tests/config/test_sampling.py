"""Networks that learn by sampling in the configuration: their files, figures and specifications, and what is refused before any job is queued."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from yuragi.config.model import read_config
from yuragi.config.plan import Plan
from yuragi.errors import InputError
from yuragi.sampling.settings import Learning

ROOT = Path(__file__).parents[2]
STUDY: dict[str, Any] = {
    "images": {"kind": "digits"},
    "train_images": 300,
    "validation_images": 100,
    "test_images": 100,
    "network": {"hidden": [20]},
    "chain": {"sweeps": 60, "burn_in": 20, "every": 2},
    "seeds": [0, 1],
}


ACTIVITY: dict[str, Any] = {
    "variability": {"trials": 10},
    "spectrum": {"stimuli": 90, "ranks": [3, 12]},
    "spontaneous": {"stimuli": 90, "latent": {"images": 200}},
}


def configured(**changed: Any) -> dict[str, Any]:
    attacks = {"pgd": {"kind": "pgd"}, "random_noise": {"kind": "random_noise"}}
    return {"name": "trial", "attacks": attacks, "sampling": {"digits": copy.deepcopy(STUDY) | changed}}


def plan_of(**changed: Any) -> Plan:
    return Plan(read_config(configured(**changed)))


def test_a_study_has_the_exact_posterior_its_controls_and_a_twin_for_each_seed() -> None:
    files = plan_of().sampling
    assert [Path(file).name for file in files.of_arms("digits", ".nc")] == [
        f"{arm}-seed{seed}.nc" for arm in ("sampled", "fixed_hidden", "random_features") for seed in (0, 1)
    ]
    assert [Path(file).name for file in files.twins("digits")] == ["twin-seed0.safetensors", "twin-seed1.safetensors"]
    assert set(plan_of().figures()) == {"sampling_accuracy", "sampling_learning"}


@pytest.mark.parametrize(
    ("section", "figures"),
    [
        ("fluctuation", {"sampling_fluctuation"}),
        ("activity", {"sampling_variability", "sampling_spectrum", "sampling_spontaneous"}),
        ("memory", {"sampling_memory"}),
        ("robustness", {"sampling_robustness"}),
    ],
)
def test_a_section_brings_its_figures(section: str, figures: set[str]) -> None:
    settings = ACTIVITY if section == "activity" else {}
    assert set(plan_of(**{section: settings}).figures()) - set(plan_of().figures()) == figures


def test_every_job_has_a_specification() -> None:
    plan = plan_of(fluctuation={}, activity=ACTIVITY, memory={}, robustness={}, choice={"drives": [4, 8]}, variants={"tempered": {"temper": 5}})
    whole = ("sampling_choose", "sampling_summary", "sampling_activity", "sampling_fluctuation_claims", "sampling_robustness")
    network = ("sampling_learn", "sampling_twin", "sampling_fluctuation", "sampling_attack", "sampling_memory")
    for job, name in [(job, "digits") for job in whole] + [(job, "digits/sampled-seed1") for job in network]:
        assert plan.spec(job, name)
        assert plan.code(job, name)


def test_arms_of_a_seed_start_alike_and_differ_in_their_rule() -> None:
    from yuragi.config.specifications import specification

    config = read_config(configured(variants={"tempered": {"temper": 5}, "copied": {"copies": 3}}))
    found = {arm: specification(config, "sampling_learn", f"digits/{arm}-seed0") for arm in config.sampling["digits"].arms}
    assert len({spec.seed for spec in found.values()}) == 1
    assert specification(config, "sampling_learn", "digits/sampled-seed1").seed != found["sampled"].seed
    assert found["sampled"].learning == Learning()
    assert found["fixed_hidden"].learning == Learning(plastic="outputs")
    assert found["random_features"].learning == Learning(plastic="outputs", feedback=False)
    assert found["tempered"].learning == Learning(temper=5)
    assert (found["copied"].learning, found["copied"].network.copies) == (Learning(), 3)


def test_controls_may_have_a_chain_of_their_own() -> None:
    from yuragi.config.specifications import specification

    config = read_config(configured(controls={"sweeps": 40, "burn_in": 10, "every": 2}, variants={"tempered": {"temper": 5}}))
    sweeps = {arm: specification(config, "sampling_learn", f"digits/{arm}-seed0").chain.sweeps for arm in config.sampling["digits"].arms}
    assert sweeps == {"sampled": 60, "fixed_hidden": 40, "random_features": 40, "tempered": 60}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"network": {"hidden": [0]}}, "sampling.digits.network.hidden.0 = 0"),
        ({"network": {"hidden": [20], "prior": 1.2}}, "sampling.digits.network.prior = 1.2"),
        ({"network": {"hidden": [20], "excitatory": -0.1}}, "sampling.digits.network.excitatory = -0.1"),
        ({"network": {"hidden": [20], "drive": [4, 4, 4]}}, "network.drive = [4.0, 4.0, 4.0]: 2 layers lie above the pixels"),
        ({"network": {"hidden": [20], "copies": 2}}, "network.copies = 2: copied outputs are named; give them under variants"),
        ({"choice": {"drives": [[4, 4], [4]]}}, "choice.drives.1 = [4.0]"),
        ({"threshold": 1}, "sampling.digits.threshold = 1"),
        ({"train_images": 1300}, "train_images + validation_images = 1400: 'digits' has 1347 images in its part 'train'"),
        ({"test_images": 451}, "test_images = 451: 'digits' has 450 images in its part 'test'"),
        ({"chain": {"sweeps": 60, "burn_in": 58, "every": 2}}, "fewer than four states are kept"),
        ({"seeds": [1, 1]}, "names a value twice"),
        ({"variants": {"sampled": {"temper": 5}}}, "sampled: every study has networks of this name"),
        ({"variants": {"same": {}}}, "nothing in it differs from the exact posterior"),
        ({"fluctuation": {"arms": ["tempered"]}}, "fluctuation.arms: 'tempered' does not exist"),
        ({"activity": {}}, "activity.spectrum.stimuli = 500: more than test_images; lower it to at most 100"),
        (
            {"activity": {"variability": {"trials": 21}}},
            "activity.variability.trials = 21: more than the states that the chain keeps; lower it to at most 20",
        ),
        ({"activity": ACTIVITY | {"spectrum": {"stimuli": 101}}}, "activity.spectrum.stimuli = 101: more than test_images; lower it to at most 100"),
        ({"activity": ACTIVITY | {"spectrum": {"stimuli": 90, "ranks": [3, 21]}}}, "activity.spectrum.ranks = 21: more than the hidden units"),
        ({"activity": ACTIVITY | {"spontaneous": {"stimuli": 90, "latent": {"images": 301}}}}, "activity.spontaneous.latent.images = 301"),
        ({"memory": {"storage": {"stored": 301}}}, "memory.storage.stored = 301: more than train_images"),
        ({"robustness": {"attacks": ["pdg"]}}, "sampling.digits.robustness.attacks"),
        ({"robustness": {}, "twin": None}, "robustness: attacks are compared with those on the twin"),
        ({"network": {"hidden": []}}, "twin: a network without hidden units has none"),
        ({"images": {"kind": "simulated_responses"}}, "not images; choose an image set"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        plan_of(**changed)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_study_and_an_experiment_of_one_name_are_refused() -> None:
    values = configured()
    values["experiments"] = {"digits": {"images": {"kind": "digits"}, "network": {"kind": "perceptron"}, "epsilons": [0, 0.1], "test_images": 100}}
    with pytest.raises(InputError, match=r"sampling\.digits: an experiment has this name too"):
        read_config(values)


def test_the_configuration_of_this_page_can_be_planned() -> None:
    config = yaml.safe_load((ROOT / "config" / "sampling.yaml").read_text())
    plan = Plan(read_config(config))
    assert {"sampling_accuracy", "sampling_fluctuation", "sampling_robustness", "sampling_spectrum"} <= set(plan.figures())
