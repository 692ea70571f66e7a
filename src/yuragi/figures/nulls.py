"""Which statistics of spontaneous activity lie outside what null models produce."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COMPARED = ("null", "statistic", "measured", "expected", "low", "high", "z", "absorbed", "kept", "p", "p_family", "outside")
GROUPED = ("null", "statistic", "recordings", "outside_share", "median_z", "kept", "p", "p_holm", "outside")
REACH = 8.0
"""Deviations beyond this many standard deviations are drawn at the border; the table has their values."""


class Nulls(Figure):
    """Statistics of every spontaneous recording in units of what each null model's surrogates differ by."""

    kind: Literal["nulls"] = "nulls"

    needs: ClassVar = ("null_comparisons",)
    uses: ClassVar = ("null_groups",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a recording, null model and statistic, then one a group, null model and statistic."""
        from yuragi.files import read_table

        tables = [read_table(path, COMPARED).assign(scope="recording", name=path.name.partition(".")[0]) for path in results["null_comparisons"]]
        tables += [
            read_table(path, GROUPED).rename(columns={"median_z": "z"}).assign(scope="group", name=path.name.partition(".")[0])
            for path in results.get("null_groups", ())
        ]
        columns = ["scope", "name", *COMPARED, "p_holm", "recordings", "outside_share"]
        return pd.concat(tables, ignore_index=True).reindex(columns=columns).astype({"recordings": "Int64"})

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A panel a null model; statistics downwards, deviations to the side."""
        single, groups = table[table["scope"] == "recording"], table[table["scope"] == "group"]
        nulls, statistics = (list(dict.fromkeys(single[column])) for column in ("null", "statistic"))
        # The first panel carries the names of the statistics.
        drawing = style.canvas(len(nulls) + 1, 1, (2.0, 0.9 + 0.3 * len(statistics)), legend=0.9)
        panels = drawing.subplots(1, len(nulls), squeeze=False, sharey=True)[0]
        for panel, null in zip(panels, nulls, strict=True):
            _draw_null(panel, single[single["null"] == null], groups[groups["null"] == null], statistics)
            panel.set_title(null.replace("_", " "))
        panels[0].set(yticks=range(len(statistics)), yticklabels=[name.replace("_", " ") for name in statistics], ylim=(len(statistics) - 0.4, -0.6))
        for panel in panels:
            panel.set_xlabel("deviation (s.d. of surrogates)")
        style.legend_below(drawing, panels, columns=2)
        return drawing


def _draw_null(panel: Any, single: pd.DataFrame, groups: pd.DataFrame, statistics: list[str]) -> None:
    panel.axvspan(-1.96, 1.96, color=style.GREY, label="95 % of a normal distribution", **style.BAND)
    panel.axvline(0, color=style.GREY, linewidth=0.8)
    rows = single["statistic"].map(statistics.index)
    # Recordings side by side within a row, in the order of their names.
    places = single.groupby("statistic")["name"].rank(method="first").to_numpy()
    count = max(int(places.max()), 1)
    height = rows + (0.0 if count == 1 else (places - (count + 1) / 2) / count * 0.6)
    z = single["z"].clip(-REACH, REACH)
    outside, kept = single["outside"].astype(bool), single["kept"].astype(bool)
    looks = (
        (~outside & ~kept, style.BLUE, "none", "recording, inside"),
        (outside, style.BLUE, style.BLUE, "recording, outside"),
        (~outside & kept, "#c4c4c4", "none", "kept by the null model"),
    )
    for chosen, color, fill, label in looks:
        panel.plot(z[chosen], height[chosen], "o", color=color, markerfacecolor=fill, markersize=3.5, label=label)
    for _, row in groups.iterrows():
        place = statistics.index(row["statistic"])
        mark = "the group's median, outside" if row["outside"] else "the group's median, inside"
        color = style.RED if row["outside"] else style.GREY
        panel.plot([np.clip(row["z"], -REACH, REACH)] * 2, [place - 0.38, place + 0.38], color=color, linewidth=2, label=mark)
    panel.set(xlim=(-REACH * 1.05, REACH * 1.05))
    panel.grid(axis="y", visible=False)
