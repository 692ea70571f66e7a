"""How often the comparison with a null model rejects it, where the null model is true and where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

pd = lazy.load("pandas")


class Rejection(Figure):
    """Rates at which simulated recordings of a known process are told from the autoregressive null model."""

    kind: Literal["rejection"] = "rejection"
    nominal: float = Field(0.05, gt=0, lt=1, description="level of each test")
    tolerance: float = Field(0.02, gt=0, lt=1, description="half the width of the band around it")

    needs: ClassVar = ("rejection",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a process and statistic."""
        from yuragi.files import read_table

        columns = ("statistic", "rejected", "simulations", "rate", "low", "high", "kept")
        tables = [read_table(path, columns).assign(source=path.stem)[["source", *columns]] for path in results["rejection"]]
        return pd.concat(tables, ignore_index=True).assign(nominal=self.nominal, tolerance=self.tolerance)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A panel a process; statistics downwards, rates to the side."""
        sources, statistics = (list(dict.fromkeys(table[column])) for column in ("source", "statistic"))
        drawing = style.canvas(len(sources), 1, (3.0, 0.9 + 0.28 * len(statistics)), legend=0.6)
        panels = drawing.subplots(1, len(sources), squeeze=False, sharey=True)[0]
        for panel, source in zip(panels, sources, strict=True):
            _draw_source(panel, table[table["source"] == source], statistics)
            panel.set_title(f"recordings from: {source.replace('_', ' ')}")
        names = ["any, corrected for all" if name == "any" else name.replace("_", " ") for name in statistics]
        panels[0].set(yticks=range(len(statistics)), yticklabels=names, ylim=(len(statistics) - 0.4, -0.6))
        style.legend_below(drawing, panels, columns=3)
        return drawing


def _draw_source(panel: Any, rows: pd.DataFrame, statistics: list[str]) -> None:
    nominal, tolerance = rows["nominal"].iloc[0], rows["tolerance"].iloc[0]
    panel.axvspan(nominal - tolerance, nominal + tolerance, color=style.GREEN, label=f"{nominal:.0%} ± {tolerance:.0%}", **style.BAND)
    panel.axvline(nominal, label="level of the test", **style.TRUTH)
    places = rows["statistic"].map(statistics.index)
    judged = rows["kept"] < 0.5
    for chosen, color, label in ((judged, style.BLUE, "rejected, with 95 % interval"), (~judged, style.GREY, "kept by the null model")):
        part = rows[chosen]
        ends = [part["rate"] - part["low"], part["high"] - part["rate"]]
        panel.errorbar(part["rate"], places[chosen], xerr=ends, fmt="o", color=color, capsize=2, label=label)
    panel.set(xlabel="fraction of recordings rejected", xlim=(-0.02, 1.02))
    panel.grid(axis="y", visible=False)
