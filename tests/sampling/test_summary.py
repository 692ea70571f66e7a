"""Planted accuracies, differences and chains, and what the tables say of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.sampling import Learning, SamplingSettings, Synapses
from yuragi.sampling.images import BinaryImages, Part
from yuragi.sampling.learning import Posterior
from yuragi.sampling.summary import accuracies, comparisons, logistic_regression, mixing_message, mixing_table, require_arms

IMAGES = 300
PLANTED = {"sampled": 0.9, "fixed_hidden": 0.7, "twin": 0.95}


def predicted(arm: str, seed: int, accuracy: float, images: int = IMAGES) -> xr.Dataset:
    """Exactly this share of images right, others in other arms; single states are right half as often."""
    correct = np.random.default_rng([seed, len(arm)]).permutation(images) < round(accuracy * images)
    return xr.Dataset(
        {"correct": ("image", correct), "single_correct": ("image", correct / 2)},
        coords={"label": ("image", np.arange(images) % 10), "arm": arm, "seed": seed},
    )


@pytest.fixture
def networks() -> list[xr.Dataset]:
    found = [predicted(arm, seed, accuracy + 0.01 * seed) for arm, accuracy in PLANTED.items() for seed in (0, 1, 2)]
    return [*found, predicted("logistic_regression", 0, 0.8)]


def test_planted_accuracies_are_recovered(networks):
    table = accuracies(networks, np.random.default_rng(0), resamples=800).set_index(["arm", "prediction"])
    for arm, accuracy in PLANTED.items():
        row = table.loc[(arm, "posterior_mean")]
        assert row["accuracy"] == pytest.approx(accuracy + 0.01)
        assert (row["minimum"], row["maximum"]) == pytest.approx((accuracy, accuracy + 0.02))
        assert row["low"] < row["accuracy"] < row["high"]
        assert row["high"] - row["low"] < 0.15
        assert (row["seeds"], row["images"]) == (3, IMAGES)
        assert table.loc[(arm, "single_state"), "accuracy"] == pytest.approx((accuracy + 0.01) / 2)
    assert table.loc[("logistic_regression", "posterior_mean"), "seeds"] == 1
    assert len(table) == 8


def test_differences_are_the_exact_posteriors_minus_the_others(networks):
    table = comparisons(networks, np.random.default_rng(0), resamples=800).set_index(["arm", "prediction"])
    assert set(table.index.get_level_values("arm")) == {"fixed_hidden", "twin", "logistic_regression"}
    for (arm, prediction), row in table.iterrows():
        other = 0.8 if arm == "logistic_regression" else PLANTED[arm] + 0.01
        assert row["difference"] == pytest.approx((PLANTED["sampled"] + 0.01 - other) / (2 if prediction == "single_state" else 1))
        assert row["low"] < row["difference"] < row["high"]
    better, worse = (table.loc[(arm, "posterior_mean")] for arm in ("fixed_hidden", "twin"))
    assert better["low"] > 0
    assert worse["difference"] < 0
    assert better["p_holm"] < 0.05
    assert worse["high"] < 0.02


def test_equal_arms_differ_by_nothing():
    same = [predicted("sampled", seed, 0.8).assign_coords(arm=arm) for arm in ("sampled", "tempered") for seed in (0, 1, 2)]
    row = comparisons(same, np.random.default_rng(0), resamples=400).set_index("prediction").loc["posterior_mean"]
    assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)
    assert row["p_holm"] == 1


def test_with_nothing_to_compare_there_is_a_header(networks):
    table = comparisons(networks[:3], np.random.default_rng(0))
    assert len(table) == 0
    assert {"arm", "difference", "p_holm"} <= set(table)


def test_the_exact_posterior_has_to_be_there():
    require_arms(["twin", "sampled"])
    with pytest.raises(InputError, match="none of the arm 'sampled'"):
        require_arms(["twin"])


def chain(traces: dict[str, np.ndarray], **options) -> Posterior:
    """Samples with these traces; the synapses say nothing."""
    settings = SamplingSettings(layers=(2, 2), signs=options.pop("signs", "free"))
    synapses = Synapses.from_prior(settings, np.random.default_rng(0))
    number = len(next(iter(traces.values())))
    return Posterior(synapses, tuple(np.repeat(counts[None], number, axis=0) for counts in synapses.counts), np.arange(number), traces, **options)


def chains(arm: str, shift: float, *, outputs: float = 0.0, seeds: int = 3, **options) -> tuple[dict[str, list[Posterior]], list[xr.Dataset]]:
    """Chains of independent draws, whose last one is shifted in one summary, and in one image's score."""
    generator = np.random.default_rng(4)
    posteriors, scores = [], []
    for seed in range(seeds):
        last = seed == seeds - 1
        draws = generator.standard_normal((3, 2000))
        posteriors.append(chain({"log_units": draws[0], "activity": draws[1] + shift * last, "log_synapses": np.full(2000, -3.0)}, **options))
        true = generator.standard_normal((2000, 6)) + np.array([outputs * last, 0, 0, 0, 0, 0])
        scores.append(xr.Dataset({"true_class": (("sample", "followed"), true)}, coords={"arm": arm, "seed": seed}))
    return {arm: posteriors}, scores


