"""The figures of accuracies and of learning by sampling, against what was put in."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yuragi.errors import InputError
from yuragi.figures.sampling_accuracy import SamplingAccuracy
from yuragi.figures.sampling_learning import SamplingLearning
from yuragi.figures.style import save

from .sampling_results import ARMS, IMAGES, R_HAT, write_sampling

Written = dict[str, list[Path]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A whole study, and one of a single seed without controls."""
    folder = tmp_path_factory.mktemp("sampling")
    studies = (write_sampling(folder, "digits"), write_sampling(folder, "small", ("sampled",), (0,)))
    return {kind: [path for study in studies for path in study[kind]] for kind in studies[0]}


def texts(drawing) -> list[str]:
    return [text.get_text() for part in drawing.subfigs for axis in part.axes for text in axis.texts]


def test_accuracies_differences_and_r_hat_are_in_one_table(written: Written):
    table = SamplingAccuracy().table(written).set_index(["study", "arm", "prediction"])
    for arm, accuracy in ARMS.items():
        row = table.loc[("digits", arm, "posterior_mean")]
        assert row["accuracy"] == pytest.approx(accuracy + 0.01)
        assert table.loc[("digits", arm, "single_state"), "accuracy"] == pytest.approx(0.9 * (accuracy + 0.01))
        if arm == "sampled":
            assert np.isnan(row["sampled_minus_arm"])
            assert row["r_hat_largest"] == max(R_HAT.values())
        else:
            assert row["sampled_minus_arm"] == pytest.approx(ARMS["sampled"] - accuracy)
            assert row["difference_low"] < row["sampled_minus_arm"] < row["difference_high"]
            assert np.isnan(row["r_hat_largest"])
    assert len(table) == 2 * (len(ARMS) + 1) + 2 * 2
    assert np.isnan(table.loc[("small", "sampled", "posterior_mean"), "r_hat_largest"])


def test_the_drawing_says_what_the_table_holds(written: Written, tmp_path: Path):
    SamplingAccuracy().table(written).to_csv(tmp_path / "table.csv", index=False)
    drawing = SamplingAccuracy().draw(pd.read_csv(tmp_path / "table.csv"))
    titles = [part.axes[0].get_title("left") or part.get_suptitle() for part in drawing.subfigs]
    assert any(f"3 seeds, {IMAGES} test images; largest R-hat of the exact posterior's chains 1.31" in title for title in titles), titles
    assert any("1 seed, " in title and "R-hat" not in title for title in titles), titles
    shown = texts(drawing)
    assert {"0.910", "0.810", "0.960", "0.750"} <= set(shown)
    assert {"+10.0", "-5.0", "+16.0"} <= set(shown)
    left, right = drawing.subfigs[0].axes[:2]
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == [
        "exact posterior",
        "hidden synapses fixed, units feel labels",
        "hidden synapses fixed, units do not",
        "tempered 5",
        "twin trained by gradients",
        "logistic regression",
    ]
    places = dict(zip(names, left.get_yticks(), strict=True))
    marks = {round(line.get_ydata()[0], 6): line.get_xdata()[0] for line in right.lines if len(line.get_ydata()) == 1}
    assert marks[places["twin trained by gradients"]] == pytest.approx(-5)
    assert marks[places["hidden synapses fixed, units do not"]] == pytest.approx(20)
    assert places["exact posterior"] not in marks


def test_results_without_r_hat_are_drawn(written: Written, tmp_path: Path):
    for number, results in enumerate([{k: v for k, v in written.items() if k != "sampling_mixing"}, {k: v[-1:] for k, v in written.items()}]):
        table = SamplingAccuracy().table(results)
        assert table["r_hat_largest"].isna().all()
        table.to_csv(tmp_path / "table.csv", index=False)
        save(SamplingAccuracy().draw(pd.read_csv(tmp_path / "table.csv")), tmp_path / f"{number}.svg")
        assert (tmp_path / f"{number}.svg").stat().st_size > 1000


def test_histories_are_lines_of_the_mean_over_seeds(written: Written, tmp_path: Path):
    table = SamplingLearning().table(written)
    assert set(table["study"]) == {"digits", "small"}
    assert set(table.loc[table["study"] == "digits", "arm"]) == {arm for arm in ARMS if arm != "twin"}
    assert set(table["seed"]) == {0, 1, 2}
    table.to_csv(tmp_path / "table.csv", index=False)
    for name in ("one.svg", "two.svg"):
        drawing = SamplingLearning().draw(pd.read_csv(tmp_path / "table.csv"))
        save(drawing, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    mean, single = drawing.subfigs[0].axes[:2]
    lines = {line.get_label(): line for line in mean.lines}
    assert lines["exact posterior"].get_ydata()[-1] == pytest.approx((ARMS["sampled"] + 0.01) * (1 - np.exp(-100 / 30)))
    assert lines["tempered 5"].get_xdata().tolist() == list(range(10, 101, 10))
    below = next(line for line in single.lines if line.get_label() == "exact posterior")
    np.testing.assert_allclose(below.get_ydata(), lines["exact posterior"].get_ydata() - 0.1)
    assert len(drawing.subfigs[1].axes[0].lines) == 1


@pytest.mark.parametrize(
    ("figure", "kind", "column"),
    [
        (SamplingAccuracy, "sampling_accuracy", "prediction"),
        (SamplingAccuracy, "sampling_claims", "difference"),
        (SamplingAccuracy, "sampling_mixing", "r_hat"),
        (SamplingLearning, "sampling_histories", "mean_accuracy"),
    ],
)
def test_files_of_other_steps_are_refused(figure, kind, column, written: Written, tmp_path: Path):
    pd.read_csv(written[kind][0]).drop(columns=column).to_csv(tmp_path / "sampled-seed0.history.csv", index=False)
    with pytest.raises(InputError, match=f"the column '{column}' is missing"):
        figure().table(written | {kind: [tmp_path / "sampled-seed0.history.csv"]})


def test_histories_without_a_seed_in_their_name_are_refused(written: Written, tmp_path: Path):
    with pytest.raises(InputError, match="does not tell arm and seed"):
        SamplingLearning().table({"sampling_histories": [Path(shutil.copy(written["sampling_histories"][0], tmp_path / "sampled.csv"))]})
