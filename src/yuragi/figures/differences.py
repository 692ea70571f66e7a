"""Every arm against the plain one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.figures import _norms, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COMPARED = ("arm", "attack", "epsilon", "difference", "low", "high", "p", "p_holm", "clean_difference", "clean_low", "clean_high", "seeds", "images")
CLEAN = "clean images"


class Differences(Figure):
    """Accuracy of every arm minus that of the plain arm, over the whole range of ε and on clean images."""

    kind: Literal["differences"] = "differences"
    level: float = Field(0.05, gt=0, lt=1, description="corrected p-values below this are drawn as filled marks")

    needs: ClassVar = ("differences",)
    uses: ClassVar = ("differences_l2",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row an experiment, norm, arm, attack and ε, or `over` "area": the mean over the range of ε, where ε is missing."""
        from yuragi.figures._tables import joined

        tables = [_of_experiment(path).assign(norm=norm) for norm, path in _norms.by_norm(results, "differences")]
        table = joined(tables, ("experiment", "norm", *COMPARED))
        table.insert(4, "over", np.where(table["epsilon"].isna(), "area", "epsilon"))
        return table.rename(columns={"epsilon": "epsilon_pixel_units", "low": "difference_low", "high": "difference_high"})

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment, a panel an attack and one for clean images, a row an arm."""
        if table.empty:
            return style.notice("Only the plain arm was trained: there is nothing to compare it with.")
        looks = style.looks(table["arm"])
        groups = [_drawn(rows) for _, rows in table.groupby(["experiment", "norm"], sort=False)]
        attacks = _attacks(groups)
        height = 1.0 + 0.34 * max(rows["arm"].nunique() for rows in groups)
        drawing, strips = style.strips(
            [_title(rows) for rows in groups], columns=len(attacks) + 1, sharey=True, sharex=True, panel=(2.2, height), legend=0.4
        )
        for panels, rows in zip(strips, groups, strict=True):
            arms = list(rows["arm"].unique())
            for axis, attack in zip(panels, [*attacks, CLEAN], strict=True):
                self._draw_panel(axis, attack, rows, arms, looks)
            panels[0].set(yticks=range(len(arms)), yticklabels=arms, ylim=(len(arms) - 0.5, -0.5))
        style.legend_below(drawing, strips[0])
        return drawing

    def _draw_panel(self, axis: Any, attack: str, rows: pd.DataFrame, arms: list[str], looks: dict[str, style.Look]) -> None:
        clean = attack == CLEAN
        names = ("clean_difference", "clean_low", "clean_high") if clean else ("difference", "difference_low", "difference_high")
        chosen = rows.drop_duplicates("arm") if clean else rows[rows["attack"] == attack]
        for _, row in chosen.iterrows():
            look, place = looks[row["arm"]], arms.index(row["arm"])
            middle, low, high = (row[name] for name in names)
            filled = not clean and row["p_holm"] < self.level
            axis.plot([low, high], [place, place], color=look.color, linewidth=2)
            axis.plot(
                middle, place, look.marker, color=look.color, markersize=7, markerfacecolor=look.color if filled else "white", markeredgewidth=1.5
            )
        axis.axvline(0, color=style.BLACK, linewidth=1)
        axis.set(title=attack.replace("_", " "), xlabel="percentage points")
        axis.locator_params(axis="x", nbins=7)
        axis.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}".replace("-", "−"))
        axis.grid(axis="y", visible=False)
        for label, face in ((f"Holm-corrected p < {self.level:g}", style.GREY), ("not below, or not tested", "white")):
            axis.plot([], [], "o", color=style.GREY, markerfacecolor=face, markeredgewidth=1.5, markersize=7, label=label)


def _of_experiment(path: Path) -> pd.DataFrame:
    from yuragi.files import read_table

    table = read_table(path, ("arm", "attack", "epsilon", "difference"))
    if len(table):
        table = read_table(path, COMPARED)
    return table.assign(experiment=path.name.removesuffix(".csv").removesuffix(".differences"))


def _drawn(rows: pd.DataFrame) -> pd.DataFrame:
    """The area under the curve, or the largest ε where there is no curve."""
    area = rows[rows["over"] == "area"]
    return area if len(area) else rows[rows["epsilon_pixel_units"] == rows["epsilon_pixel_units"].max()]


def _attacks(groups: list[pd.DataFrame]) -> list[str]:
    """All attacks in the order of the tables, the strongest of all first."""
    names = list(dict.fromkeys(name for rows in groups for name in rows["attack"]))
    return sorted(names, key=lambda name: name != "worst")


def _title(rows: pd.DataFrame) -> str:
    row = rows.iloc[0]
    over = "mean over ε" if row["over"] == "area" else f"ε = {row['epsilon_pixel_units']:g}"
    return f"{row['experiment']}: each arm minus plain, {_norms.NAMES[row['norm']]}, {over}"
