"""The numbers behind the figures, against what was put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yuragi.errors import InputError
from yuragi.figures.base import Results, figures
from yuragi.files import read_netcdf, write_netcdf, write_table

from .conftest import ARMS, CONSTRAINED, RANKS, UNITS, memorised_after, only

Tables = dict[str, pd.DataFrame]


def test_spectra_are_shares_with_fits_and_truth(tables: Tables):
    table = tables["spectra"]
    planted = table[(table["recording"] == "planted") & (table["estimator"] == "cvpca")]
    assert np.isclose(planted["share_of_total_variance"].sum(), 1)
    assert np.isclose(planted["planted_share"].sum(), 1)
    assert (planted["planted_alpha"] == 1.02).all()
    inside = planted["rank"].between(*RANKS)
    assert planted["fitted_share"].notna().equals(inside)
    # The spectrum is an exact power law there, so the fit lies on it.
    assert np.allclose(planted["fitted_share"][inside], planted["share_of_total_variance"][inside])
    assert (planted["share_of_total_variance"] < 0).sum() == 3
    real = table[table["recording"] == "real"]
    assert real[["planted_share", "planted_alpha"]].isna().all(axis=None)


def test_spectra_name_the_stage_that_a_recording_gives(tables: Tables):
    found = tables["spectra"].groupby(["recording", "estimator"])["target_stages"].first()
    assert found["planted", "cvpca"] == "v1"
    assert (found.drop(("planted", "cvpca")) == "").all()


def test_calibration_keeps_every_estimate(tables: Tables, results: Results):
    table = tables["calibration"]
    estimates = pd.read_csv(results["estimates"][0])
    exponents = table[table["quantity"] == "exponent"]
    assert np.allclose(exponents["estimate"].astype(float), estimates["alpha_hat"])
    assert np.allclose((exponents["estimate"] - exponents["planted"]).astype(float), exponents["bias"].astype(float))
    assert np.allclose(exponents["low"].astype(float), estimates["alpha_low"], equal_nan=True)
    sums = table[table["quantity"] == "sum_of_pure_noise"]
    assert np.allclose(sums["estimate"].astype(float), pd.read_csv(results["pure_noise"][0])["sum"])
    assert sums["standard_error"].notna().all()
    assert (sums["planted"] == 0).all()


def test_calibration_counts_the_intervals_that_hold_the_truth(tables: Tables, results: Results):
    table, estimates = tables["calibration"], pd.read_csv(results["estimates"][0])
    coverage = table[table["quantity"] == "coverage"].set_index(["noise", "estimator"])
    assert (coverage["noise_to_signal"] == 0.25).all()  # where there are intervals
    with_intervals = estimates[estimates["noise_to_signal"] == 0.25]
    counted = with_intervals["alpha_true"].between(with_intervals["alpha_low"], with_intervals["alpha_high"])
    expected = counted.groupby([with_intervals["noise"], with_intervals["estimator"]]).mean()
    assert np.allclose(coverage["estimate"].astype(float).sort_index(), expected.sort_index())
    assert (coverage["low"] <= coverage["estimate"]).all()
    assert (coverage["simulations"] == 4).all()


def test_calibration_of_several_files_is_one(tables: Tables, results: Results, tmp_path: Path):
    halves = []
    for number, (_, rows) in enumerate(pd.read_csv(results["estimates"][0]).groupby("alpha_true")):
        halves.append(tmp_path / f"{number}.csv")
        write_table(rows, halves[-1])
    chosen = figures()["calibration"]
    table = chosen().table({"estimates": halves, "pure_noise": [*results["pure_noise"], *results["pure_noise"]]})
    assert (table["quantity"] == "coverage").sum() == (tables["calibration"]["quantity"] == "coverage").sum()
    sums, alone = (found[found["quantity"] == "sum_of_pure_noise"].reset_index() for found in (table, tables["calibration"]))
    assert np.allclose(sums["estimate"].astype(float), alone["estimate"].astype(float))
    assert np.allclose(sums["standard_error"].astype(float), alone["standard_error"].astype(float) / np.sqrt(2))
    assert (sums["simulations"] == 2 * alone["simulations"]).all()


def test_reliability_trusts_one_estimator_a_situation(tables: Tables):
    table = tables["reliability"]
    pooled = table[table["planted_alpha"].isna()]
    assert (pooled.groupby(["noise", "noise_to_signal"])["trusted"].sum() == 1).all()
    assert not table[table["planted_alpha"].notna()]["trusted"].any()
    assert (pooled["sentence"].notna() == pooled["trusted"]).all()


def test_autoregression_tells_the_fit_beside_the_comparison(tables: Tables):
    table = tables["autoregression"]
    assert list(table["recording"].unique()) == ["simulated_rest", "rest"]
    assert {"autocorrelation", "spatial_spectrum", "power_spectral_density"} <= set(table["statistic"])
    assert (table["low"] <= table["simulated"]).all()
    assert (table["simulated"] <= table["high"]).all()
    about = table.groupby("recording").first()
    assert about.loc["simulated_rest", "sampling_interval_s"] == 0.5
    assert np.isnan(about.loc["rest", "sampling_interval_s"])
    assert (about["variables"] == 4).all()


def test_autoregression_wants_a_model_for_every_comparison(results: Results):
    with pytest.raises(InputError, match=r"no model named 'rest' is given, there are simulated_rest; give --models with it"):
        figures()["autoregression"]().table({**results, "models": results["models"][:1]})


def test_recovery_judges_every_planted_value(tables: Tables):
    table = tables["recovery"].set_index("quantity")
    assert list(table.index) == ["alpha", "spectral_radius", "variance_ratio"]
    alpha = table.loc["alpha"]
    assert alpha[["planted", "recovered", "low", "high", "tolerance"]].astype(float).round(6).tolist() == [1.02, 1.0, 0.96, 1.03, 0.05]
    assert table.loc["alpha", "within_tolerance"]
    assert not table.loc["variance_ratio", "within_tolerance"]  # 1.08 for 1, and 5 % are allowed
    radius = table.loc["spectral_radius"]
    assert radius["planted"] == 0.8
    assert radius["within_tolerance"] == (abs(radius["recovered"] - 0.8) <= 0.02)


def test_what_is_undefined_is_not_recovered(results: Results, tmp_path: Path):
    broken = read_netcdf(results["spectra"][0])
    broken["variance_ratio"] = float("nan")
    write_netcdf(broken, tmp_path / "planted.nc")
    chosen = figures()["recovery"]
    table = chosen().table({**only(results, chosen), "spectra": [tmp_path / "planted.nc"]}).set_index("quantity")
    assert not table.loc["variance_ratio", "within_tolerance"]
    chosen().draw(table.reset_index())


def test_learned_exponents_are_those_of_the_layers(tables: Tables):
    table = tables["learned_spectra"]
    networks = table[table["source"] == "network"].groupby(["arm", "layer", "seed", "experiment"]).first()
    expected = {("plain", "hidden1"): 2.0, ("plain", "hidden2"): 4.0, ("both", "hidden1"): 1.0, ("both", "hidden2"): 2.0}
    for place, alpha in expected.items():
        assert np.allclose(networks.loc[place, "alpha"], alpha)
    # Every layer has one range, up to 99 % of the variance of its steepest network but three ranks at least; all spectra meet at its first rank.
    ranks = np.arange(1.0, UNITS + 1)
    shares = np.cumsum(ranks**-2.0) / (ranks**-2.0).sum()
    ends = table.groupby("layer")[["first_rank", "last_rank"]].agg(["min", "max"])
    assert ends.loc["hidden1"].tolist() == [11, 11, *[1 + int((shares < 0.99).sum())] * 2]
    assert ends.loc["hidden2"].tolist() == [11, 11, 13, 13]
    assert np.allclose(table[table["rank"] == table["first_rank"]]["relative_variance"], 1)


def test_the_target_is_a_line_of_its_own(tables: Tables):
    table = tables["learned_spectra"]
    law = table[(table["source"] == "target") & (table["experiment"] == "digits_cnn") & (table["layer"] == "hidden1")]
    assert (law["arm"] == "v1").all()
    assert law["seed"].isna().all()
    assert np.allclose(law["relative_variance"], (law["rank"] / 11.0) ** -law["alpha"])


def told(results: Results, path: Path, asked: tuple[str, str] = ("v1", "1.25")) -> Path:
    """Activity that tells what its penalties ask of each layer, as the job writes it."""
    layers = {"first_rank": [3, 5], "last_rank": [20, 0], "units": ["both", "channel"], "asked": list(asked)}
    data = read_netcdf(results["activity"][0]).assign_coords({name: ("layer", values) for name, values in layers.items()})
    write_netcdf(data, path)
    return path


def test_the_fit_covers_each_layers_penalised_ranks_and_shows_what_is_asked(results: Results, tmp_path: Path):
    chosen = figures()["learned_spectra"]
    table = chosen().table({"activity": [told(results, tmp_path / "told.nc")], "target": results["target"]})
    ranks = table.groupby("layer")[["first_rank", "last_rank"]].agg(["min", "max"])
    assert ranks.loc["hidden1"].tolist() == [3, 3, 20, 20]
    assert ranks.loc["hidden2"].tolist() == [5, 5, UNITS // 2, UNITS // 2]  # the layer's last
    asked = table[table["source"] == "target"].groupby("layer")[["arm", "alpha"]].first()
    assert asked.loc["hidden1", "arm"] == "v1"
    assert asked.loc["hidden2", "alpha"] == 1.25
    assert table.groupby("layer")["units"].first().tolist() == ["both", "channel"]
    chosen().draw(table)


def test_a_silent_layer_has_no_exponent(results: Results, tmp_path: Path):
    silent = read_netcdf(results["activity"][0])
    silent["spectrum"][0] = 0.0
    write_netcdf(silent, tmp_path / "silent.nc")
    chosen = figures()["learned_spectra"]
    table = chosen().table({"activity": [tmp_path / "silent.nc"]})
    first = table[(table["arm"] == "plain") & (table["seed"] == 0)]
    assert first[["alpha", "relative_variance"]].isna().all(axis=None)
    chosen().draw(table)


def test_a_narrow_layer_is_shown_without_an_exponent(results: Results, tmp_path: Path):
    narrow = read_netcdf(results["activity"][0]).isel(rank=slice(0, 2))
    write_netcdf(narrow, tmp_path / "narrow.nc")
    chosen = figures()["learned_spectra"]
    table = chosen().table({"activity": [tmp_path / "narrow.nc"]})
    assert table["alpha"].isna().all()
    assert (table["first_rank"] == 1).all()
    chosen().draw(table)


def test_robustness_is_the_summary_of_every_experiment(tables: Tables, results: Results):
    table = tables["robustness"]
    assert list(table["experiment"].unique()) == ["digits_perceptron", "digits_cnn"]
    written = pd.read_csv(results["robustness"][1])
    of_experiment = table[table["experiment"] == "digits_cnn"]
    for norm in ("linf", "l2"):  # here with the same numbers
        assert np.allclose(of_experiment[of_experiment["norm"] == norm]["accuracy"], written["accuracy"])
    assert (table["smallest_of_seeds"] <= table["accuracy"]).all()
    at_zero = table[table["epsilon_pixel_units"] == 0]
    assert np.allclose(at_zero["accuracy"], at_zero["clean_accuracy"])
    assert set(table["arm"]) == set(ARMS)


def test_differences_tell_areas_from_single_epsilons(tables: Tables):
    table = tables["differences"]
    assert set(table["arm"]) == set(ARMS) - {"plain"}
    assert (table["epsilon_pixel_units"].isna() == (table["over"] == "area")).all()
    area = table[(table["over"] == "area") & (table["attack"] == "worst")].groupby("arm")["difference"].mean()
    assert area.sort_values().index[-1] == "both"
    assert (table["p"] <= table["p_holm"]).all()


def test_one_experiment_without_another_arm_does_not_hide_the_rest(results: Results, bare: Results):
    chosen = figures()["differences"]
    together = chosen().table({"differences": [*bare["differences"], *results["differences"]]})
    alone = chosen().table({"differences": results["differences"]})
    pd.testing.assert_frame_equal(together, alone)


def test_learning_takes_the_penalty_out_of_the_loss(tables: Tables):
    table = tables["learning"]
    assert list(table["experiment"].unique()) == ["digits_perceptron", "digits_cnn"]
    assert sorted(table["seed"].unique()) == [0, 1, 2]
    assert set(table["arm"]) == set(ARMS)
    assert np.allclose(table["cross_entropy_nats"], 2.3 / table["epoch"])
    assert np.allclose(table["held_out_accuracy"], table["train_accuracy"] - 0.1)


def test_learning_keeps_hyphens_of_an_arm(results: Results, tmp_path: Path):
    path = tmp_path / "digits/two-seed-arm-seed12.history.csv"
    write_table(pd.read_csv(results["histories"][0]), path)
    table = figures()["learning"]().table({"histories": [path]})
    assert table.loc[0, ["experiment", "arm", "seed"]].tolist() == ["digits", "two-seed-arm", 12]


@pytest.mark.parametrize(
    ("kind", "wanted", "content", "message"),
    [
        (
            "robustness",
            "robustness",
            "arm,attack\nplain,pgd\n",
            "the column 'epsilon' is missing, there are arm, attack; give the file of another step",
        ),
        ("robustness", "robustness", "", r"cannot be read as CSV \(No columns to parse from file\); make it again"),
        ("learning", "histories", "epoch,loss,penalty,train_accuracy\n1,1,0,1\n", "the name does not tell arm and seed; call it"),
    ],
)
def test_a_wrong_file_is_named(kind: str, wanted: str, content: str, message: str, tmp_path: Path):
    (tmp_path / "file.csv").write_text(content)
    with pytest.raises(InputError, match=rf"file\.csv: {message}"):
        figures()[kind]().table({wanted: [tmp_path / "file.csv"]})


def test_memorisation_stands_beside_robustness(tables: Tables, results: Results):
    table = tables["memorisation"]
    assert list(table["experiment"].unique()) == ["digits_perceptron", "digits_cnn"]
    assert list(dict.fromkeys(table["arm"])) == list(ARMS)
    row = table.set_index(["experiment", "arm", "random_labels"]).loc[("digits_cnn", "white", 1.0)]
    # Straight rises from 0 to the end: the mean is half of it.
    ends = np.array([memorised_after("white", seed, 1.0)[-1] for seed in (0, 1, 2)])
    assert row["memorised_final"] == pytest.approx(ends.mean())
    assert row["memorised_area"] == pytest.approx(ends.mean() / 2)
    reach = 4.302653 * (ends / 2).std(ddof=1) / np.sqrt(3)  # Student's t with two degrees of freedom
    assert row["memorised_area_high"] == pytest.approx(ends.mean() / 2 + reach, abs=1e-6)
    # Seed 0 ends at 0.7, half of which is reached where the rise passes 0.5 / 0.7 of ten epochs.
    first = [int(np.argmax(memorised_after("white", seed, 1.0) >= 0.5)) + 1 for seed in (0, 1, 2)]
    assert row["epochs_to_half"] == np.mean(first)
    assert np.isnan(row["epochs_to_90"])
    assert row["seeds_that_reach_90"] == 1
    written = pd.read_csv(results["robustness"][1])
    attacked = written[(written["arm"] == "white") & (written["attack"] == "worst") & (written["epsilon"] > 0)]
    assert row["robust_accuracy"] == pytest.approx(attacked["accuracy"].mean())
    assert row["robust_low"] == pytest.approx(attacked["low"].mean())
    assert row["clean_accuracy"] == pytest.approx(attacked["clean_accuracy"].iloc[0])


def test_arms_without_one_of_the_two_measurements_stay_in_the_table(results: Results):
    chosen = figures()["memorisation"]
    without = [path for path in results["memorisation"] if not path.name.startswith("both")]
    table = chosen().table({**only(results, chosen), "memorisation": without})
    lacking = table[table["arm"] == "both"]
    assert lacking["memorised_area"].isna().all()
    assert lacking["robust_accuracy"].notna().all()
    chosen().draw(table)


def test_a_fraction_that_was_not_trained_is_refused(tables: Tables):
    with pytest.raises(InputError, match=r"fraction of random labels '0\.25' does not exist.*Known: 0\.5, 1"):
        figures()["memorisation"](random_labels=0.25).draw(tables["memorisation"])


def test_robustness_without_the_strongest_attack_is_refused(results: Results, tmp_path: Path):
    written = pd.read_csv(results["robustness"][0])
    write_table(written[written["attack"] != "worst"], tmp_path / "digits.csv")
    with pytest.raises(InputError, match=r"digits\.csv: no row of the attack 'worst' with ε above 0"):
        figures()["memorisation"]().table({**results, "robustness": [tmp_path / "digits.csv"]})


def test_memorisation_curves_are_whole(tables: Tables):
    table = tables["memorisation_curves"]
    assert len(table) == 2 * len(ARMS) * 3 * 2 * 10
    one = table[(table["experiment"] == "digits_cnn") & (table["arm"] == "both") & (table["seed"] == 2) & (table["random_labels"] == 0.5)]
    assert np.allclose(one["memorised"], memorised_after("both", 2, 0.5))


def test_a_curve_with_a_gap_is_refused(results: Results, tmp_path: Path):
    path = tmp_path / "digits/plain-seed0.csv"
    write_table(pd.read_csv(results["memorisation"][0]).query("epoch != 4"), path)
    with pytest.raises(InputError, match="an epoch is missing or given twice; give the whole curve"):
        figures()["memorisation"]().table({**results, "memorisation": [path]})


def test_constraints_are_followed_where_a_penalty_reports(results: Results, tmp_path: Path):
    histories = [path for path in results["histories"] if path.parent.name == "digits_perceptron"]
    activity = told(results, tmp_path / "digits_perceptron.nc")
    table = figures()["constraint"]().table({"histories": histories, "activity": [activity], "target": results["target"]})
    assert set(table["arm"]) == set(CONSTRAINED)
    assert np.allclose(table["alpha"], 1 + 1 / table["epoch"])
    assert np.allclose(table["weight"], 10.0 ** table["epoch"])
    assert np.allclose(table["asked_alpha"], 1.0)  # the exponent of v1
    unknown = figures()["constraint"]().table({"histories": histories})
    assert unknown["asked_alpha"].isna().all()


def test_each_arm_is_shown_beside_the_exponent_that_it_was_asked_for(results: Results, tmp_path: Path):
    """Two penalties of one experiment may ask one layer for different exponents."""
    activity = told(results, tmp_path / "digits_perceptron.nc", asked=("v1, 1.25", ""))
    histories = []
    for path in (path for path in results["histories"] if path.parent.name == "digits_perceptron"):
        history = pd.read_csv(path)
        if path.name.startswith(CONSTRAINED[0]):
            history["hidden1_asked"] = 1.25
        histories.append(tmp_path / "digits_perceptron" / path.name)
        write_table(history, histories[-1])
    given = {"histories": histories, "activity": [activity], "target": results["target"]}
    followed = figures()["constraint"]().table(given).groupby("arm")["asked_alpha"].first()
    assert followed[CONSTRAINED[0]] == 1.25
    traded = figures()["trade_off"]().table(given).query("layer == 'hidden1'").groupby("arm")["asked_alpha"].first()
    assert traded[CONSTRAINED[0]] == 1.25
    assert np.isnan(traded["plain"])
    laws = figures()["learned_spectra"]().table({**given, "activity": [activity]}).query("source == 'target'").groupby("arm")["alpha"].first()
    assert laws.to_dict() == {"asked": 1.25, "v1": pytest.approx(1.0)}


def test_the_trade_off_is_every_networks(results: Results, tmp_path: Path):
    activity = told(results, tmp_path / "digits_cnn.nc")
    chosen = figures()["trade_off"]
    table = chosen().table({**only(results, chosen), "activity": [activity]}).set_index(["layer", "arm", "seed"])
    plain, other = table.loc[("hidden1", "plain", 1)], table.loc[("hidden2", "both", 2)]
    assert (plain["alpha"], other["alpha"]) == (pytest.approx(2.0), pytest.approx(2.0))
    assert plain["held_out_accuracy"] == pytest.approx(1 - 0.5 / 5 + 0.01 - 0.1)
    assert (plain["asked"], plain["asked_alpha"]) == ("v1", pytest.approx(1.0))
    assert other["asked_alpha"] == 1.25
    assert len(table) == 2 * len(ARMS) * 3


def test_properties_stand_relative_to_the_plain_arm(tables: Tables, results: Results):
    table = tables["properties"]
    margin = table[(table["property"] == "margin_median") & (table["arm"] == "both") & (table["experiment"] == "digits_cnn")]
    assert margin["seed"].tolist() == [0, 1, 2]
    assert np.allclose(margin["value"].astype(float), [2.0, 2.2, 2.4])
    assert np.allclose(margin["mean"], 2.2)
    assert np.allclose(margin["relative_to_plain"], 2.0)
    assert np.allclose(margin["high"] - margin["mean"], 4.302653 * 0.2 / np.sqrt(3), atol=1e-5)
    assert table[table["property"] == "gradient_l2"]["relative_to_plain"].isna().all()  # the plain arm's is 0
    robust = table[(table["property"] == "robust_accuracy") & (table["experiment"] == "digits_cnn")].set_index("arm")
    written = pd.read_csv(results["robustness"][1]).query("attack == 'worst' and epsilon > 0").groupby("arm")["accuracy"].mean()
    assert np.allclose(robust["mean"], written[robust.index])


def test_the_choice_is_marked(tables: Tables):
    chosen = tables["choice"].query("chosen")
    assert set(zip(chosen["learning_rate"], chosen["epoch"], strict=True)) == {(1e-3, 3)}
    assert np.allclose(chosen["mean_validation_accuracy"], 0.91)
    assert len(chosen) == 2 * 3


def test_null_models_keep_recordings_and_their_group_apart(tables: Tables, results: Results):
    table = tables["nulls"]
    single, group = table[table["scope"] == "recording"], table[table["scope"] == "group"]
    assert list(dict.fromkeys(single["name"])) == ["subject_1", "subject_2", "subject_3"]
    assert group["name"].unique().tolist() == ["all"]
    assert (group["recordings"] == 3).all()
    medians = single.groupby(["null", "statistic"])["z"].median()
    written = group.set_index(["null", "statistic"])["z"]
    assert np.allclose(written, medians.loc[written.index])
    # Memory is what a static null model cannot have, and what random phases keep.
    memory = single[single["statistic"] == "low_frequencies"].set_index(["null", "name"])["z"]
    assert (memory["static"] > 3).all()
    assert (memory["phase"] == 0).all()


def test_similarities_stand_below_their_ceiling_in_the_same_units(tables: Tables, results: Results):
    table = tables["patterns"]
    assert table["recording"].unique().tolist() == ["subject_1", "subject_2", "subject_3"]
    row = table.set_index(["recording", "null"]).loc[("subject_2", "phase")]
    found = pd.read_csv(results["similarities"][1]).set_index("null").loc["phase"]
    assert row["similarity"] == found["similarity"]
    assert row["below_ceiling"] == pytest.approx(found["ceiling"] - found["similarity"])


def test_predictions_are_means_over_held_out_parts_beside_the_best_other_model(tables: Tables, results: Results):
    table = tables["prediction"]
    one = table[(table["scope"] == "recording") & (table["name"] == "subject_2")].set_index("model")
    found = pd.read_csv(results["predictions"][1])
    by_hand = (found["log_density"] / found["variables"]).groupby(found["model"]).mean()
    assert one["log_density"].to_dict() == pytest.approx(by_hand.to_dict())
    assert one["ahead"]["own_past"] == pytest.approx(by_hand["own_past"] - by_hand["mean"])
    assert one["ahead"].sum() == pytest.approx(0)
    group = table[table["scope"] == "group"]
    assert group["model"].tolist() == ["own_past", "mean"]
    assert group["best_in"].tolist() == [3, 0]


def test_rejection_rates_name_their_process(tables: Tables):
    table = tables["rejection"]
    assert table["source"].unique().tolist() == ["static"]
    assert "any" in set(table["statistic"])
    assert (table["nominal"] == 0.05).all()
