"""How every arm fares with images that chance has corrupted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

INTERVAL = ("low", "high")
SPECTRUM = ("low_share", "mid_share", "high_share", "centre_frequency", "band")
COLUMNS = ("arm", "corruption", "severity", "accuracy", *INTERVAL, "clean_accuracy", "change", *SPECTRUM)
COUNTS = ("seeds", "images")
DIFFERENCES = ("arm", "corruption", "difference", *INTERVAL, "p", "p_holm", *COUNTS)
MEAN = "mean"
BANDS = ("low", "mid", "high")
REFERENCE = "plain"
HEADING = "{} frequencies:"


class Corruptions(Figure):
    """Accuracy under random corruptions, by severity, by corruption, and beside the plain arm's."""

    kind: Literal["corruptions"] = "corruptions"

    needs: ClassVar = ("corruptions",)
    uses: ClassVar = ("corruption_differences",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row an experiment, arm, corruption, severity (missing: mean over severities) and measure: accuracy, or difference from plain."""
        from yuragi.figures._tables import joined
        from yuragi.files import read_table

        tables = [
            read_table(path, (*COLUMNS, *COUNTS)).assign(experiment=path.stem, measure="accuracy").rename(columns={"accuracy": "value"})
            for path in results["corruptions"]
        ]
        names = ("experiment", "measure", *COLUMNS[:3], "value", *COLUMNS[4:], *COUNTS)
        table = joined(tables, names)
        found = [_differences(path) for path in results.get("corruption_differences", ())]
        found = [rows[rows["experiment"].isin(table["experiment"])] for rows in found if len(rows)]
        if not found:
            return table.assign(p=np.nan, p_holm=np.nan)
        bands = table[["experiment", "corruption", "band"]][table["severity"].isna()].drop_duplicates()
        compared = pd.concat(found, ignore_index=True).merge(bands, on=["experiment", "corruption"], how="left", validate="many_to_one")
        return pd.concat([table, compared], ignore_index=True)[[*names, "p", "p_holm"]]

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment; panels: the mean over corruptions by severity, every corruption, and the differences from the plain arm."""
        looks = style.looks(table["arm"])
        groups = [rows for _, rows in table.groupby("experiment", sort=False)]
        compared = bool((table["measure"] == "difference").any())
        most = max(rows["corruption"].nunique() + rows["band"].nunique() for rows in groups)
        drawing, strips = style.strips(
            [_title(rows) for rows in groups],
            columns=3 if compared else 2,
            panel=(3.4, 1.2 + 0.22 * most),
            # Powers of two: others leave the layout's solver to round differently from drawing to drawing.
            width_ratios=(1, 2, 2)[: 3 if compared else 2],
        )
        for panels, rows in zip(strips, groups, strict=True):
            accuracies = rows[rows["measure"] == "accuracy"]
            order = _ordered(accuracies)
            _draw_severities(panels[0], accuracies[accuracies["corruption"] == MEAN], looks)
            _draw_corruptions(panels[1], accuracies[accuracies["severity"].isna()], order, looks)
            panels[1].set(xlabel="accuracy, mean over severities", title="each corruption")
            if compared:
                _draw_differences(panels[2], rows[rows["measure"] == "difference"], order, looks)
        style.legend_below(drawing, [axis for panels in strips for axis in panels[:1]])
        return drawing


def _differences(path: Path) -> pd.DataFrame:
    """The table of differences, as rows of the figure's table; empty where there was one arm alone."""
    from yuragi.files import read_table

    rows = read_table(path, ("arm", "corruption", "difference"))
    if len(rows):
        rows = read_table(path, DIFFERENCES)[list(DIFFERENCES)]
    experiment = path.name.removesuffix(".csv").removesuffix(".differences")
    return rows.rename(columns={"difference": "value"}).assign(experiment=experiment, measure="difference", severity=np.nan)


def _title(rows: pd.DataFrame) -> str:
    return f"{rows['experiment'].iloc[0]}: {style.counted(rows['seeds'].max(), 'seed')} an arm, {style.counted(rows['images'].max(), 'image')}"


def _ordered(rows: pd.DataFrame) -> list[str]:
    """The mean first, then from low to high frequencies, each band after a line with its name, and within it from the least harmful to the most."""
    pooled = rows[rows["severity"].isna()]
    means = pooled.groupby("corruption", sort=False).agg(accuracy=("value", "mean"), band=("band", "first"))
    singles = means[means.index != MEAN]
    singles = singles.assign(band=singles["band"].fillna("no"))
    singles = singles.assign(place=[[*BANDS, "no"].index(band) for band in singles["band"]]).sort_values(
        ["place", "accuracy"], ascending=[True, False]
    )
    order = [MEAN]
    for band, of_band in singles.groupby("band", sort=False):
        order += [HEADING.format(band), *of_band.index]
    return order


def _draw_severities(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    for arm, of_arm in rows.groupby("arm", sort=False):
        look = looks[str(arm)]
        line = of_arm[of_arm["severity"] > 0].sort_values("severity")
        axis.fill_between(line["severity"], line["low"], line["high"], color=look.color, **(style.BAND | {"alpha": 0.13}))
        axis.plot(line["severity"], line["value"], color=look.color, marker=look.marker, label=str(arm))
        clean = of_arm["clean_accuracy"].iloc[0]
        axis.plot(0, clean, look.marker, markersize=8, fillstyle="none", color=look.color, clip_on=False)
    axis.set(xlabel="severity", ylabel="accuracy", ylim=(-0.02, 1.02), xticks=range(6), title="mean over corruptions")


def _draw_corruptions(axis: Any, rows: pd.DataFrame, order: list[str], looks: dict[str, style.Look]) -> None:
    arms = list(dict.fromkeys(rows["arm"]))
    for number, arm in enumerate(arms):
        of_arm, look = rows[rows["arm"] == arm], looks[str(arm)]
        places = of_arm["corruption"].map(order.index) + 0.7 * ((number + 0.5) / len(arms) - 0.5)
        axis.hlines(places, of_arm["low"], of_arm["high"], color=look.color, linewidth=1.2, alpha=0.6)
        axis.plot(of_arm["value"], places, look.marker, color=look.color, linestyle="none", markersize=3.5)
    for place in range(1, len(order), 2):
        axis.axhspan(place - 0.5, place + 0.5, color=style.GREY, alpha=0.06, linewidth=0)
    axis.set(yticks=range(len(order)), yticklabels=[name.replace("_", " ") for name in order], ylim=(len(order) - 0.5, -0.5))
    axis.tick_params(axis="y", labelsize=8, length=0)
    for label in axis.get_yticklabels():
        if label.get_text().endswith(":"):
            label.set(color=style.GREY, style="italic")
    axis.grid(axis="y", visible=False)


def _draw_differences(axis: Any, rows: pd.DataFrame, order: list[str], looks: dict[str, style.Look]) -> None:
    if not len(rows):
        axis.remove()
        return
    _draw_corruptions(axis, rows, order, looks)
    axis.axvline(0, **style.TRUTH | {"linewidth": 0.8})
    axis.set(xlabel=f"accuracy minus the {REFERENCE} arm's", title=f"against the {REFERENCE} arm")
