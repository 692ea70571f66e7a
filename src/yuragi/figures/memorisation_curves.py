"""How networks learn random labels by rote, epoch by epoch."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

pd = lazy.load("pandas")

OTHERS = ("train_accuracy", "held_out_accuracy")
"""Further numbers of an epoch, where they were measured."""

REFERENCE = "plain"
ACROSS = 5
"""Panels side by side."""
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
"""Of the fractions of random labels, the largest first."""


class MemorisationCurves(Figure):
    """The share of random labels that every arm has learned by rote after each epoch."""

    kind: Literal["memorisation_curves"] = "memorisation_curves"

    needs: ClassVar = ("memorisation",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a network, fraction of random labels and epoch."""
        from yuragi.figures._networks import read_networks
        from yuragi.robustness.memorisation import COLUMNS

        curves = pd.concat(read_networks(results["memorisation"], ".csv", COLUMNS), ignore_index=True)
        return curves.reindex(columns=["experiment", "arm", "seed", *COLUMNS, *OTHERS])

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment, a panel an arm, a kind of line a fraction of random labels; the plain arm stands in every panel."""
        looks = style.looks(table["arm"])
        dashes = dict(zip(sorted(table["random_labels"].unique(), reverse=True), itertools.cycle(DASHES), strict=False))
        groups = list(table.groupby("experiment", sort=False))
        across = min(ACROSS, max(rows["arm"].nunique() for _, rows in groups))
        lines = [-(-rows["arm"].nunique() // across) for _, rows in groups]
        drawing = style.canvas(1, sum(lines), (max(2.0 * across + 0.4, 4.5), 1.6), legend=0.4 + 0.6 * len(groups))
        parts = drawing.subfigures(len(groups), 1, squeeze=False, height_ratios=[0.6 + 1.6 * count for count in lines])[:, 0]
        first = []
        for part, (experiment, rows), count in zip(parts, groups, lines, strict=True):
            part.suptitle(f"{experiment}: {style.counted(rows['seed'].nunique(), 'seed')} an arm", x=0.01, ha="left", weight="bold")
            axes = part.subplots(count, across, squeeze=False, sharex=True, sharey=True).ravel()
            arms = list(rows.groupby("arm", sort=False))
            for axis, (arm, of_arm) in zip(axes, arms, strict=False):
                _draw_arm(axis, of_arm, looks[str(arm)].color, dashes)
                if arm != REFERENCE:
                    _draw_means(axis, rows[rows["arm"] == REFERENCE], style.BLACK, dashes, linewidth=0.8)
                axis.set_title(str(arm), fontsize=9)
                axis.tick_params(labelbottom=True)
            for axis in axes[len(arms) :]:
                axis.remove()
            axes[0].set(ylim=(-0.08, 1.08), yticks=(0, 0.5, 1))
            part.supxlabel("epoch", fontsize=9)
            part.supylabel("share learned by rote", fontsize=9)
            first.append(axes[0])
        for fraction, dash in dashes.items():
            first[0].plot([], [], color=style.GREY, linestyle=dash, linewidth=1.8, label=f"{fraction:.0%} random labels")
        first[0].plot([], [], color=style.BLACK, linewidth=0.8, label=f"the {REFERENCE} arm")
        style.legend_below(drawing, first)
        return drawing


def _draw_arm(axis: Any, rows: pd.DataFrame, color: str, dashes: dict[float, Any]) -> None:
    for _, of_fraction in rows.groupby("random_labels"):
        by_epoch = of_fraction.groupby("epoch")["memorised"]
        axis.fill_between(by_epoch.min().index, by_epoch.min(), by_epoch.max(), color=color, **style.BAND)
    _draw_means(axis, rows, color, dashes, linewidth=1.8)


def _draw_means(axis: Any, rows: pd.DataFrame, color: str, dashes: dict[float, Any], linewidth: float) -> None:
    for fraction, dash in dashes.items():
        mean = rows[rows["random_labels"] == fraction].groupby("epoch")["memorised"].mean()
        axis.plot(mean.index, mean, color=color, linestyle=dash, linewidth=linewidth)
