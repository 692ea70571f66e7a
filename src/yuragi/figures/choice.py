"""How learning rate and number of epochs were chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

pd = lazy.load("pandas")

COLUMNS = ("candidate", "learning_rate", "seed", "epoch", "validation_accuracy")


class Choice(Figure):
    """Accuracy on validation images over epochs for each candidate learning rate, and the pair that was chosen."""

    kind: Literal["choice"] = "choice"

    needs: ClassVar = ("choices",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row an experiment, candidate, seed and epoch; chosen is what `yuragi.training.sweep.best` chooses."""
        return pd.concat([_of_experiment(path) for path in results["choices"]], ignore_index=True)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A panel an experiment, a line a candidate."""
        candidates = list(dict.fromkeys(zip(table["learning_rate"], table["candidate"], strict=True)))
        looks = style.looks(f"{rate:g} {candidate}" for rate, candidate in sorted(candidates))
        groups = list(table.groupby("experiment", sort=False))
        drawing, axes = style.grid(len(groups), columns=2, panel=(4.4, 3.2), legend=0.5)
        for axis, (experiment, rows) in zip(axes, groups, strict=True):
            _draw_experiment(axis, rows, looks)
            title = f"{experiment}: {style.counted(rows['seed'].nunique(), 'seed')} a line"
            axis.set(title=title, xlabel="epoch", ylabel="accuracy on validation images")
        style.legend_below(drawing, axes, columns=3 * min(len(groups), 2))
        return drawing


def _of_experiment(path: Path) -> pd.DataFrame:
    from yuragi.files import read_table
    from yuragi.training.sweep import best

    rows = read_table(path, COLUMNS)[list(COLUMNS)]
    choice = best(rows)
    rows.insert(0, "experiment", path.name.removesuffix(".csv").removesuffix(".choice"))
    rows["mean_validation_accuracy"] = rows.groupby(["candidate", "epoch"])["validation_accuracy"].transform("mean")
    rows["chosen"] = (rows["candidate"] == choice.candidate) & (rows["epoch"] == choice.epochs)
    return rows


def _draw_experiment(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    alone = rows.groupby("learning_rate")["candidate"].nunique().max() == 1
    for (rate, candidate), of_candidate in rows.groupby(["learning_rate", "candidate"]):
        color, marker = looks[f"{rate:g} {candidate}"]
        for _, network in of_candidate.groupby("seed"):
            axis.plot(network["epoch"], network["validation_accuracy"], color=color, linewidth=0.6, alpha=0.5)
        mean = of_candidate.groupby("epoch")["validation_accuracy"].mean()
        label = f"learning rate {rate:g}{'' if alone else f', candidate {candidate}'}"
        if of_candidate["validation_accuracy"].isna().any():
            label = f"{label} (diverged)"
        axis.plot(mean.index, mean, color=color, marker=marker, markevery=max(len(mean) // 6, 1), label=label)
    chosen = rows[rows["chosen"].astype(bool)].iloc[0]
    place = (chosen["epoch"], chosen["mean_validation_accuracy"])
    axis.plot(*place, "*", color=style.BLACK, markersize=13, markeredgecolor="white", linestyle="none", label="chosen", zorder=5)
    # Early epochs of slow rates would press the interesting part into a strip.
    middle = rows["mean_validation_accuracy"].median()
    low, high = rows["validation_accuracy"].min(), rows["validation_accuracy"].max()
    axis.set_ylim(max(low, high - 3 * max(high - middle, 0.01)) - 0.03 * (high - low), high + 0.1 * max(high - middle, 0.01))
