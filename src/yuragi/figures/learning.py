"""How training went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

PANELS = {"cross_entropy_nats": "cross-entropy (nats)", "train_accuracy": "training accuracy", "held_out_accuracy": "held-out accuracy"}


class Learning(Figure):
    """Loss and accuracy after every epoch of training."""

    kind: Literal["learning"] = "learning"

    needs: ClassVar = ("histories",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a network and epoch; the cross-entropy is the loss without the penalty."""
        from yuragi.figures._networks import HISTORY, read_networks

        histories = read_networks(results["histories"], HISTORY, ("epoch", "loss", "penalty", "train_accuracy"))
        return pd.concat([_of_network(history) for history in histories], ignore_index=True)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment: cross-entropy, training accuracy, held-out accuracy; a line an arm."""
        looks = style.looks(table["arm"])
        shown = {column: label for column, label in PANELS.items() if style.present(table[column])}
        groups = list(table.groupby("experiment", sort=False))
        titles = [f"{name}: {style.counted(rows['seed'].nunique(), 'seed')} an arm" for name, rows in groups]
        drawing, strips = style.strips(titles, columns=len(shown), sharex=True)
        for panels, (_, rows) in zip(strips, groups, strict=True):
            for axis, (column, label) in zip(panels, shown.items(), strict=True):
                _draw_measure(axis, column, rows, looks)
                axis.set(xlabel="epoch", ylabel=label)
            style.logarithmic(panels[0], "y")
        style.legend_below(drawing, [axis for panels in strips for axis in panels])
        return drawing


def _of_network(history: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **{name: history[name] for name in ("experiment", "arm", "seed", "epoch")},
            "cross_entropy_nats": history["loss"] - history["penalty"],
            "penalty_in_loss": history["penalty"],
            "train_accuracy": history["train_accuracy"],
            "held_out_accuracy": history.get("held_out_accuracy", np.nan),
        }
    )


def _draw_measure(axis: Any, column: str, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    for arm, of_arm in rows.groupby("arm", sort=False):
        by_epoch = of_arm.groupby("epoch")[column]
        mean = by_epoch.mean()
        color = looks[str(arm)].color
        axis.fill_between(mean.index, by_epoch.min(), by_epoch.max(), color=color, **style.BAND)
        axis.plot(mean.index, mean, color=color, label=str(arm))
