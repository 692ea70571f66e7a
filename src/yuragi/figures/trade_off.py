"""What it costs in accuracy to bring a layer's spectrum to an exponent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = ("experiment", "layer", "arm", "seed", "alpha", "r_squared", "first_rank", "last_rank", "held_out_accuracy", "asked", "asked_alpha")
REFERENCE = "plain"


class TradeOff(Figure):
    """Accuracy of every network on images that nobody changed against the exponent of its layer."""

    kind: Literal["trade_off"] = "trade_off"
    exponent_tolerance: float = Field(0.05, gt=0, description="half the width of the band around the exponent that is asked for")
    accuracy_tolerance: float = Field(0.01, gt=0, description="half the height of the band around the plain arm's accuracy")

    needs: ClassVar = ("activity", "histories")
    uses: ClassVar = ("target",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a network and layer: its exponent on held-out images, and its accuracy there after the last epoch."""
        from yuragi.figures._activity import asked_exponents, read_activity, target_stages
        from yuragi.figures._networks import HISTORY, read_networks

        stages = target_stages(results.get("target"))
        accuracies, told = {}, {}
        for history in read_networks(results["histories"], HISTORY, ("epoch",)):
            last = history.iloc[-1]
            key = last["experiment"], last["arm"], int(last["seed"])
            accuracies[key] = float(last.get("held_out_accuracy", np.nan))
            told |= {(*key, name.removesuffix("_asked")): float(last[name]) for name in history if str(name).endswith("_asked")}
        rows = []
        for layer in (layer for path in results["activity"] for layer in read_activity(path)):
            exponents = asked_exponents(layer.asked, stages)
            for network in layer.networks:
                # Of several exponents the network's own is the one that its training tells.
                own = told.get((layer.experiment, network.arm, network.seed, layer.name), np.nan)
                fitting = exponents if len(exponents) == 1 else {name: alpha for name, alpha in exponents.items() if np.isclose(alpha, own)}
                name, asked = next(iter(fitting.items()), ("", np.nan))
                accuracy = accuracies.get((layer.experiment, network.arm, network.seed), np.nan)
                about = (layer.experiment, layer.name, network.arm, network.seed, network.alpha, network.r_squared)
                rows.append((*about, layer.first, layer.last, accuracy, name, asked))
        return pd.DataFrame(rows, columns=list(COLUMNS))

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A panel an experiment and layer: a mark a network, the arms' means joined in the order of their exponents."""
        shown = table[table["alpha"].notna() & table["held_out_accuracy"].notna()]
        if shown.empty:
            return style.notice("No network has both an exponent and an accuracy on held-out images.")
        looks = style.looks(shown["arm"])
        groups = list(shown.groupby(["experiment", "layer"], sort=False))
        height = max(3.2, 1.0 + 0.17 * shown["arm"].nunique())
        drawing, axes = style.grid(len(groups), columns=2, panel=(5.8, height), legend=0.6)
        for axis, ((experiment, layer), rows) in zip(axes, groups, strict=True):
            self._draw_layer(axis, rows, looks, height - 1.0)
            ranks = f"ranks {rows['first_rank'].iloc[0]} to {rows['last_rank'].iloc[0]}"
            axis.set(title=f"{experiment}, {layer}", xlabel=f"exponent α of {layer} ({ranks})", ylabel="held-out accuracy")
        style.legend_below(drawing, axes, columns=3)
        return drawing

    def _draw_layer(self, axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look], height: float) -> None:
        from yuragi.figures._labels import Label, name_at_right

        means = rows.groupby("arm", sort=False)[["alpha", "held_out_accuracy"]].mean()
        joined = means.sort_values("alpha")
        axis.plot(joined["alpha"], joined["held_out_accuracy"], color=style.GREY, linewidth=1, zorder=1)
        labels = []
        for arm, mean in means.iterrows():
            color, marker = looks[str(arm)]
            seeds = rows[rows["arm"] == arm]
            axis.plot(seeds["alpha"], seeds["held_out_accuracy"], marker, color=color, fillstyle="none", markersize=5, linestyle="none")
            axis.plot(mean["alpha"], mean["held_out_accuracy"], marker, color=color, markersize=8, markeredgecolor="white")
            labels.append(Label(str(arm), mean["alpha"], mean["held_out_accuracy"], color))
        for asked in sorted(rows["asked_alpha"].dropna().unique()):
            axis.axvspan(
                asked - self.exponent_tolerance,
                asked + self.exponent_tolerance,
                color=style.BLUE,
                label=f"exponent asked for, ± {self.exponent_tolerance:g}",
                **style.BAND,
            )
            axis.axvline(asked, **style.TRUTH)
        if REFERENCE in means.index:
            plain = means["held_out_accuracy"][REFERENCE]
            label = f"accuracy of the plain arm, ± {self.accuracy_tolerance:g}"
            axis.axhspan(plain - self.accuracy_tolerance, plain + self.accuracy_tolerance, color=style.GREY, label=label, **style.BAND)
            axis.axhline(plain, **style.TRUTH | {"linewidth": 0.8})
        axis.margins(0.06)
        axis.autoscale_view()
        axis.set(xlim=axis.get_xlim(), ylim=axis.get_ylim())
        name_at_right(axis, labels, height, weight={REFERENCE: "bold"})
