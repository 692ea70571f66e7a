"""Intervals that cover planted truths, and corrections that match independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from statsmodels.stats.multitest import multipletests

from yuragi.errors import InputError
from yuragi.robustness.statistics import paired_differences, summarise

EPSILONS = np.array([0.0, 0.1, 0.3])


def result(arm: str, seed: int, correct: np.ndarray, clean: np.ndarray | None = None, labels: np.ndarray | None = None) -> xr.Dataset:
    """An evaluation by hand: ``correct`` over (attack, epsilon, image)."""
    n_images = correct.shape[2]
    clean = correct[0, 0] if clean is None else clean
    return xr.Dataset(
        {
            "fraction_correct": (("attack", "epsilon", "image"), correct),
            "majority_correct": (("attack", "epsilon", "image"), correct > 0.5),
            "clean_fraction_correct": ("image", clean),
            "clean_majority_correct": ("image", clean > 0.5),
        },
        coords={
            "attack": ["pgd", "worst"][: len(correct)],
            "epsilon": EPSILONS[: correct.shape[1]],
            "image": np.arange(n_images),
            "label": ("image", np.zeros(n_images, int) if labels is None else labels),
            "arm": arm,
            "seed": seed,
        },
    )


def simulated(generator: np.random.Generator, effects: dict[str, float], *, seeds: int = 5, images: int = 200, seed_deviation: float = 0.05):
    """Networks whose accuracy is 0.6 + effect + a seed's deviation, on images that are easy or hard for all of them."""
    ease = generator.normal(0, 0.2, images)
    for arm, effect in effects.items():
        for seed in range(seeds):
            level = 0.6 + effect + seed_deviation * generator.standard_normal()
            noise = generator.normal(0, 0.1, (1, 3, images))
            yield result(arm, seed, level + ease - 0.5 * EPSILONS[None, :, None] + noise)


def test_summary_of_known_values(generator):
    low, high = np.full((2, 3, 40), 0.25), np.full((2, 3, 40), 0.75)
    table = summarise([result("plain", 0, low), result("plain", 1, high), result("noise", 0, high)], generator)
    assert len(table) == 2 * 2 * 3
    plain = table[table["arm"] == "plain"]
    assert np.allclose(plain[["accuracy", "minimum", "maximum", "sd", "clean_accuracy"]], [0.5, 0.25, 0.75, np.sqrt(0.125), 0.5])
    assert (plain["seeds"] == 2).all()
    assert (plain["images"] == 40).all()
    assert list(plain["epsilon"][:3]) == list(EPSILONS)
    alone = table[table["arm"] == "noise"]
    assert alone["sd"].isna().all()
    assert np.allclose(alone[["low", "high"]], 0.75)  # one seed and equal images: nothing varies


def test_majority_is_another_measure(generator):
    correct = np.full((1, 3, 10), 0.6)
    table = summarise([result("plain", 0, correct)], generator, measure="majority_correct")
    assert (table["accuracy"] == 1).all()


def test_one_seed_gives_the_binomial_interval(generator):
    n, p = 400, 0.3
    correct = np.zeros((1, 1, n))
    correct[..., : int(n * p)] = 1
    row = summarise([result("plain", 0, correct)], generator).iloc[0]
    half = 1.96 * np.sqrt(p * (1 - p) / n)
    assert np.allclose([row["low"], row["high"]], [p - half, p + half], atol=0.008)


def test_equal_images_give_the_student_interval(generator):
    # Where only seeds vary the interval must be the t interval: 4 degrees of freedom, quantile 2.776.
    levels = np.array([0.42, 0.46, 0.5, 0.53, 0.6])
    row = summarise([result("plain", s, np.full((1, 1, 20), level)) for s, level in enumerate(levels)], generator, resamples=20_000).iloc[0]
    half = 2.776 * levels.std(ddof=1) / np.sqrt(5)
    assert np.allclose([row["low"], row["high"]], [levels.mean() - half, levels.mean() + half], atol=0.15 * half)


def test_intervals_stay_in_the_range_of_accuracies(generator):
    table = summarise([result("plain", s, np.full((1, 1, 20), level)) for s, level in enumerate([0.9, 1.0])], generator)
    assert table["high"].item() == 1
    assert table["low"].item() >= 0


@pytest.mark.parametrize("seeds", [3, 5])
def test_false_alarms_are_as_rare_as_promised(seeds, generator):
    alarms, covered = [], []
    for _ in range(150):
        table = paired_differences(simulated(generator, {"plain": 0, "noise": 0}, seeds=seeds, images=50), generator, epsilon=0.1, resamples=400)
        alarms.append(table["p"].item() <= 0.05)
        covered.append(table["low"].item() <= 0 <= table["high"].item())
    assert np.mean(alarms) < 0.10  # 0.05 promised; 150 trials leave a standard error of 0.018
    assert np.mean(covered) > 0.90


