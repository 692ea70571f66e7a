"""How many noise draws an attack on a stochastic network needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

pd = lazy.load("pandas")

COLUMNS = (
    "attack",
    "attack_draws",
    "scored_on",
    "accuracy",
    "majority_accuracy",
    "difference",
    "difference_error",
    "flat",
    "images",
    "scoring_draws",
    "epsilon",
    "verdict",
)
ENDING = ".draws.csv"
OTHERS = {
    ("clean", "fresh draws"): "not attacked",
    ("transfer", "no noise"): "no noise, scored so",
    ("transfer", "fresh draws"): "no noise, fresh draws",
    ("frozen", "one value"): "one value, scored so",
    ("frozen", "fresh draws"): "one value, fresh draws",
    ("worst", "fresh draws"): "strongest per image",
}
"""What stands beside the rungs, with its name in the drawing."""


class Ladder(Figure):
    """Accuracy of stochastic networks against the noise draws that the attack averages per gradient."""

    kind: Literal["draw_ladder"] = "draw_ladder"

    needs: ClassVar = ("draws",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a network, attack and way of scoring."""
        from yuragi.figures._networks import read_networks

        tables = [table[["experiment", "arm", "seed", *COLUMNS]] for table in read_networks(results["draws"], ENDING, COLUMNS)]
        return pd.concat(tables, ignore_index=True).rename(columns={"epsilon": "epsilon_pixel_units"})

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment: left the rungs, a line an arm; right what stands beside them."""
        stochastic = table.groupby(["experiment", "arm"])["attack"].transform(lambda found: "transfer" in set(found))
        shown = table[stochastic.astype(bool)]
        if shown.empty:
            return style.notice("No network of this run is stochastic: one draw per gradient is all there is.")
        looks = style.looks(table["arm"])
        groups = list(shown.groupby("experiment", sort=False))
        titles = [_title(str(name), rows) for name, rows in groups]
        drawing, strips = style.strips(titles, columns=2, panel=(4.4, 2.6), sharey=True, width_ratios=(1, 1.1))
        for (rungs, others), (_, rows) in zip(strips, groups, strict=True):
            _draw_rungs(rungs, rows[rows["attack"] == "rung"], looks)
            _draw_others(others, rows, looks)
            rungs.set(ylabel="accuracy", ylim=(-0.03, 1.03))
        style.legend_below(drawing, [panels[0] for panels in strips])
        return drawing


def _title(experiment: str, rows: pd.DataFrame) -> str:
    networks = style.counted(rows["seed"].nunique(), "seed")
    return f"{experiment}: ε = {rows['epsilon_pixel_units'].iloc[0]:g}, {networks} an arm, {style.counted(rows['images'].max(), 'image')}"


def _draw_rungs(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    for arm, of_arm in rows.groupby("arm", sort=False):
        look = looks[str(arm)]
        ends = of_arm.groupby("seed").last()
        steep = " (!)" if not ends["flat"].all() else ""
        for place, (_, of_seed) in enumerate(of_arm.groupby("seed")):
            label = f"{arm}{steep}" if place == 0 else None
            axis.plot(of_seed["attack_draws"], of_seed["accuracy"], color=look.color, marker=look.marker, linewidth=1, label=label)
            axis.plot(of_seed["attack_draws"], of_seed["majority_accuracy"], color=look.color, linestyle=":", linewidth=1)
    axis.set_xscale("log")
    ticks = sorted(rows["attack_draws"].unique())
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()
    axis.set_xlabel("noise draws per gradient")


def _draw_others(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    arms = list(dict.fromkeys(rows["arm"]))
    for place, key in enumerate(OTHERS):
        found = rows[(rows["attack"] == key[0]) & (rows["scored_on"] == key[1])]
        for number, arm in enumerate(arms):
            of_arm = found[found["arm"] == arm]
            beside = place + 0.6 * ((number + 0.5) / len(arms) - 0.5)
            look = looks[str(arm)]
            axis.plot([beside] * len(of_arm), of_arm["accuracy"], look.marker, color=look.color, fillstyle="none", markersize=5)
    axis.set_xticks(
        range(len(OTHERS)),
        [name.replace(", ", ",\n").replace(" attacked", "\nattacked").replace(" per", "\nper") for name in OTHERS.values()],
        fontsize=7,
    )
    axis.set_xlim(-0.5, len(OTHERS) - 0.5)