def test_chains_that_have_mixed_pass():
    table = mixing_table(*chains("sampled", 0.0))
    assert set(table["summary"]) == {"log_units", "activity", "output_median", "output_largest"}, "what never varies says nothing"
    assert table["mixed"].all()
    assert (table["r_hat"] < 1.01).all()
    assert table[["chains", "samples"]].drop_duplicates().values.tolist() == [[3, 2000]]
    assert mixing_message(table).startswith("sampled: the chains have mixed: R-hat at most 1.00")


@pytest.mark.parametrize(
    ("shift", "outputs", "told"), [(2.0, 0.0, {"activity"}), (0.0, 2.0, {"output_largest"}), (2.0, 2.0, {"activity", "output_largest"})]
)
def test_chains_that_have_not_mixed_are_told_by_what_shows_it(shift, outputs, told):
    table = mixing_table(*chains("sampled", shift, outputs=outputs))
    assert set(table.loc[~table["mixed"], "summary"]) == told
    message = mixing_message(table)
    assert message.startswith("sampled: the chains have not mixed: R-hat ")
    for name in ("activity", "log_units", "output_median", "output_largest"):
        assert (f"{name} 1." in message) == (name in told)
    assert "\n" not in message
    assert table["r_hat"].max() > 1.1


def test_the_message_is_of_the_exact_posterior_alone():
    good, bad = chains("sampled", 0.0), chains("tempered", 3.0, learning=Learning(temper=3))
    table = mixing_table(good[0] | bad[0], [*good[1], *bad[1]])
    assert not table.loc[table["arm"] == "tempered", "mixed"].all()
    assert "have mixed" in mixing_message(table)


@pytest.mark.parametrize("options", [{"learning": Learning(plastic="outputs")}, {"signs": "presynaptic"}, {"seeds": 1}], ids=str)
def test_seeds_that_are_no_chains_of_one_distribution_are_left_out(options):
    table = mixing_table(*chains("sampled", 3.0, **options))
    assert len(table) == 0
    assert "no two chains of one distribution" in mixing_message(table)


def test_posteriors_without_predictions_and_unequal_chains_are_told():
    posteriors, scores = chains("sampled", 0.0)
    with pytest.raises(InputError, match="predictions: 2 of the arm 'sampled', which has 3 posteriors"):
        mixing_table(posteriors, scores[:2])
    cut = {"sampled": [posteriors["sampled"][0].latest(9), *posteriors["sampled"][1:]]}
    with pytest.raises(InputError, match=r"posteriors of the arm 'sampled': .*9, 2000"):
        mixing_table(cut, scores)
    for dimension in ("sample", "followed"):
        with pytest.raises(InputError, match=r"--predictions: .* of the arm 'sampled' are .*equally many"):
            mixing_table(posteriors, [scores[0].isel({dimension: slice(5)}), *scores[1:]])


def test_logistic_regression_reads_what_is_linear_and_not_a_parity():
    generator = np.random.default_rng(0)
    bits = generator.integers(0, 2, (3, 200, 6)).astype(np.uint8)

    def learned(labels: np.ndarray) -> xr.Dataset:
        parts = [Part(values, told.astype(np.int64)) for values, told in zip(bits, labels, strict=True)]
        return logistic_regression(BinaryImages(*parts, 2, (1, 2, 3)))

    linear, parity = learned(bits[:, :, 0]), learned(bits[:, :, :2].sum(axis=2) % 2)
    assert linear["correct"].all()
    assert parity["correct"].mean() < 0.7
    np.testing.assert_array_equal(linear["single_correct"], linear["correct"])


def test_tables_of_no_chain_are_empty():
    assert len(mixing_table({}, [])) == 0
    assert list(mixing_table({}, [])) == ["arm", "summary", "r_hat", "mixed", "chains", "samples"]
    assert isinstance(mixing_message(pd.DataFrame(columns=["arm", "summary", "r_hat", "mixed"])), str)
