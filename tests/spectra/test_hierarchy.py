"""The control is right where the truth is known: sizes and noise make no difference survive, another exponent does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from yuragi.datasets.simulation import power_law_responses
from yuragi.errors import InputError
from yuragi.spectra.common_exponent import curves, expected, pairs
from yuragi.spectra.hierarchy import Design, compare_hierarchy
from yuragi.spectra.pca import pca_spectrum
from yuragi.spectra.power_law import fit_power_law

FAST = {"simulations": 8, "shuffles": 2, "bootstraps": 0}


def source(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def quiet_and_noisy(plant, second: float) -> dict[str, np.ndarray]:
    """Two stages of which the second has fewer units and stimuli, and much more noise: white noise makes its estimate too small."""
    return {"v1": plant(300, 60, strength=0.2, seed=1), "it": plant(200, 40, alpha=second, strength=4.0, seed=2)}


def test_what_noise_and_size_make_does_not_survive(plant) -> None:
    found = compare_hierarchy(quiet_and_noisy(plant, 1.0), ranks=(5, 35), estimator="pca", **FAST, generator=source())
    pair = found.pairs.iloc[0]
    assert pair["difference"] > 0.25
    assert not pair["survives"]
    assert pair["common_alpha"] == pytest.approx(1.0, abs=0.15)
    assert pair["explained"] == pytest.approx(pair["difference"], abs=0.1)
    assert "v1 - it: the difference of" in pair["sentence"]
    assert "does not survive" in pair["sentence"]
    stages = found.stages.set_index("stage")
    assert stages["alpha"].between(stages["expected_low"], stages["expected_high"]).all()
    assert (stages["common_alpha"] == stages["common_alpha"].iloc[0]).all()
    assert stages.loc["it", "signal_to_noise_ratio"] == pytest.approx(0.25, rel=0.2)
    assert stages.loc["it", ["units", "stimuli", "repeats", "missing_share"]].tolist() == [40, 200, 2, 0.0]


def test_another_exponent_survives(plant) -> None:
    stages = {"v1": plant(300, 60, strength=0.2, seed=1), "v2": plant(300, 60, strength=0.2, seed=3), "it": plant(300, 60, alpha=1.6, seed=2)}
    found = compare_hierarchy(stages, ranks=(5, 40), **FAST, generator=source())
    survives = {(row["first"], row["second"]): row["survives"] for _, row in found.pairs.iterrows()}
    assert survives == {("v1", "v2"): False, ("v1", "it"): True, ("v2", "it"): True}
    assert (found.pairs["p_holm"] >= found.pairs["p"]).all()
    assert "survives: no single exponent explains it" in found.pairs["sentence"][1]


def test_layers_of_a_network_have_one_repeat_and_no_noise(plant) -> None:
    layers = {"hidden1": plant(300, 50, repeats=1, strength=0.0, seed=1), "hidden2": plant(300, 30, alpha=1.6, repeats=1, strength=0.0, seed=2)}
    found = compare_hierarchy(layers, ranks={"hidden1": (3, 40), "hidden2": (3, 25)}, estimator="pca", **FAST, generator=source())
    assert set(found.control["noise"]) == {"none"}
    assert np.isinf(found.stages["signal_to_noise_ratio"]).all()
    assert found.stages["last_rank"].tolist() == [40, 25]
    assert found.pairs["survives"].tolist() == [True]


def test_few_units_of_a_population_are_flatter(plant) -> None:
    few = power_law_responses(
        stimuli=600, units=30, repeats=2, alpha=1.0, noise="signal", noise_to_signal=0.3, population=400, generator=source(3)
    ).responses
    stages = {"many": plant(300, 100, noise="signal", strength=0.3), "few": few}
    ranks = (2, 20)
    naive, told = (
        compare_hierarchy(stages, ranks=ranks, **FAST, population=population, generator=source()) for population in (None, {"many": 100, "few": 400})
    )
    assert naive.stages["alpha"][1] < naive.stages["alpha"][0] - 0.08
    assert told.pairs["p"][0] > 0.2
    assert naive.pairs["p"][0] < told.pairs["p"][0] / 4
    assert told.pairs["explained"][0] == pytest.approx(told.pairs["difference"][0], abs=0.12)
    assert told.stages["population"].tolist() == [100.0, 400.0]


def test_the_simulations_copy_the_design(plant) -> None:
    responses = xr.DataArray(plant(200, 30, repeats=3, strength=2.0), dims=("repeat", "stimulus", "unit"))
    responses[2, :100] = np.nan
    responses[1, 150, 4] = np.nan
    design = Design.of(responses, (3, 20), None)
    simulated = design.simulate(1.2, "white", source())
    np.testing.assert_array_equal(np.isnan(simulated), np.isnan(responses))
    again = Design.of(simulated, (3, 20), None)
    assert again.noise_to_signal == pytest.approx(design.noise_to_signal, rel=0.2)
    assert design.noise_to_signal == pytest.approx(2.0, rel=0.2)


def test_the_same_generator_gives_the_same_tables(plant) -> None:
    stages = {"a": plant(80, 30, seed=1), "b": plant(80, 30, seed=2)}
    before = {name: data.copy() for name, data in stages.items()}
    first, second = (
        compare_hierarchy(stages, ranks=(3, 20), exponents=(0.8, 1.2), simulations=3, shuffles=1, bootstraps=5, generator=source(7)) for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one, other)
    for name, data in stages.items():
        np.testing.assert_array_equal(data, before[name])
    assert sorted(first.control["alpha_true"].unique()) == [0.8, 1.2]
    assert first.stages["alpha_low"].lt(first.stages["alpha"]).all()


def by_hand(exponents: list[float], per_stage: dict[str, tuple[float, float, float]], simulations: int = 2000) -> pd.DataFrame:
    """Estimates offset + slope α with Gaussian scatter."""
    generator = source(5)
    rows = [
        (stage, "white", alpha, number, offset + slope * alpha + scatter * generator.standard_normal())
        for stage, (offset, slope, scatter) in per_stage.items()
        for alpha in exponents
        for number in range(simulations)
    ]
    return pd.DataFrame(rows, columns=["stage", "noise", "alpha_true", "simulation", "alpha_hat"])


def test_p_is_that_of_the_best_common_exponent() -> None:
    # Estimates 1.0 and 1.7 with deviations 0.1: the best common exponent of two unbiased stages is their mean, 3.5 deviations from both.
    found = curves(by_hand([0.5, 1.0, 1.5, 2.0], {"a": (0.0, 1.0, 0.1), "b": (0.0, 1.0, 0.1)}))
    stages = pd.DataFrame({"stage": ["a", "b"], "alpha": [1.0, 1.7], "alpha_low": np.nan, "alpha_high": np.nan})
    none = {"a": 0.0, "b": 0.0}
    pair = pairs(stages, found, none, 0.95).iloc[0]
    assert pair["common_alpha"] == pytest.approx(1.35, abs=0.03)
    assert pair["p"] == pytest.approx(stats.chi2.sf(2 * 3.5**2, 2), rel=1)
    # A wider interval over stimuli counts instead of the scatter: one deviation from both.
    wide = pairs(stages, found, {"a": 0.35, "b": 0.35}, 0.95).iloc[0]
    assert wide["p"] == pytest.approx(stats.chi2.sf(2, 2), rel=0.05)
    assert not wide["survives"]
    # A stage that shows 0.7 less than the truth explains the difference.
    biased = curves(by_hand([0.5, 1.0, 1.5, 2.0], {"a": (-0.7, 1.0, 0.1), "b": (0.0, 1.0, 0.1)}))
    explained = pairs(stages, biased, none, 0.95).iloc[0]
    assert (explained["common_alpha"], explained["explained"]) == pytest.approx((1.7, -0.7), abs=0.05)
    assert explained["p"] > 0.8
    shown = expected({"a": 1.0, "b": 1.7}, biased, none, 0.95).set_index("stage")
    assert shown.loc["a", "expected"] == pytest.approx(1.0, abs=0.05)
    assert shown.loc["b", "expected_high"] - shown.loc["b", "expected_low"] == pytest.approx(2 * 1.96 * 0.1, rel=0.05)


def test_few_simulations_count_as_few() -> None:
    """The mean and deviation of few draws are uncertain, and p is still right: uniform under the truth."""
    p = []
    for seed in range(400):
        generator = source(seed)
        rows = [("a", "white", alpha, number, alpha + 0.1 * generator.standard_normal()) for alpha in (1.0, 1.0001) for number in range(4)]
        rows += [("b", "white", alpha, number, alpha + 0.1 * generator.standard_normal()) for alpha in (1.0, 1.0001) for number in range(4)]
        found = curves(pd.DataFrame(rows, columns=["stage", "noise", "alpha_true", "simulation", "alpha_hat"]))
        observed = 1.0 + 0.1 * generator.standard_normal(2)
        stages = pd.DataFrame({"stage": ["a", "b"], "alpha": observed, "alpha_low": np.nan, "alpha_high": np.nan})
        p.append(pairs(stages, found, {"a": 0.0, "b": 0.0}, 0.95)["p"][0])
    assert np.mean(np.array(p) < 0.05) < 0.075


@pytest.mark.slow
def test_no_exponent_that_noise_makes_survives_by_chance(plant) -> None:
    """Twenty hierarchies of one true exponent: at a rate of 5 %, more than three would survive in 1.6 of 100 cases."""
    surviving = 0
    for seed in range(20):
        stages = {"a": plant(120, 40, noise="signal", strength=0.3, seed=seed), "b": plant(100, 30, noise="signal", strength=2.0, seed=100 + seed)}
        found = compare_hierarchy(stages, ranks=(4, 25), **FAST, exponents=(0.7, 1.0, 1.3), generator=source(seed))
        surviving += int(found.pairs["survives"].sum())
    assert surviving <= 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"simulations": 2}, "simulations: 2, expected at least 3"),
        ({"exponents": (1.0,)}, r"exponents: \[1.0\], expected two"),
        ({"ranks": {"a": (3, 20)}}, "ranks: nothing for the stage 'b', there are a; add it"),
    ],
)
def test_wrong_settings_are_refused(plant, wrong: dict[str, object], message: str) -> None:
    stages = {"a": plant(60, 30), "b": plant(60, 30)}
    with pytest.raises(InputError, match=message):
        compare_hierarchy(stages, **{"ranks": (3, 20), "generator": source()} | wrong)


def test_no_stage_is_refused() -> None:
    with pytest.raises(InputError, match="stages: there are none"):
        compare_hierarchy({}, generator=source())


def test_the_plain_estimate_of_a_layer_is_the_usual_one(plant) -> None:
    layer = plant(200, 40, repeats=1, strength=0.0)
    found = compare_hierarchy({"only": layer}, ranks=(3, 30), estimator="pca", exponents=(0.8, 1.2), **FAST, generator=source())
    assert found.stages["alpha"][0] == fit_power_law(pca_spectrum(layer), (3, 30)).alpha
    assert len(found.pairs) == 0