def test_a_planted_difference_is_found(generator):
    effects = {"plain": 0, "noise": 0.2, "constraint": 0.0}
    networks = list(simulated(generator, effects, seed_deviation=0.02))
    for epsilon in (None, 0.3):
        table = paired_differences(networks, generator, epsilon=epsilon).set_index("arm")
        assert list(table.index) == ["noise", "constraint"]
        assert abs(table.loc["noise", "difference"] - 0.2) < 0.05
        assert table.loc["noise", "low"] > 0.1
        assert table.loc["noise", "p_holm"] < 0.05
        assert table.loc["constraint", "p_holm"] > 0.05
        assert abs(table.loc["noise", "clean_difference"] - 0.2) < 0.05
        assert table["epsilon"].isna().all() if epsilon is None else (table["epsilon"] == 0.3).all()
        assert np.allclose(table["p_holm"], multipletests(table["p"], method="holm")[1])


def test_area_under_the_curve(generator):
    # Accuracy 1 - ε against 1: the mean over 0 to 0.3 differs by 0.15, by trapezoids exactly.
    falling = np.broadcast_to((1 - EPSILONS)[None, :, None], (1, 3, 10))
    table = paired_differences([result("plain", 0, np.ones((1, 3, 10))), result("other", 0, falling)], generator)
    assert np.allclose(table[["difference", "low", "high"]], -0.15)
    assert np.allclose(table[["clean_difference", "clean_low", "clean_high"]], 0)


def test_pairing_removes_the_images_variance(generator):
    networks = list(simulated(generator, {"plain": 0, "noise": 0.05}, seeds=1, seed_deviation=0))
    paired = paired_differences(networks, generator, epsilon=0.1).iloc[0]
    single = summarise(networks, generator).query("arm == 'noise' and epsilon == 0.1").iloc[0]
    assert paired["high"] - paired["low"] < 0.8 * (single["high"] - single["low"])


def test_an_arm_against_its_own_copy(generator):
    networks = list(simulated(generator, {"plain": 0}))
    copies = [network.assign_coords(arm="copy") for network in networks]
    table = paired_differences(networks + copies, generator)
    assert (table["difference"] == 0).all()
    assert (table["p"] == 1).all()


def test_other_seeds_are_compared_without_pairing(generator):
    networks = list(simulated(generator, {"plain": 0, "noise": 0.2}))
    shifted = [n.assign_coords(seed=int(n["seed"]) + 100) if str(n["arm"].item()) == "noise" else n for n in networks]
    table = paired_differences(shifted, generator)
    assert abs(table["difference"].item() - 0.2) < 0.08
    assert table["low"].item() < 0.2 < table["high"].item()


def test_the_same_generator_gives_the_same_table(generator):
    networks = list(simulated(generator, {"plain": 0, "noise": 0.1}))
    for function in (summarise, paired_differences):
        first, again = (function(networks, np.random.default_rng(3)) for _ in range(2))
        assert first.equals(again)


def test_the_order_of_results_does_not_matter():
    networks = list(simulated(np.random.default_rng(0), {"plain": 0}))
    first, again = (summarise(order, np.random.default_rng(3)) for order in (networks, networks[::-1]))
    assert first.equals(again)


def test_bad_input(generator):
    good = result("plain", 0, np.ones((1, 3, 10)))
    other = result("noise", 0, np.ones((1, 3, 10)))
    for networks, message in [
        ([], "no results"),
        ([good.drop_vars("seed")], "lacks the scalar coordinate 'seed'"),
        ([good.drop_vars("arm")], "lacks the scalar coordinate 'arm'"),
        ([good, good], "arm 'plain', seed 0 is given twice"),
        ([good, result("noise", 0, np.ones((1, 3, 9)))], "has another 'image'"),
        ([good, result("noise", 0, np.ones((1, 2, 10)))], "has another 'epsilon'"),
        ([good, result("noise", 0, np.ones((2, 3, 10)))], "has another 'attack'"),
        ([good, result("noise", 0, np.ones((1, 3, 10)), labels=np.ones(10, int))], "has another 'label'"),
    ]:
        with pytest.raises(InputError, match=message):
            summarise(networks, generator)
    for arguments, message in [
        ({"reference": "plane"}, "arm 'plane' does not exist; did you mean 'plain'"),
        ({"epsilon": 0.2}, "epsilon = 0.2 was not evaluated; choose one of 0, 0.1, 0.3"),
        ({"level": 1.0}, "level"),
        ({"resamples": 50}, "resamples = 50"),
    ]:
        with pytest.raises(InputError, match=message):
            paired_differences([good, other], generator, **arguments)
    with pytest.raises(InputError, match="only the arm 'plain'"):
        paired_differences([good], generator)
    with pytest.raises(InputError, match="needs two ε or more"):
        paired_differences([good.isel(epsilon=[0]), other.isel(epsilon=[0])], generator)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(2)
