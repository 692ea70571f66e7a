"""Leaking, gains and slopes that are planted in the accuracies of arms come back, with intervals for new seeds and images; and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from statsmodels.stats.multitest import multipletests

from yuragi.attacks import FGSM, PGD, IterativeLL, RandomNoise, Square, StepLL, StepRnd
from yuragi.errors import InputError
from yuragi.robustness.adversarial_tables import adversarial_gains, single_attack_table
from yuragi.robustness.adversarial_training import ArmDescription, describe_attack
from yuragi.robustness.capacity import capacity_slopes
from yuragi.robustness.statistics import paired_differences
from yuragi.settings import validate

EPSILONS = (0.1, 0.3)
ATTACKS = {"fgsm": FGSM(), "step_ll": StepLL()}
CLEAN = 0.8
COST = {"fgsm": 0.4, "step_ll": 0.3}
PLAIN = ArmDescription()
TRAINED = ArmDescription(method="fgsm", leaks_possible=True, ordinary="plain")
FUNCTIONS = (single_attack_table, adversarial_gains, capacity_slopes)


def result(arm: str, seed: int, correct: np.ndarray, clean: np.ndarray, attacks: tuple[str, ...] = tuple(ATTACKS)) -> xr.Dataset:
    """An evaluation by hand: ``correct`` over (attack, epsilon, image)."""
    return xr.Dataset(
        {"fraction_correct": (("attack", "epsilon", "image"), correct), "clean_fraction_correct": ("image", clean)},
        coords={"attack": list(attacks), "epsilon": list(EPSILONS), "image": np.arange(len(clean)), "label": ("image", np.zeros(len(clean), int))},
    ).assign_coords(arm=arm, seed=seed)


def simulated(
    random: np.random.Generator,
    effects: dict[str, dict[str, float]],
    *,
    seeds: dict[str, tuple[int, ...]] | None = None,
    images: int = 150,
    deviation: float = 0.01,
) -> Iterator[xr.Dataset]:
    """Networks on images that are easy or hard for all; ``effects`` by arm and then by attack, or ``clean``, are added to what attacks leave."""
    ease = random.normal(0, 0.05, images)
    for arm, effect in effects.items():
        for seed in (seeds or {}).get(arm, (0, 1, 2)):
            own = CLEAN + ease + deviation * random.standard_normal()
            clean = own + effect.get("clean", 0)
            attacked = [[own - COST[name] + effect.get(name, 0) + 0.02 * random.standard_normal(images) for _ in EPSILONS] for name in ATTACKS]
            yield result(arm, seed, np.array(attacked), clean)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(4)


def test_what_an_attack_is():
    kinds = [describe_attack(attack) for attack in (FGSM(), StepLL(), StepRnd(), PGD(), IterativeLL(), Square(), RandomNoise())]
    assert [kind["attack_kind"] for kind in kinds] == ["fgsm", "step_ll", "step_rnd", "pgd", "iterative_ll", "square", "random_noise"]
    assert [kind["iterated"] for kind in kinds] == [False, False, False, True, True, True, False]
    assert [kind["uses_true_label"] for kind in kinds] == [True, False, False, True, False, True, False]


def test_planted_leaking_comes_back(random):
    networks = list(simulated(random, {"plain": {}, "leaky": {"fgsm": 0.5}, "fair": {"fgsm": 0.3, "step_ll": 0.2}}))
    described = {"plain": PLAIN, "leaky": TRAINED, "fair": ArmDescription(method="step_ll", ordinary="plain")}
    table = single_attack_table(networks, described, ATTACKS, random)
    assert list(table.columns) == [
        *("arm", "method", "recipe", "leaks_possible", "width", "batch_norm", "constraint", "ordinary"),
        *("attack", "attack_kind", "iterated", "uses_true_label"),
        *("epsilon", "accuracy", "low", "high", "minimum", "maximum", "sd", "clean_accuracy", "clean_low", "clean_high"),
        *("leaking", "leaking_low", "leaking_high", "leaking_p", "leaking_p_holm", "seeds", "images"),
    ]
    assert len(table) == 3 * 2 * 2
    leaks = table.set_index(["arm", "attack", "epsilon"]).sort_index()
    for epsilon in EPSILONS:
        row = leaks.loc[("leaky", "fgsm", epsilon)]
        assert row["leaking"] == pytest.approx(0.1, abs=0.01)
        assert 0.05 < row["leaking_low"] < 0.1 < row["leaking_high"] < 0.15
        assert row["leaking_p_holm"] < 0.05
        assert leaks.loc[("leaky", "step_ll", epsilon), "leaking_high"] < 0
        assert leaks.loc[("fair", "fgsm", epsilon), "leaking_high"] < 0
        assert leaks.loc[("plain", "fgsm", epsilon), "leaking"] == pytest.approx(-0.4, abs=0.01)
        for attack in ATTACKS:
            here = table[(table["attack"] == attack) & (table["epsilon"] == epsilon)]
            assert np.allclose(here["leaking_p_holm"], multipletests(here["leaking_p"], method="holm")[1])
    plain = leaks.loc["plain"]
    assert plain["method"].isna().all()
    assert plain["ordinary"].isna().all()
    assert (leaks.loc["leaky", "method"] == "fgsm").all()
    assert leaks.loc["leaky", "leaks_possible"].all()


def test_numbers_of_known_values(random):
    low, high = np.full((2, 2, 30), 0.25), np.full((2, 2, 30), 0.75)
    networks = [result("plain", seed, correct, np.full(30, 0.5)) for seed, correct in ((1, high), (0, low))]
    row = single_attack_table(networks, {"plain": PLAIN}, ATTACKS, random).iloc[0]
    assert row[["accuracy", "minimum", "maximum", "sd", "clean_accuracy", "leaking"]].tolist() == pytest.approx([0.5, 0.25, 0.75, 0.125**0.5, 0.5, 0])
    assert row[["low", "high"]].tolist() == [0, 1]  # of two seeds next to nothing is known
    assert row[["clean_low", "clean_high"]].tolist() == pytest.approx([0.5, 0.5])
    assert row[["seeds", "images"]].tolist() == [2, 30]
    alone = single_attack_table(networks[:1], {"plain": PLAIN}, ATTACKS, random).iloc[0]
    assert np.isnan(alone["sd"])
    assert alone[["low", "high", "leaking_low", "leaking_high"]].tolist() == pytest.approx([0.75, 0.75, 0.25, 0.25])


def test_leaking_is_paired_by_image_and_network(random):
    networks = list(simulated(random, {"plain": {"fgsm": 0.45}}, deviation=0.1))
    row = single_attack_table(networks, {"plain": PLAIN}, ATTACKS, random).iloc[0]
    assert row["leaking_high"] - row["leaking_low"] < 0.1 * (row["high"] - row["low"])


def test_what_changes_nothing_is_no_leaking_and_no_gain(random):
    # Accuracies of which sums differ by rounding: their sign must not count as evidence.
    clean, described = random.random(97), {}
    for width in (0.5, 1.0, 3.0):
        described[f"plain_{width:g}"] = ArmDescription(width=width)
        described[f"trained_{width:g}"] = TRAINED.model_copy(update={"width": width, "ordinary": f"plain_{width:g}"})
    networks = [result(arm, seed, np.broadcast_to(clean, (2, 2, 97)), clean) for arm in described for seed in range(3)]
    leaking = single_attack_table(networks, described, ATTACKS, random)
    gains = adversarial_gains(networks, described, ATTACKS, random)
    slopes = capacity_slopes(networks, described, ATTACKS, random)
    assert (leaking[["leaking", "leaking_low", "leaking_high"]] == 0).all(axis=None)
    assert (leaking["leaking_p"] == 1).all()
    assert (gains[["gain", "low", "high", "clean_gain", "clean_low", "clean_high"]] == 0).all(axis=None)
    assert (gains["p"] == 1).all()
    columns = [name for name in slopes if "doubling" in name or name in ("low", "high")]
    assert (slopes[columns] == 0).all(axis=None)
    assert (slopes["p"] == 1).all()


def test_planted_gains_come_back(random):
    effects = {"plain": {}, "trained": {"fgsm": 0.3, "clean": -0.05}, "other": {"step_ll": 0.1}, "free": {"fgsm": 0.2}}
    networks = list(simulated(random, effects))
    other = ArmDescription(method="pgd", leaks_possible=True, batch_norm="separate", ordinary="plain")
    described = {"plain": PLAIN, "trained": TRAINED, "other": other, "free": TRAINED.model_copy(update={"ordinary": None})}
    table = adversarial_gains(networks, described, ATTACKS, random)
    assert list(table.columns) == [
        *("arm", "ordinary", "method", "recipe", "leaks_possible", "width", "batch_norm", "constraint", "attack", "attack_kind", "iterated"),
        *("uses_true_label", "epsilon", "ordinary_accuracy", "accuracy", "gain", "low", "high", "p", "p_holm"),
        *("clean_gain", "clean_low", "clean_high", "seeds", "images"),
    ]
    assert table.groupby("arm").size().to_dict() == {"trained": 4, "other": 4}
    gains = table.set_index(["arm", "attack", "epsilon"]).sort_index()
    for epsilon in EPSILONS:
        row = gains.loc[("trained", "fgsm", epsilon)]
        assert row["gain"] == pytest.approx(0.3, abs=0.02)
        assert row["gain"] == pytest.approx(row["accuracy"] - row["ordinary_accuracy"])
        assert 0.2 < row["low"] < 0.3 < row["high"] < 0.4
        assert row["p_holm"] < 0.05
        assert row["clean_gain"] == pytest.approx(-0.05, abs=0.02)
        assert row["clean_low"] < -0.05 < row["clean_high"]
        assert gains.loc[("trained", "step_ll", epsilon), "p"] > 0.05
        assert gains.loc[("other", "step_ll", epsilon), "low"] > 0
        here = table[(table["attack"] == "fgsm") & (table["epsilon"] == epsilon)]
        assert np.allclose(here["p_holm"], multipletests(here["p"], method="holm")[1])
    assert set(table["ordinary"]) == {"plain"}


def test_gains_are_the_differences_of_arms(random):
    networks = list(simulated(random, {"plain": {}, "trained": {"fgsm": 0.1}}))
    ours = adversarial_gains(networks, {"plain": PLAIN, "trained": TRAINED}, ATTACKS, random)
    with_majority = [n.assign(majority_correct=n["fraction_correct"], clean_majority_correct=n["clean_fraction_correct"]) for n in networks]
    for epsilon in EPSILONS:
        theirs = paired_differences(with_majority, random, epsilon=epsilon)
        here = ours[ours["epsilon"] == epsilon]
        np.testing.assert_allclose(here[["gain", "clean_gain"]], theirs[["difference", "clean_difference"]])
        width = (theirs["high"] - theirs["low"]).max()
        np.testing.assert_allclose(here[["low", "high", "clean_low"]], theirs[["low", "high", "clean_low"]], atol=0.15 * width)


def test_seeds_are_paired_where_they_are_the_same(random):
    # A seed's level is in both arms: pairing takes it away, and without it the interval is as wide as the seeds' spread.
    ease = random.normal(0, 0.05, 100)
    level = dict(enumerate((-0.1, 0.0, 0.1, 0.05)))

    def arms(shift):
        for seed, own in level.items():
            plain = 0.5 + ease + own
            yield result("plain", seed, np.broadcast_to(plain, (2, 2, 100)), plain)
            trained = plain + 0.2 + 0.01 * random.standard_normal(100)
            yield result("trained", seed + shift, np.broadcast_to(trained, (2, 2, 100)), trained)

    described = {"plain": PLAIN, "trained": TRAINED}
    paired, apart = (adversarial_gains(arms(shift), described, ATTACKS, random).iloc[0] for shift in (0, 10))
    assert paired["gain"] == pytest.approx(apart["gain"], abs=0.005)
    assert paired["high"] - paired["low"] < 0.05
    assert apart["high"] - apart["low"] > 0.2


@pytest.fixture
def widths() -> dict[str, ArmDescription]:
    """Three widths of adversarial training beside ordinary ones, one method at one width, one of another constraint at two."""
    arms = {}
    for width in (0.5, 1.0, 4.0):
        arms[f"plain_{width:g}"] = ArmDescription(width=width)
        arms[f"fgsm_{width:g}"] = ArmDescription(method="fgsm", leaks_possible=True, width=width, ordinary=f"plain_{width:g}")
    for width in (1.0, 2.0):
        arms[f"smooth_{width:g}"] = ArmDescription(width=width, constraint="spontaneous")
        arms[f"both_{width:g}"] = ArmDescription(
            method="fgsm", leaks_possible=True, width=width, constraint="spontaneous", ordinary=f"smooth_{width:g}"
        )
    arms["pgd_1"] = ArmDescription(method="pgd", leaks_possible=True, ordinary="plain_1")
    return arms


def test_planted_slopes_come_back(widths, random):
    effects = {}
    for name, arm in widths.items():
        doublings = np.log2(arm.width)
        effects[name] = {"fgsm": 0.02 * doublings, "step_ll": 0, "clean": 0.01 * doublings}
        if arm.method == "fgsm" and arm.constraint == "none":
            effects[name]["fgsm"] += 0.2 + 0.03 * doublings
            effects[name]["clean"] = -0.02
    networks = list(simulated(random, effects, deviation=0.002))
    table = capacity_slopes(networks, widths, ATTACKS, random)
    assert list(table.columns) == [
        *("method", "recipe", "batch_norm", "constraint", "attack", "attack_kind", "iterated", "epsilon", "widths"),
        *("per_doubling", "low", "high", "p"),
        *("ordinary_per_doubling", "ordinary_per_doubling_low", "ordinary_per_doubling_high"),
        *("adversarial_per_doubling", "adversarial_per_doubling_low", "adversarial_per_doubling_high", "seeds", "images"),
    ]
    assert table.groupby("constraint").size().to_dict() == {"none": 5, "spontaneous": 5}
    assert set(table["method"]) == {"fgsm"}
    assert table.groupby("constraint")["widths"].unique().map(list).to_dict() == {"none": [3], "spontaneous": [2]}
    slopes = table.set_index(["constraint", "attack", "epsilon"]).sort_index()
    row = slopes.loc[("none", "fgsm", 0.3)]
    for prefix, planted in (("per_doubling", 0.03), ("ordinary_per_doubling", 0.02), ("adversarial_per_doubling", 0.05)):
        limits = ("low", "high") if prefix == "per_doubling" else (f"{prefix}_low", f"{prefix}_high")
        assert row[prefix] == pytest.approx(planted, abs=0.006)
        assert 0 < row[limits[0]] < planted < row[limits[1]] < 0.08
    assert row["p"] < 0.05
    assert slopes.loc[("none", "step_ll", 0.3), "p"] > 0.05
    assert slopes.loc[("none", "clean", 0.0), "per_doubling"] == pytest.approx(-0.01, abs=0.006)
    assert slopes.loc[("none", "clean", 0.0), "attack_kind"] == "clean"
    assert slopes.loc[("spontaneous", "fgsm", 0.3), "p"] > 0.05

    gains = adversarial_gains(networks, widths, ATTACKS, random)
    here = gains[(gains["method"] == "fgsm") & (gains["constraint"] == "none") & (gains["attack"] == "fgsm") & (gains["epsilon"] == 0.3)]
    assert row["per_doubling"] == pytest.approx(np.polyfit(np.log2(here["width"].astype(float)), here["gain"], 1)[0])


def test_equal_images_give_the_students_interval_of_the_slope(random):
    # Where only seeds vary, the interval must be that of a t test on the slopes of single seeds: here with 4 degrees of freedom.
    gains = {0.5: [0.1, 0.12, 0.09, 0.14, 0.1], 2.0: [0.2, 0.25, 0.18, 0.22, 0.3]}
    networks, described = [], {}
    for width, by_seed in gains.items():
        described[f"plain_{width:g}"] = ArmDescription(width=width)
        described[f"trained_{width:g}"] = ArmDescription(method="fgsm", leaks_possible=True, width=width, ordinary=f"plain_{width:g}")
        for seed, gain in enumerate(by_seed):
            networks.append(result(f"plain_{width:g}", seed, np.full((2, 2, 20), 0.3), np.full(20, 0.9)))
            networks.append(result(f"trained_{width:g}", seed, np.full((2, 2, 20), 0.3 + gain), np.full(20, 0.9)))
    row = capacity_slopes(networks, described, ATTACKS, random, resamples=20_000).iloc[0]
    by_seed = (np.array(gains[2.0]) - np.array(gains[0.5])) / 2
    low, high = stats.t.interval(0.95, 4, by_seed.mean(), by_seed.std(ddof=1) / np.sqrt(5))
    assert row["per_doubling"] == pytest.approx(by_seed.mean())
    assert [row["low"], row["high"]] == pytest.approx([low, high], abs=0.15 * (high - low) / 2)
    assert row["adversarial_per_doubling"] == pytest.approx(by_seed.mean())
    assert row[["ordinary_per_doubling", "ordinary_per_doubling_low", "ordinary_per_doubling_high"]].tolist() == [0, 0, 0]


def test_tables_without_rows_have_their_columns(random):
    networks = list(simulated(random, {"plain": {}, "trained": {}}))
    described = {"plain": PLAIN, "trained": TRAINED.model_copy(update={"ordinary": None})}
    gains, slopes = (made(networks, described, ATTACKS, random) for made in (adversarial_gains, capacity_slopes))
    assert len(gains) == len(slopes) == 0
    full = adversarial_gains(networks, {"plain": PLAIN, "trained": TRAINED}, ATTACKS, random)
    assert list(gains.columns) == list(full.columns)
    assert len(capacity_slopes(networks, {"plain": PLAIN, "trained": TRAINED}, ATTACKS, random)) == 0  # one width


def test_the_same_generator_gives_the_same_tables(widths):
    networks = list(simulated(np.random.default_rng(0), {name: {} for name in widths}))
    for made in FUNCTIONS:
        first, again = (made(networks, widths, ATTACKS, np.random.default_rng(3)) for _ in range(2))
        assert first.equals(again)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"leaks_possible": True}, "leaks_possible"),
        ({"ordinary": "plain"}, "ordinary = 'plain'"),
        ({"method": "fgsm", "width": 0}, "width"),
        ({"batch_norm": "both"}, "batch_norm"),
        ({"methods": "fgsm"}, "did you mean 'method'"),
    ],
)
def test_descriptions_that_do_not_hang_together_are_refused(values, told):
    with pytest.raises(InputError, match=told) as caught:
        validate(ArmDescription, values, "spec")
    assert "\n" not in str(caught.value)


def test_bad_input_is_refused_in_one_line(random):
    networks = list(simulated(random, {"plain": {}, "trained": {}}, images=10))
    good = {"plain": PLAIN, "trained": TRAINED}
    for described, attacks, message in [
        ({"plain": PLAIN}, ATTACKS, "arms: 'trained' has results and no description"),
        (good, {"fgsm": FGSM()}, "attacks: 'step_ll' has results and no description"),
    ]:
        for made in FUNCTIONS:
            with pytest.raises(InputError, match=message) as caught:
                made(networks, described, attacks, random)
            assert "\n" not in str(caught.value)
    for ordinary, message in [
        ({"trained": TRAINED.model_copy(update={"ordinary": "plane"})}, "the ordinary arm 'plane' of 'trained' has no results"),
        ({"trained": TRAINED.model_copy(update={"width": 2.0})}, "width = 1.0"),
        ({"trained": TRAINED.model_copy(update={"constraint": "spontaneous"})}, "constraint = none"),
        ({"plain": ArmDescription(method="pgd", leaks_possible=True)}, "method = pgd"),
    ]:
        for made in (adversarial_gains, capacity_slopes):
            with pytest.raises(InputError, match=message) as caught:
                made(networks, good | ordinary, ATTACKS, random)
            assert "\n" not in str(caught.value)
    for made in FUNCTIONS:
        with pytest.raises(InputError, match="resamples = 50"):
            made(networks, good, ATTACKS, random, resamples=50)
        with pytest.raises(InputError, match="given twice"):
            made([*networks, networks[0]], good, ATTACKS, random)
        with pytest.raises(InputError, match="no results"):
            made([], good, ATTACKS, random)
