"""Whether simpler processes show the co-activation patterns of spontaneous activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

MATCHED = ("null", "similarity", "low", "high", "worst", "ceiling", "ceiling_worst", "patterns", "surrogates")


class Patterns(Figure):
    """Co-activation patterns of null models matched with those of every recording, beside what the recording's own halves reach."""

    kind: Literal["patterns"] = "patterns"

    needs: ClassVar = ("similarities",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a recording and null model."""
        from yuragi.files import read_table

        tables = [read_table(path, MATCHED).assign(recording=path.name.partition(".")[0]) for path in results["similarities"]]
        found = pd.concat(tables, ignore_index=True)
        return found.assign(below_ceiling=found["ceiling"] - found["similarity"])[["recording", *MATCHED, "below_ceiling"]]

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """All patterns at the left, the poorest match at the right; null models side by side, the recording's own halves last."""
        nulls = list(dict.fromkeys(table["null"]))
        places = np.arange(len(nulls) + 1)
        drawing = style.canvas(2, 1, (4.2, 3.2), legend=0.6)
        panels = drawing.subplots(1, 2, sharey=True)
        for panel, (value, ceiling) in zip(panels, (("similarity", "ceiling"), ("worst", "ceiling_worst")), strict=True):
            wide = table.pivot(index="recording", columns="null", values=value)[nulls]
            whole = np.column_stack([wide.to_numpy(), table.groupby("recording")[ceiling].first()[wide.index].to_numpy()])
            for number, row in enumerate(whole):
                label = "recording" if number == 0 else None
                panel.plot(places, row, "-o", color=style.BLUE, alpha=0.35, linewidth=0.8, markersize=2.5, label=label)
            if len(whole) > 1:
                panel.plot(places, pd.DataFrame(whole).median(), "s", color=style.BLACK, markersize=4, label="median over recordings")
            panel.set(xticks=places, xlim=(-0.4, len(nulls) + 0.4))
            panel.set_xticklabels([*(name.replace("_", "\n") for name in nulls), "its own\nother half"], fontsize=8)
            panel.grid(axis="x", visible=False)
        panels[0].set(ylabel="spatial correlation with the matched\npattern (mean over patterns)")
        panels[1].set(ylabel="the same, poorest pattern")
        style.legend_below(drawing, panels, columns=2)
        return drawing
