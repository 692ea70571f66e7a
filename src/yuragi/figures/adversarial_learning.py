"""How adversarial training went, and where it overfitted to its own attack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

MEASURES = {
    "watched_clean_accuracy": ("clean", style.BLACK),
    "watched_attack_accuracy": ("attack of the training", style.ORANGE),
    "watched_pgd_accuracy": ("PGD", style.BLUE),
}
NETWORK = ("experiment", "arm", "seed")
ADVERSARIAL = "watched_pgd_accuracy"
ACROSS = 4


class AdversarialLearning(Figure):
    """Accuracy on held-out images after every epoch of adversarial training: clean, under its own attack, and under PGD."""

    kind: Literal["adversarial_learning"] = "adversarial_learning"

    needs: ClassVar = ("adversarial_histories",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row an adversarially trained network and epoch; `catastrophic_epoch` is the network's own, missing where there is none."""
        from yuragi.figures._networks import HISTORY, read_networks
        from yuragi.figures._tables import joined
        from yuragi.files import read_table
        from yuragi.training.overfitting import catastrophic_epoch

        columns = ("epoch", "adversarial", *MEASURES)
        tables = []
        for path in results["adversarial_histories"]:
            if ADVERSARIAL not in read_table(path, ("epoch",)):
                continue
            history = read_networks([path], HISTORY, columns)[0]
            found = catastrophic_epoch(history[list(columns)].to_dict("records"))
            tables.append(history.assign(catastrophic_epoch=np.nan if found is None else found))
        return joined(tables, (*NETWORK, *columns, "catastrophic_epoch"))

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment, a panel an arm: thin lines are networks, thick ones their mean; crosses mark catastrophic overfitting."""
        from yuragi.figures import _adversarial

        if table.empty:
            return style.notice("No network of this run was watched while it was trained adversarially.")
        groups = [rows for _, rows in table.groupby("experiment", sort=False)]
        titles = [f"{rows['experiment'].iloc[0]}: {style.counted(rows['seed'].nunique(), 'seed')} an arm" for rows in groups]
        lines = [_adversarial.lines_of(list(dict.fromkeys(rows["arm"])), ACROSS) for rows in groups]
        drawing, strips = _adversarial.strips(titles, lines, (2.6, 2.3), sharey=True)
        for panels, rows, strip in zip(strips, groups, lines, strict=True):
            for arm, axis in panels.items():
                _draw_arm(axis, str(arm), rows[rows["arm"] == arm])
            for line in strip:
                panels[line[0]].set(ylabel="held-out accuracy")
        _adversarial.legend(drawing, strips)
        return drawing


def _draw_arm(axis: Any, arm: str, rows: pd.DataFrame) -> None:
    for column, (label, color) in MEASURES.items():
        watched = rows[rows[column].notna()]
        for _, of_seed in watched.groupby("seed"):
            axis.plot(of_seed["epoch"], of_seed[column], color=color, linewidth=0.7, alpha=0.7)
        mean = watched.groupby("epoch")[column].mean()
        axis.plot(mean.index, mean, color=color, linewidth=2, label=label)
    ordinary = rows.loc[rows["adversarial"] == 0, "epoch"]
    if len(ordinary):
        axis.axvspan(rows["epoch"].min() - 0.5, ordinary.max() + 0.5, color=style.GREY, label="no adversarial images yet", **style.BAND)
    struck = rows[rows["epoch"] == rows["catastrophic_epoch"]]
    # A line without points that is not clipped would leave the layout without a solution.
    if len(struck):
        mark = {"color": style.RED, "markersize": 7, "markeredgecolor": "white", "linestyle": "none", "zorder": 5, "clip_on": False}
        axis.plot(struck["epoch"], struck[ADVERSARIAL], "X", label="catastrophic overfitting", **mark)
    told = f": overfits in {len(struck)} of {rows['seed'].nunique()}" if len(struck) else ""
    axis.set_title(f"{arm}{told}", fontsize=9, color=style.RED if len(struck) else style.BLACK)
    axis.set(xlabel="epoch", ylim=(-0.02, 1.02))
    axis.xaxis.get_major_locator().set_params(integer=True)
