"""Adversarial training in the configuration: the arms, the studies of them, and what is refused before any job is queued."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from yuragi.config.arm_descriptions import described_arms
from yuragi.config.model import Config, read_config
from yuragi.config.plan import Plan
from yuragi.errors import InputError

ROOT = Path(__file__).parents[2]
TINY = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())
FGSM = {"kind": "fgsm", "eps": 0.1, "draws": 1}
FEW = {"test_images": 100}
FIGURES = {"adversarial_accuracy", "label_leaking", "capacity", "batch_norm_role", "adversarial_constraint"}
KINDS = {"single_attacks", "adversarial_gains", "capacity"}


def trained(**options: Any) -> dict[str, Any]:
    """The arms of a configuration, one of them adversarial."""
    return {"trained": {"adversarial": {"attack": FGSM} | options}}


def configured(further: dict[str, Any] | None = None, transfers: dict[str, Any] | None = None, /, **changed: Any) -> dict[str, Any]:
    values = copy.deepcopy(TINY)
    values["arms"] |= further or {}
    values["transfers"] = transfers or {}
    values["experiments"]["digits"] |= changed
    return values


def config_of(*arguments: Any, **changed: Any) -> Config:
    return read_config(configured(*arguments, **changed), "config/mine.yaml")


def test_without_adversarial_arms_and_their_studies_nothing_is_added() -> None:
    plan = Plan(config_of())
    assert not {*KINDS, "adversarial_histories", "transfers", "transfer_claims"} & plan.by_kind().keys()
    assert not {*FIGURES, "adversarial_learning", "transferability"} & set(plan.figures())


def test_an_adversarial_arm_brings_its_histories_and_no_other_arm_does() -> None:
    plan = Plan(config_of(trained()))
    there = plan.by_kind()
    assert there["adversarial_histories"] == [f"results/tiny/networks/digits/trained-seed{seed}.history.csv" for seed in (0, 1)]
    assert set(there["adversarial_histories"]) < set(there["histories"])
    assert set(plan.figures()) == {*Plan(config_of()).figures(), "adversarial_learning"}
    assert Plan(config_of(trained(), arms=["plain", "both"])).by_kind() == Plan(config_of()).by_kind()


def test_single_attacks_bring_three_tables() -> None:
    plan = Plan(config_of(single_attacks=FEW))
    there = plan.by_kind()
    endings = {"single_attacks": "csv", "adversarial_gains": "gains.csv", "capacity": "capacity.csv"}
    assert {kind: there[kind] for kind in KINDS} == {kind: [f"results/tiny/single_attacks/digits.{end}"] for kind, end in endings.items()}
    files = [f"results/tiny/single_attacks/digits/{arm}-seed{seed}.nc" for arm in ("plain", "both") for seed in (0, 1)]
    assert plan.study_files("single_attacks", "nc") == files


@pytest.mark.parametrize(
    ("arm", "figure"),
    [
        ({"adversarial": {"attack": FGSM}}, None),
        ({"width": 2}, "capacity"),
        ({"batch_norm": True}, "batch_norm_role"),
        ({"noise": {"kind": "white", "layer": "hidden1", "relative_variance": 0.5}}, "adversarial_constraint"),
    ],
    ids=str,
)
def test_figures_are_drawn_where_arms_differ_in_what_they_show(arm: dict[str, Any], figure: str | None) -> None:
    plan = Plan(config_of({"other": arm}, single_attacks=FEW | {"arms": ["plain", "other"]}))
    always = {"adversarial_accuracy", "label_leaking"}
    assert FIGURES & set(plan.figures()) == (always if figure is None else {*always, figure})
    # Arms of the experiment that the study leaves out do not count.
    alone = Plan(config_of({"other": arm}, single_attacks=FEW | {"arms": ["plain"]}))
    assert FIGURES & set(alone.figures()) == always


def test_a_study_takes_the_attacks_sizes_and_arms_that_it_names() -> None:
    plan = Plan(config_of(trained(), single_attacks=FEW | {"arms": ["plain", "trained"], "attacks": ["pgd"], "epsilons": [0.05]}))
    for network in ("digits/plain-seed0", "digits/trained-seed0"):
        spec = json.loads(plan.spec("single_attacks", network))
        assert (list(spec["attacks"]), spec["threat"]["epsilons"], spec["test_images"]) == (["pgd"], [0.05], 100)
    summary = json.loads(plan.spec("single_attacks_summary", "digits"))
    assert (sorted(summary["arms"]), list(summary["attacks"])) == (["plain", "trained"], ["pgd"])
    assert len(plan.study_files("single_attacks", "nc")) == 4
    # Without sizes of its own, those of the experiment, but for the clean images.
    assert json.loads(Plan(config_of(single_attacks=FEW)).spec("single_attacks", "digits/plain-seed0"))["threat"]["epsilons"] == [0.1, 0.2]


def test_all_arms_of_a_seed_meet_the_same_single_attacks_and_start_from_the_same_weights() -> None:
    plan = Plan(config_of(trained(), single_attacks=FEW))
    seeds = [json.loads(plan.spec(job, f"digits/{arm}-seed0"))["seed"] for job in ("single_attacks", "train") for arm in ("plain", "trained")]
    assert seeds[0] == seeds[1] != seeds[2] == seeds[3]


def test_a_transfer_brings_two_tables_and_a_figure() -> None:
    plan = Plan(config_of(trained(), {"seeds": FEW | {"experiments": ["digits"], "arms": ["plain", "trained"]}}))
    there = plan.by_kind()
    assert (there["transfers"], there["transfer_claims"]) == (["results/tiny/transfers/seeds.csv"], ["results/tiny/transfers/seeds.claims.csv"])
    assert "transferability" in plan.figures()
    assert not FIGURES & set(plan.figures())
    assert [Path(path).stem for path in plan.transfer_networks("seeds")] == ["plain-seed0", "plain-seed1", "trained-seed0", "trained-seed1"]
    assert plan.transfer_images("seeds") == "results/tiny/images/digits.nc"
    assert json.loads(plan.spec("transferability", "seeds"))["threat"]["epsilons"] == [0.1]


def test_a_transfer_between_architectures_names_the_networks_of_both() -> None:
    values = configured({}, {"both": FEW | {"experiments": ["digits", "wide"]}})
    values["experiments"]["wide"] = values["experiments"]["digits"] | {"network": {"kind": "perceptron", "hidden": [100]}}
    networks = Plan(read_config(values)).transfer_networks("both")
    assert [path.split("/", 3)[3] for path in networks] == [
        f"{experiment}/plain-seed{seed}.safetensors" for experiment in ("digits", "wide") for seed in (0, 1)
    ]


CONSTRAINTS: dict[str, dict[str, Any]] = {
    "": {},
    "wide": {"width": 2},
    "normalised": {"batch_norm": True},
    "penalised": {"penalty": {"kind": "spectral_constraint", "layers": {"hidden1": 1.0}, "ranks": [5, 20]}},
    "noisy": {"noise": {"kind": "white", "layer": "hidden1", "relative_variance": 0.5}},
    "blurred": {"front_end": {"kind": "blur"}},
    "whitened": {"whitened": "hidden1"},
    "all": {"width": 0.5, "penalty": {"kind": "jacobian"}, "noise": {"kind": "white", "layer": "hidden1", "relative_variance": 0.5}},
}
ORDINARY = {name or "plain": arm for name, arm in CONSTRAINTS.items()}
ADVERSARIAL = {f"trained_{name}": arm | {"adversarial": {"attack": FGSM}} for name, arm in ORDINARY.items()}


def test_every_adversarial_arm_finds_the_arm_that_is_the_same_but_for_it() -> None:
    described = described_arms(config_of(ORDINARY | ADVERSARIAL, single_attacks=FEW), "digits")
    assert {name: described[name].ordinary for name in ADVERSARIAL} == {f"trained_{name}": name for name in ORDINARY}
    for name in ORDINARY:
        ordinary, adversarial = described[name], described[f"trained_{name}"]
        assert (ordinary.method, ordinary.leaks_possible, ordinary.ordinary) == (None, False, None)
        assert (adversarial.method, adversarial.leaks_possible) == ("fgsm", True)
        for what in ("width", "batch_norm", "constraint"):
            assert getattr(adversarial, what) == getattr(ordinary, what)
    assert {name: described[name].constraint for name in ORDINARY} == {
        "plain": "none",
        "wide": "none",
        "normalised": "none",
        "penalised": "spectral_constraint",
        "noisy": "white",
        "blurred": "blur",
        "whitened": "whitened",
        "all": "jacobian + white",
    }
    assert {name: described[name].width for name in ORDINARY if described[name].width != 1} == {"wide": 2, "all": 0.5}


@pytest.mark.parametrize(
    ("kind", "leaks"),
    [("fgsm", True), ("basic_iterative", True), ("pgd", True), ("step_ll", False), ("step_rnd", False), ("iterative_ll", False)],
)
def test_only_attacks_with_the_true_label_can_leak(kind: str, leaks: bool) -> None:
    described = described_arms(config_of(trained(attack={"kind": kind, "eps": 0.1}), single_attacks=FEW), "digits")["trained"]
    assert (described.method, described.leaks_possible, described.ordinary) == (kind, leaks, "plain")


def test_batch_normalisation_is_told_by_the_network_and_by_the_training() -> None:
    apart = {"apart": {"adversarial": {"attack": FGSM, "batch_norm": "separate"}}, "bare": {"batch_norm": False}}
    normalised = {"kind": "perceptron", "hidden": [50], "batch_norm": True}
    by_network = {
        name: {
            arm: each.batch_norm for arm, each in described_arms(config_of(trained() | apart, network=network, single_attacks=FEW), "digits").items()
        }
        for name, network in {"with": normalised, "without": normalised | {"batch_norm": False}}.items()
    }
    assert by_network["with"] == {"plain": "mixture", "both": "mixture", "trained": "mixture", "apart": "separate", "bare": "none"}
    assert set(by_network["without"].values()) == {"none"}


def test_an_arm_whose_twin_is_not_studied_has_none() -> None:
    described = described_arms(config_of(ORDINARY | ADVERSARIAL, single_attacks=FEW | {"arms": ["plain", "trained_wide", "trained_plain"]}), "digits")
    assert {name: each.ordinary for name, each in described.items()} == {"plain": None, "trained_wide": None, "trained_plain": "plain"}


ARMS = {
    "more adversarial images than a mini-batch has": (trained(k=129), ["experiments.digits.training: k = 129", "batch = 128", "lower k"]),
    "a negative weight": (trained(weight=-1), ["adversarial.weight = -1", "greater than or equal to 0"]),
    "nothing to learn": (trained(weight=0, k=128), ["weight = 0 with k = 128", "raise weight"]),
    "a size in grey levels": (
        trained(attack={"kind": "fgsm", "eps": 8}),
        ["adversarial.attack: eps = 8 is outside [0, 1]", "grey levels are 0.031373"],
    ),
    "no size": (trained(attack={"kind": "fgsm", "eps": 0}), ["adversarial.attack: eps = 0", "positive eps"]),
    "an unknown attack": (trained(attack={"kind": "deepfool"}), ["adversarial.attack.kind: 'deepfool'", "Known: basic_iterative, fgsm,", "step_ll"]),
    "an attack that asks for more than a ball": (trained(attack={"kind": "square"}), ["adversarial.attack.kind: 'square'", "Known:", "pgd"]),
    "an option that the attack has not": (trained(attack=FGSM | {"steps": 3}), ["adversarial.attack.steps: this key does not exist"]),
    "no attack": ({"trained": {"adversarial": {}}}, ["adversarial.attack: this key is missing"]),
    "no adversarial epoch": (trained(clean_epochs=5), ["experiments.digits.training: clean_epochs = 5", "5 epochs", "lower it"]),
    "another distribution of sizes": (trained(epsilons="uniform"), ["adversarial.epsilons = 'uniform'", "'truncated_normal' or 'fixed'"]),
    "another batch normalisation": (trained(batch_norm="shared"), ["adversarial.batch_norm = 'shared'", "'mixture' or 'separate'"]),
    "no width": ({"trained": {"width": 0}}, ["width = 0", "greater than 0"]),
    "a negative width": ({"trained": {"width": -1}}, ["width = -1", "greater than 0"]),
    "a width without end": ({"trained": {"width": float("inf")}}, ["width = inf", "finite"]),
}


def refused(expected: list[str], *arguments: Any, **changed: Any) -> None:
    with pytest.raises(InputError) as caught:
        config_of(*arguments, **changed)
    message = str(caught.value)
    assert message.startswith("config/mine.yaml: ")
    assert "\n" not in message
    for part in expected:
        assert part in message


@pytest.mark.parametrize(("arms", "expected"), ARMS.values(), ids=ARMS)
def test_an_arm_that_cannot_be_trained_is_one_clear_line(arms: dict[str, Any], expected: list[str]) -> None:
    refused(["arms.trained", *expected], arms)


def test_learning_by_rote_has_mini_batches_and_epochs_of_its_own() -> None:
    by_rote = {"images": 300, "batch": 64, "epochs": 3}
    refused(["arms.trained.adversarial with experiments.digits.memorisation: k = 100", "batch = 64"], trained(k=100), memorisation=by_rote)
    refused(["experiments.digits.memorisation: clean_epochs = 3", "3 epochs"], trained(clean_epochs=3), memorisation=by_rote)
    # An arm that is not tested need not fit.
    config_of(trained(k=100), memorisation=by_rote | {"arms": ["plain"]})


@pytest.mark.parametrize(
    "changed", [{"adversarial": {"attack": FGSM}}, {"width": 2}, {"batch_norm": False}], ids=["adversarial", "width", "batch_norm"]
)
def test_plain_stays_what_every_other_arm_is_compared_with(changed: dict[str, Any]) -> None:
    refused(["arms.plain: the plain arm carries no constraint"], {"plain": changed})


def test_an_ordinary_twin_may_say_the_same_in_other_words() -> None:
    config = config_of({"trained": {"batch_norm": False, "adversarial": {"attack": FGSM}}}, single_attacks=FEW)
    assert not config.experiments["digits"].network.batch_norm
    assert described_arms(config, "digits")["trained"].ordinary == "plain"


def test_two_trainings_on_one_attack_have_recipes_of_their_own() -> None:
    whole = {"whole": {"adversarial": {"attack": FGSM, "k": 128, "epsilons": "fixed"}}, "again": {"adversarial": {"attack": FGSM | {"draws": 1}}}}
    described = described_arms(config_of(trained() | whole, single_attacks=FEW), "digits")
    assert described["trained"].recipe == described["again"].recipe != described["whole"].recipe
    assert described["plain"].recipe == "none"


def test_a_width_leaves_the_ranks_that_exponents_are_compared_over() -> None:
    asked = {"asked": {"penalty": {"kind": "spectral", "layers": {"hidden1": 1.0}, "anchor": 5, "last_rank": 30}}}
    config_of(asked | {"narrow": {"width": 0.6}})
    refused(["arms.narrow.width = 0.5: it leaves hidden1 in experiments.digits 25 units", "up to rank 30"], asked | {"narrow": {"width": 0.5}})


SINGLE = {
    "an unknown attack": ({"attacks": ["gone"]}, ["single_attacks.attacks: the name 'gone'", "Known: pgd, random_noise"]),
    "an attack twice": ({"attacks": ["pgd", "pgd"]}, ["single_attacks.attacks", "each once"]),
    "an unknown arm": ({"arms": ["gone"]}, ["single_attacks.arms: the name 'gone'", "Known: both, plain"]),
    "no size above 0": ({"epsilons": [0]}, ["single_attacks.epsilons.0 = 0", "greater than 0"]),
    "a size in grey levels": ({"epsilons": [8]}, ["single_attacks.epsilons: eps = 8 is outside [0, 1]"]),
    "a size twice": ({"epsilons": [0.1, 0.1]}, ["single_attacks.epsilons", "each once"]),
    "more images than there are": ({"test_images": 451}, ["single_attacks.test_images = 451", "450 images", "lower it"]),
}


@pytest.mark.parametrize(("values", "expected"), SINGLE.values(), ids=SINGLE)
def test_single_attacks_that_cannot_be_run_are_one_clear_line(values: dict[str, Any], expected: list[str]) -> None:
    refused(["experiments.digits.", *expected], single_attacks=FEW | values)


def test_an_experiment_whose_sizes_are_0_alone_has_none_for_single_attacks() -> None:
    refused(["experiments.digits.single_attacks.epsilons", "holds 0 alone", "above 0"], single_attacks=FEW, epsilons=[0])
    config_of(single_attacks=FEW | {"epsilons": [0.1]}, epsilons=[0])


TRANSFERS = {
    "an unknown experiment": ({"experiments": ["gone"]}, {}, ["transfers.mine.experiments: the name 'gone'", "Known: digits"]),
    "an experiment twice": ({"experiments": ["digits", "digits"]}, {}, ["transfers.mine.experiments", "each once"]),
    "a size twice": ({"epsilons": [0.1, 0.1]}, {}, ["transfers.mine.epsilons", "each once"]),
    "no experiment": ({"experiments": []}, {}, ["transfers.mine.experiments"]),
    "an unknown arm": ({"arms": ["gone"]}, {}, ["transfers.mine.arms: the name 'gone'", "Known: both, plain"]),
    "an unknown attack": ({"attacks": ["gone"]}, {}, ["transfers.mine.attacks: the name 'gone'"]),
    "one network": ({}, {"seeds": [0]}, ["transfers.mine: it names one network", "add seeds, arms or experiments"]),
    "more images than there are": ({"test_images": 451}, {}, ["transfers.mine.test_images = 451", "450 images", "lower it"]),
    "no size": ({"epsilons": [0]}, {}, ["transfers.mine.epsilons.0 = 0", "greater than 0"]),
    "a size in grey levels": ({"epsilons": [8]}, {}, ["transfers.mine.epsilons: eps = 8 is outside [0, 1]"]),
}


@pytest.mark.parametrize(("values", "changed", "expected"), TRANSFERS.values(), ids=TRANSFERS)
def test_a_transfer_that_cannot_be_made_is_one_clear_line(values: dict[str, Any], changed: dict[str, Any], expected: list[str]) -> None:
    refused(expected, {}, {"mine": FEW | {"experiments": ["digits"]} | values}, **changed)


def test_a_transfer_is_between_networks_on_the_same_images() -> None:
    values = configured({}, {"mine": FEW | {"experiments": ["digits", "other"]}})
    values["experiments"]["other"] = values["experiments"]["digits"] | {"images": {"kind": "digits", "seed": 3}}
    with pytest.raises(
        InputError, match=r"^config/mine.yaml: transfers.mine.experiments: 'other' has other images than 'digits'.*give both the same"
    ):
        read_config(values, "config/mine.yaml")


@pytest.mark.parametrize(("name", "taken"), [("worst", "the strongest"), ("clean", "images as they are"), ("chance", "random noise")])
def test_names_that_results_use_are_none_for_attacks(name: str, taken: str) -> None:
    values = configured({}, {})
    values["attacks"][name] = FGSM
    with pytest.raises(InputError, match=f"attacks: {name}: results call {taken}"):
        read_config(values, "config/mine.yaml")


def test_an_experiment_names_attacks_that_there_are() -> None:
    refused(["experiments.digits.attacks: the name 'gone'", "Known: pgd, random_noise"], attacks=["gone"])
    plan = Plan(config_of(attacks=["pgd"]))
    assert list(json.loads(plan.spec("attack", "digits/plain-seed0"))["attacks"]) == ["pgd"]
    assert list(json.loads(Plan(config_of()).spec("attack", "digits/plain-seed0"))["attacks"]) == ["pgd", "random_noise"]
