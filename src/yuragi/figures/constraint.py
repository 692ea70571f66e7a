"""How a constraint on the exponent is met over training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = ("experiment", "arm", "seed", "layer", "epoch", "alpha", "weight", "asked_alpha")
ALPHA, WEIGHT, ASKED = "_alpha", "_weight", "_asked"
"""Endings of the columns that a penalty reports, after the layer's name."""


class Constraint(Figure):
    """The exponent that a penalty measures in training and the weight that it gives itself, over epochs."""

    kind: Literal["constraint"] = "constraint"
    tolerance: float = Field(0.05, gt=0, description="half the width of the band around the exponent that is asked for")

    needs: ClassVar = ("histories",)
    uses: ClassVar = ("activity", "target")

    def table(self, results: Results) -> pd.DataFrame:
        """One row a network, constrained layer and epoch; arms whose penalty reports no exponent have none."""
        from yuragi.figures._activity import asked_exponents, read_activity, target_stages
        from yuragi.figures._networks import HISTORY, read_networks
        from yuragi.figures._tables import joined

        stages = target_stages(results.get("target"))
        asked = {}
        for layer in (layer for path in results.get("activity", ()) for layer in read_activity(path)):
            exponents = asked_exponents(layer.asked, stages)
            # Of several stages none is known to be this layer's.
            asked[layer.experiment, layer.name] = next(iter(exponents.values())) if len(exponents) == 1 else np.nan
        layers = [layer for history in read_networks(results["histories"], HISTORY, ("epoch",)) for layer in _layers(history)]
        for rows in layers:
            known = [asked.get(key, np.nan) for key in zip(rows["experiment"], rows["layer"], strict=True)]
            rows["asked_alpha"] = rows["asked_alpha"].fillna(pd.Series(known, index=rows.index)) if "asked_alpha" in rows else known
        return joined(layers, COLUMNS)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment and layer: the exponent, and the weight."""
        if table.empty:
            return style.notice("No arm's penalty adapts itself to the exponent: there is nothing to follow.")
        looks = style.looks(table["arm"])
        groups = list(table.groupby(["experiment", "layer"], sort=False))
        titles = [f"{experiment}, {layer}: {style.counted(rows['seed'].nunique(), 'seed')} an arm" for (experiment, layer), rows in groups]
        drawing, strips = style.strips(titles, columns=2, panel=(3.8, 2.7), legend=0.6, sharex=True)
        for (left, right), (_, rows) in zip(strips, groups, strict=True):
            _draw_measure(left, "alpha", rows, looks)
            reach = self.tolerance
            for asked in sorted(rows["asked_alpha"].dropna().unique()):
                left.axhspan(asked - reach, asked + reach, color=style.GREY, label=f"exponent asked for, ± {reach:g}", **style.BAND)
                left.axhline(asked, **style.TRUTH)
            _draw_measure(right, "weight", rows, looks)
            left.set(xlabel="epoch", ylabel="exponent α in training")
            right.set(xlabel="epoch", ylabel="weight of the penalty")
            positive = rows["weight"][rows["weight"] > 0]
            if len(positive) and (rows["weight"] >= 0).all() and positive.max() > 30 * positive.min():
                style.logarithmic(right, "y")
        style.legend_below(drawing, [axis for panels in strips for axis in panels], columns=4)
        return drawing


def _layers(history: pd.DataFrame) -> Iterator[pd.DataFrame]:
    names = [str(name).removesuffix(ALPHA) for name in history.columns if str(name).endswith(ALPHA)]
    for layer in names:
        if layer + WEIGHT in history:
            rows = history[["experiment", "arm", "seed", "epoch"]].copy()
            rows["layer"], rows["alpha"], rows["weight"] = layer, history[layer + ALPHA], history[layer + WEIGHT]
            if layer + ASKED in history:
                rows["asked_alpha"] = history[layer + ASKED]
            yield rows


def _draw_measure(axis: Any, column: str, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    for arm, of_arm in rows.groupby("arm", sort=False):
        color, marker = looks[str(arm)]
        for _, network in of_arm.groupby("seed"):
            axis.plot(network["epoch"], network[column], color=color, linewidth=0.6, alpha=0.6)
        mean = of_arm.groupby("epoch")[column].mean()
        axis.plot(mean.index, mean, color=color, marker=marker, markevery=max(len(mean) // 6, 1), label=str(arm))
