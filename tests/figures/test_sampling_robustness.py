"""The figure of sampling networks under attack, against what was put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yuragi.figures._sampling_arms import in_order, looks
from yuragi.figures.sampling_robustness import SamplingRobustness
from yuragi.figures.style import save

from .sampling_robustness_results import ARMS, ATTACKS, write_sampling_robustness


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("robustness")
    found = SamplingRobustness().table(write_sampling_robustness(folder, "digits"))
    found.to_csv(folder / "table.csv", index=False)
    return pd.read_csv(folder / "table.csv")


def test_the_table_holds_accuracies_and_differences(table: pd.DataFrame) -> None:
    accuracies, over_all = table[table["epsilon_pixel_units"].notna()], table[table["epsilon_pixel_units"].isna()]
    assert len(accuracies) == 3 * 4 * len(ATTACKS) * 3
    assert len(over_all) == 3 * 3 * len(ATTACKS)
    row = accuracies[(accuracies["readout"] == "mean") & (accuracies["arm"] == "sampled") & (accuracies["attack"] == "pgd")].set_index(
        "epsilon_pixel_units"
    )
    assert row["accuracy"].tolist() == pytest.approx([0.93, 0.77, 0.61], abs=0.03)
    # 0.2 is the slope of the twin above that of the sampled arm.
    assert row["difference"].tolist()[1:] == pytest.approx([0.04, 0.08], abs=0.02)
    assert np.isnan(row["difference"].iloc[0])
    assert accuracies.loc[accuracies["arm"] == "twin", "difference"].isna().all()
    area = over_all[(over_all["readout"] == "mean") & (over_all["attack"] == "worst")].set_index("arm")["difference"]
    assert area["sampled"] > 0 > area["fixed_hidden"] > area["random_features"]


def test_the_drawing_has_a_panel_a_route_and_the_differences_last(table: pd.DataFrame, tmp_path: Path) -> None:
    drawing = SamplingRobustness().draw(table)
    panels = drawing.subfigs[0].axes
    titles = [axis.get_title("left") for axis in panels]
    assert titles == [
        "worst",
        "square",
        "random noise",
        "pgd",
        "pgd on the mean of draws",
        "pgd on the mean field",
        "pgd by transfer",
        "minus twin, mean over ε",
    ]
    lines = {line.get_label(): line for line in panels[0].get_lines()}
    assert list(lines["exact posterior"].get_ydata()) == pytest.approx(
        table[(table["readout"] == "mean") & (table["arm"] == "sampled") & (table["attack"] == "worst")]["accuracy"].dropna().tolist()
    )
    dotted = [line for line in panels[0].get_lines() if line.get_linestyle() == ":" and len(line.get_xdata())]
    assert [line.get_color() for line in dotted] == [looks([arm])[arm].color for arm in in_order(ARMS) if arm != "twin"]
    marked = SamplingRobustness().draw(table.assign(verdict="weak"))
    assert "exact posterior (!)" in {line.get_label() for line in marked.subfigs[0].axes[0].get_lines()}
    for name in ("one.svg", "two.svg"):
        save(SamplingRobustness().draw(table), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.parametrize(("arms", "epsilons"), [(("sampled",), (0.1,)), (("twin", "sampled"), (0.1,))])
def test_the_least_is_drawn(arms: tuple[str, ...], epsilons: tuple[float, ...], tmp_path: Path) -> None:
    results = write_sampling_robustness(tmp_path, "digits", arms, (0,), ("fgsm", "fgsm_surrogate", "worst"), (0.0, *epsilons))
    for given in (results, {"sampling_robustness": results["sampling_robustness"]}):
        found = SamplingRobustness().table(given)
        drawing = SamplingRobustness().draw(found)
        expected = len(arms) > 1 and len(given) > 1
        assert any("minus" in axis.get_title("left") for axis in drawing.subfigs[0].axes) == expected
