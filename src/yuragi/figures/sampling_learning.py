"""How networks that learn by sampling get better, sweep by sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _sampling_arms, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

pd = lazy.load("pandas")

PANELS = {"mean_accuracy": "accuracy of the mean\nover the later half of states", "single_accuracy": "accuracy of a single state"}


class SamplingLearning(Figure):
    """Validation accuracy against sweeps, of single states of the synapses and of their mean."""

    kind: Literal["sampling_learning"] = "sampling_learning"

    needs: ClassVar = ("sampling_histories",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a study, arm, seed and kept state."""
        from yuragi.figures._networks import HISTORY, read_networks

        histories = read_networks(results["sampling_histories"], HISTORY, ("sweep", "single_accuracy", "mean_accuracy"))
        return pd.concat(histories, ignore_index=True).rename(columns={"experiment": "study"})

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip a study: the mean over states left, single states right; a line an arm, its band from the worst to the best seed."""
        groups = list(table.groupby("study", sort=False))
        titles = [f"{name}: {style.counted(rows['seed'].nunique(), 'seed')} an arm" for name, rows in groups]
        drawing, strips = style.strips(titles, 2, (3.9, 2.7), legend=0.9, sharey=True)
        looks = _sampling_arms.looks(list(table["arm"]))
        for panels, (_, rows) in zip(strips, groups, strict=True):
            for axis, (column, label) in zip(panels, PANELS.items(), strict=True):
                _draw(axis, column, rows, looks)
                axis.set(xlabel="sweep: all synapses drawn once", ylabel=label)
                axis.tick_params(labelleft=True)
        style.legend_below(drawing, [axis for panels in strips for axis in panels], columns=3)
        return drawing


def _draw(axis: Any, column: str, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    for arm, of_arm in rows.groupby("arm", sort=False):
        by_sweep, color = of_arm.groupby("sweep")[column], looks[str(arm)].color
        axis.fill_between(by_sweep.mean().index, by_sweep.min(), by_sweep.max(), color=color, **style.BAND)
        axis.plot(by_sweep.mean().index, by_sweep.mean(), color=color, linewidth=1.2, label=_sampling_arms.plainly(str(arm)))
