"""The figures of adversarial training, against what was put in."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yuragi.errors import InputError
from yuragi.figures._adversarial import arms, names, read_single_attacks
from yuragi.figures.base import figures
from yuragi.figures.style import save
from yuragi.files import write_table

from .adversarial_results import ARMS, ATTACKS, EPSILONS, LEAK, Arm, accuracy_of, clean_of, write_adversarial_histories, write_single_attacks

KINDS = ("adversarial_accuracy", "label_leaking", "capacity", "batch_norm_role", "adversarial_learning", "adversarial_constraint")
COLLAPSES = {"fgsm": (None, 6, None), "pgd": (None, None, None)}
NOTICES = {
    "capacity": "one width only",
    "batch_norm_role": "one kind of batch normalisation only",
    "adversarial_learning": "was watched while it was trained adversarially",
    "adversarial_constraint": "has a constraint and is trained adversarially",
}
BY_NAME = {arm.arm: arm for arm in ARMS}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("adversarial")
    experiments = [write_single_attacks(folder / "single_attacks", name) for name in ("digits_perceptron", "digits_cnn")]
    files = {kind: [path for experiment in experiments for path in experiment[kind]] for kind in experiments[0]}
    plain = folder / "networks/digits_cnn/plain-seed0.history.csv"
    write_table(pd.DataFrame({"epoch": [1, 2], "loss": 1.0, "penalty": 0.0, "train_accuracy": 0.5}), plain)
    return {**files, "adversarial_histories": [plain, *write_adversarial_histories(folder / "networks", "digits_cnn", COLLAPSES)]}


@pytest.fixture(scope="module")
def made(written) -> dict[str, pd.DataFrame]:
    return {kind: figures()[kind]().table(written) for kind in KINDS}


@pytest.fixture(scope="module")
def least(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("least")
    history = folder / "networks/digits/plain-seed0.history.csv"
    write_table(pd.DataFrame({"epoch": [1, 2], "loss": 1.0, "penalty": 0.0, "train_accuracy": 0.5}), history)
    return {**write_single_attacks(folder, "digits", [Arm("plain")], ["fgsm"], [0.1]), "adversarial_histories": [history]}


def panels(drawing) -> list[list[str]]:
    return [[axis.get_title("left") for axis in part.axes] for part in drawing.subfigs]


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_drawn_from_the_table_alone(kind, made, tmp_path):
    of_one = made[kind].query("experiment == 'digits_cnn'")
    assert len(of_one)
    write_table(of_one, tmp_path / "table.csv")
    for name in ("one.svg", "two.svg"):
        save(figures()[kind]().draw(pd.read_csv(tmp_path / "table.csv")), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_least_is_drawn_or_told(kind, least, tmp_path):
    write_table(figures()[kind]().table(least), tmp_path / "table.csv")
    drawing = figures()[kind]().draw(pd.read_csv(tmp_path / "table.csv"))
    save(drawing, tmp_path / "drawing.svg")
    if kind in NOTICES:
        assert NOTICES[kind] in drawing.texts[0].get_text()
    else:
        assert panels(drawing)[0][0].startswith("fgsm")


def test_accuracies_are_those_written_with_their_gains(made):
    table = made["adversarial_accuracy"]
    assert list(table["experiment"].unique()) == ["digits_perceptron", "digits_cnn"]
    of_experiment = table[table["experiment"] == "digits_cnn"]
    assert set(of_experiment["arm"]) == {"plain", "fgsm", "step_ll", "pgd"}
    assert len(of_experiment) == 4 * len(ATTACKS) * len(EPSILONS)
    planted = [accuracy_of(BY_NAME[row.arm], row.attack, row.epsilon_pixel_units) for row in of_experiment.itertuples()]
    assert np.allclose(of_experiment["accuracy"], planted)
    before = [accuracy_of(BY_NAME["plain"], row.attack, row.epsilon_pixel_units) for row in of_experiment.itertuples()]
    adversarial = of_experiment["method"] != "ordinary"
    assert np.allclose(of_experiment["gain"][adversarial], (np.array(planted) - before)[adversarial])
    assert of_experiment["gain"][~adversarial].isna().all()
    assert np.allclose((of_experiment["gain_high"] - of_experiment["gain"])[adversarial], 0.03)
    assert (of_experiment["p_holm"][adversarial] == 0.004).all()


def test_lines_begin_at_clean_accuracy_and_one_step_attacks_come_first(made):
    drawing = figures()["adversarial_accuracy"]().draw(made["adversarial_accuracy"])
    kinds = ["one step"] * 3 + ["iterated"] * 3
    assert panels(drawing) == [[f"{name.replace('_', ' ')} ({kind})" for name, kind in zip(ATTACKS, kinds, strict=True)]] * 2
    lines = {line.get_label(): line for line in drawing.subfigs[1].axes[5].get_lines()}
    assert list(lines) == ["ordinary training", "trained on fgsm", "trained on step ll", "trained on pgd"]
    assert np.allclose(lines["trained on pgd"].get_xdata(), [0, *EPSILONS])
    assert np.allclose(lines["trained on pgd"].get_ydata()[0], clean_of(BY_NAME["pgd"]))


def test_two_arms_of_one_method_have_names_and_colours_of_their_own(tmp_path):
    twins = [Arm("plain"), Arm("fgsm", "fgsm", ordinary="plain"), Arm("fgsm_fixed", "fgsm", ordinary="plain")]
    table = figures()["adversarial_accuracy"]().table(write_single_attacks(tmp_path, "digits", twins))
    lines = figures()["adversarial_accuracy"]().draw(table).subfigs[0].axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["ordinary training", "trained on fgsm (fgsm)", "trained on fgsm (fgsm_fixed)"]
    assert len({line.get_color() for line in lines}) == 3


def test_networks_without_batch_normalisation_are_usual_where_none_has_it(tmp_path):
    bare = [Arm("plain", batch_norm="none"), Arm("fgsm", "fgsm", batch_norm="none", ordinary="plain")]
    table = figures()["adversarial_accuracy"]().table(write_single_attacks(tmp_path, "digits", bare))
    assert set(table["arm"]) == {"plain", "fgsm"}
    described = arms(read_single_attacks({"single_attacks": [tmp_path / "digits.csv"]}))
    assert list(names(described)) == ["ordinary", "fgsm"]


def test_only_the_planted_leak_is_shown(made):
    table = made["label_leaking"]
    assert set(table["attack"]) == {"fgsm", "step_ll", "step_rnd"}
    leaks = table[table["label_leaking"]]
    assert set(zip(leaks["training"], leaks["attack"], strict=True)) == {("fgsm", "fgsm")}
    assert len(leaks) == 2 * len(EPSILONS)
    assert np.allclose(leaks["leaking"], LEAK)
    drawing = figures()["label_leaking"]().draw(table)
    for axis, filled in zip(drawing.subfigs[0].axes, (len(EPSILONS), 0, 0), strict=True):
        marks = [line for line in axis.get_lines() if line.get_label().endswith("label leaking (p < .05)")]
        assert [len(line.get_xdata()) for line in marks] == [filled]
    first, second = (drawing.subfigs[0].axes[place].get_legend_handles_labels()[1] for place in (0, 1))
    assert all(label.startswith("attack with the true label") for label in first)
    assert all(label.startswith("attack without it") for label in second)


def test_a_positive_difference_that_chance_explains_is_no_leaking(written, tmp_path):
    table = pd.read_csv(written["single_attacks"][0]).assign(leaking_p_holm=0.2)
    write_table(table, tmp_path / "digits.csv")
    assert not figures()["label_leaking"]().table({"single_attacks": [tmp_path / "digits.csv"]})["label_leaking"].any()


def test_rows_of_label_leaking_are_grouped_by_what_training_knew(made):
    drawing = figures()["label_leaking"]().draw(made["label_leaking"])
    rows = [label.get_text() for label in drawing.subfigs[0].axes[0].get_yticklabels()]
    headings = [row for row in rows if row.endswith(":")]
    assert headings == ["ordinary:", "trained with the true label:", "trained without it:"]
    assert rows[rows.index(headings[1]) + 1 : rows.index(headings[2])] == ["fgsm", "pgd"]
    assert len(rows) == len(ARMS) + 3


def test_capacity_shows_trainings_at_several_widths_with_their_slopes(made):
    table = made["capacity"]
    assert set(table["training"]) == {"ordinary", "step ll"}
    assert set(table["width"]) == {0.5, 1, 2}
    assert set(table["epsilon_pixel_units"]) == {0, EPSILONS[-1]}
    clean = table[(table["attack"] == "clean") & (table["method"] == "ordinary") & (table["experiment"] == "digits_cnn")].set_index("width")
    assert np.allclose(clean["accuracy"], [clean_of(BY_NAME[name]) for name in ("plain", "plain_half", "plain_double")])
    slopes = table[table["method"] == "step_ll"].groupby("attack")["gain_per_doubling"].first()
    widths = {name: BY_NAME[f"step_ll{name}"] for name in ("_half", "", "_double")}
    values = [accuracy_of(arm, "pgd", EPSILONS[-1]) - accuracy_of(BY_NAME[str(arm.ordinary)], "pgd", EPSILONS[-1]) for arm in widths.values()]
    assert np.isclose(slopes["pgd"], (values[2] - values[0]) / 2)
    assert np.isclose(slopes["clean"], 0)
    drawing = figures()["capacity"]().draw(table)
    assert panels(drawing)[0][0] == "clean"
    assert f"{slopes['pgd']:+.3f}" in drawing.subfigs[0].axes[-1].texts[-1].get_text()


def test_capacity_without_slopes_is_drawn(written):
    table = figures()["capacity"]().table({"single_attacks": written["single_attacks"]})
    assert table["gain_per_doubling"].isna().all()
    assert not any(axis.texts for axis in figures()["capacity"]().draw(table).subfigs[0].axes)


def test_kinds_of_batch_normalisation_stand_below_their_training(made):
    table = made["batch_norm_role"]
    assert set(table["arm"]) == {"plain", "plain_bare", "step_ll", "step_ll_bare", "step_ll_separate"}
    drawing = figures()["batch_norm_role"]().draw(table)
    rows = [label.get_text() for label in drawing.subfigs[0].axes[0].get_yticklabels()]
    assert rows == ["ordinary:", "batch norm", "no batch norm", "step ll:", "mixture", "separate", "no batch norm"]
    assert panels(drawing)[0] == ["clean", "fgsm, ε = 0.16", "pgd, ε = 0.16"]
    marks = {line.get_label(): line for line in drawing.subfigs[0].axes[2].get_lines()}
    expected = [accuracy_of(BY_NAME[name], "pgd", 0.16) for name in ("step_ll", "step_ll_bare", "step_ll_separate")]
    assert np.allclose(marks["trained on step ll"].get_xdata(), expected)
    assert list(marks["trained on step ll"].get_ydata()) == [4, 6, 5]


@pytest.mark.parametrize("kind", ["batch_norm_role", "adversarial_constraint"])
def test_the_attacks_drawn_can_be_chosen(kind, made):
    chosen = figures()[kind](one_step="step_rnd", iterated="unheard_of")
    assert panels(chosen.draw(made[kind]))[0] == ["clean", "step rnd, ε = 0.16", "basic iterative, ε = 0.16"]


def test_every_constraint_stands_with_and_without_adversarial_training(made):
    table = made["adversarial_constraint"]
    rows = ["none", "spectral constraint", "spontaneous", "spectral constraint + spontaneous"]
    assert list(table["with_constraint"].unique()) == rows
    assert set(table["arm"]) == {
        "plain",
        "step_ll",
        *(f"{before}{name}" for before in ("", "step_ll_") for name in ("spectral", "spontaneous", "both")),
    }
    assert len(table) == 2 * 8 * (1 + len(ATTACKS) * len(EPSILONS))
    axis = figures()["adversarial_constraint"]().draw(table).subfigs[0].axes[1]
    marks = {line.get_label(): line for line in axis.get_lines()}
    assert set(marks) == {"ordinary training", "trained on step ll"}
    expected = [accuracy_of(BY_NAME[name], "fgsm", 0.16) for name in ("step_ll", "step_ll_spectral", "step_ll_spontaneous", "step_ll_both")]
    assert np.allclose(marks["trained on step ll"].get_xdata(), expected)


def test_two_arms_with_one_constraint_have_rows_of_their_own(tmp_path):
    twins = [Arm("plain"), Arm("step_ll", "step_ll", ordinary="plain")]
    for name in ("spontaneous", "shuffled"):
        twins += [
            Arm(name, constraint="spontaneous"),
            Arm(f"step_ll_{name}", "step_ll", constraint="spontaneous", ordinary=name),
        ]
    table = figures()["adversarial_constraint"]().table(write_single_attacks(tmp_path, "digits", twins))
    assert list(table["with_constraint"].unique()) == ["none", "spontaneous (spontaneous)", "spontaneous (shuffled)"]
    alone = [Arm("step_ll_spontaneous", "step_ll", constraint="spontaneous")]
    table = figures()["adversarial_constraint"]().table(write_single_attacks(tmp_path, "alone", alone))
    assert set(table["with_constraint"]) == {"spontaneous"}


def test_catastrophic_overfitting_is_marked_where_it_was_planted(made):
    table = made["adversarial_learning"]
    assert set(table["arm"]) == {"fgsm", "pgd"}
    found = table.groupby(["arm", "seed"])["catastrophic_epoch"].first()
    assert found["fgsm", 1] == 6
    assert found.drop(("fgsm", 1)).isna().all()
    drawing = figures()["adversarial_learning"]().draw(table)
    assert panels(drawing) == [["fgsm: overfits in 1 of 3", "pgd"]]
    marks = [line for line in drawing.subfigs[0].axes[0].get_lines() if line.get_label() == "catastrophic overfitting"]
    assert [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in marks] == [([6], [0.02])]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "adversarial_learning"])
def test_a_file_of_another_step_is_refused(kind, written, tmp_path):
    other = shutil.copy(written["adversarial_histories"][0], tmp_path / "digits.csv")
    with pytest.raises(InputError, match=r"digits\.csv: the column 'arm' is missing"):
        figures()[kind]().table({"single_attacks": [other]})


def test_a_history_that_lacks_a_watched_accuracy_is_refused(written, tmp_path):
    path = tmp_path / "digits/fgsm-seed0.history.csv"
    write_table(pd.read_csv(written["adversarial_histories"][-1]).drop(columns="watched_attack_accuracy"), path)
    with pytest.raises(InputError, match="the column 'watched_attack_accuracy' is missing"):
        figures()["adversarial_learning"]().table({"adversarial_histories": [path]})


def test_random_changes_are_no_step_along_a_gradient(written, tmp_path):
    table = pd.read_csv(written["single_attacks"][0])
    table["attack_kind"] = table["attack_kind"].replace("step_rnd", "random_noise")
    write_table(table, tmp_path / "digits.csv")
    given = {"single_attacks": [tmp_path / "digits.csv"]}
    assert set(figures()["label_leaking"]().table(given)["attack"]) == {"fgsm", "step_ll"}
    drawing = figures()["adversarial_accuracy"]().draw(figures()["adversarial_accuracy"]().table(given))
    assert panels(drawing)[0][:3] == ["fgsm (one step)", "step ll (one step)", "step rnd (chance)"]


def test_an_arm_of_the_method_with_another_recipe_stands_apart(tmp_path: Path) -> None:
    arms = [
        *ARMS,
        Arm("step_ll_whole", "step_ll", ordinary="plain", recipe="whole"),
        Arm("wide", "step_ll", 2.0, ordinary="plain_double", recipe="whole"),
    ]
    results = write_single_attacks(tmp_path, "digits", arms)
    assert "step_ll_whole" not in set(figures()["adversarial_constraint"]().table(results)["arm"])
    assert "step_ll_whole" not in set(figures()["batch_norm_role"]().table(results)["arm"])
    capacity = figures()["capacity"]().table(results)
    assert capacity.groupby("training")["recipe"].nunique().max() == 1
    assert set(capacity.loc[capacity["recipe"] == "whole", "arm"]) == {"step_ll_whole", "wide"}
