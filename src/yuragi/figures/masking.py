"""Whether attacks by gradient can be believed, network by network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

pd = lazy.load("pandas")

COLUMNS = (
    "probe",
    "epsilon",
    "accuracy",
    "majority_accuracy",
    "reference",
    "difference",
    "difference_error",
    "images",
    "draws",
    "chance",
    "sentence",
    "verdict",
)
ENDING = ".csv"
ACROSS = 4


class Masking(Figure):
    """Accuracy under probes that are ordered as long as gradients tell the truth, with a verdict per network."""

    kind: Literal["masking"] = "masking"

    needs: ClassVar = ("masking",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a network and probe."""
        from yuragi.figures._networks import read_networks

        tables = [table[["experiment", "arm", "seed", *COLUMNS]] for table in read_networks(results["masking"], ENDING, COLUMNS)]
        return pd.concat(tables, ignore_index=True).rename(columns={"epsilon": "epsilon_pixel_units"})

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment, a panel an arm, a row a probe, a mark a network."""
        looks = style.looks(table["arm"])
        probes = list(dict.fromkeys(table["probe"]))
        groups = list(table.groupby("experiment", sort=False))
        lines = [-(-rows["arm"].nunique() // ACROSS) for _, rows in groups]
        drawing = style.canvas(ACROSS, sum(lines), (2.5, 0.8 + 0.2 * len(probes)), legend=0.45 * len(groups))
        parts = drawing.subfigures(len(groups), 1, squeeze=False, height_ratios=lines)[:, 0]
        for part, (experiment, rows), count in zip(parts, groups, lines, strict=True):
            budget = rows.loc[rows["probe"] == "iterated", "epsilon_pixel_units"].iloc[0]
            networks = style.counted(rows["seed"].nunique(), "seed")
            part.suptitle(
                f"{experiment}: ε = {budget:g}, {networks} an arm, {style.counted(rows['images'].max(), 'image')}", x=0.01, ha="left", weight="bold"
            )
            axes = part.subplots(count, ACROSS, squeeze=False, sharex=True, sharey=True).ravel()
            arms = list(rows.groupby("arm", sort=False))
            for axis, (arm, of_arm) in zip(axes, arms, strict=False):
                _draw_arm(axis, str(arm), of_arm, probes, looks[str(arm)])
            for axis in axes[len(arms) :]:
                axis.remove()
            axes[0].set(ylim=(len(probes) - 0.5, -0.5), xlim=(-0.03, 1.03))
            axes[0].set_yticks(range(len(probes)), [probe.replace("_", " ") for probe in probes])
        return drawing


def _draw_arm(axis: Any, arm: str, rows: pd.DataFrame, probes: list[str], look: style.Look) -> None:
    networks = rows.groupby("seed").first()
    suspicious = int(networks["verdict"].str.startswith("suspicious").sum())
    place = rows["probe"].map(probes.index)
    axis.axvline(rows["chance"].iloc[0], **style.TRUTH | {"linewidth": 0.8})
    axis.plot(rows["accuracy"], place, look.marker, color=look.color, fillstyle="none", markersize=5)
    means = rows.groupby("probe", sort=False)["accuracy"].mean()
    for probe, value in means.items():
        axis.plot([value] * 2, [probes.index(str(probe)) - 0.32, probes.index(str(probe)) + 0.32], color=look.color, linewidth=2)
    told = "ok" if not suspicious else f"suspicious in {suspicious} of {len(networks)}"
    axis.set_title(f"{arm}: {told}", fontsize=8.5, color=style.RED if suspicious else style.BLACK)
    axis.set_xlabel("accuracy")
    axis.tick_params(axis="x", labelbottom=True)
