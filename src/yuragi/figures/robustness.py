"""Robust accuracy of every arm against the size of the attack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _norms, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = ("arm", "attack", "epsilon", "accuracy", "low", "high", "minimum", "maximum", "sd", "clean_accuracy", "seeds", "images", "verdict")


class Robustness(Figure):
    """Accuracy under attack as a function of ε, for every experiment, attack and arm."""

    kind: Literal["robustness"] = "robustness"

    needs: ClassVar = ("robustness",)
    uses: ClassVar = ("robustness_l2",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row an experiment, norm, arm, attack and ε: mean over seeds and images, its 95 % interval, and the spread over seeds."""
        from yuragi.figures._tables import joined
        from yuragi.files import read_table

        tables = [read_table(path, COLUMNS).assign(experiment=path.stem, norm=norm) for norm, path in _norms.by_norm(results, "robustness")]
        table = joined(tables, ("experiment", "norm", *COLUMNS))
        return table.rename(
            columns={"epsilon": "epsilon_pixel_units", "minimum": "smallest_of_seeds", "maximum": "largest_of_seeds", "sd": "sd_over_seeds"}
        )

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment and norm, a panel an attack, a line an arm."""
        attacks = list(dict.fromkeys(table["attack"]))
        looks = style.looks(table["arm"])
        groups = [rows for _, rows in table.groupby(["experiment", "norm"], sort=False)]
        drawing, strips = style.strips([_title(rows) for rows in groups], columns=len(attacks), sharey=True, panel=(2.7, 2.7))
        for panels, rows in zip(strips, groups, strict=True):
            for axis, attack in zip(panels, attacks, strict=True):
                _draw_attack(axis, rows[rows["attack"] == attack], looks)
                axis.set(title=attack.replace("_", " "), xlabel=_norms.AXES[rows["norm"].iloc[0]])
            panels[0].set(ylabel="accuracy", ylim=(-0.02, 1.02))
        style.legend_below(drawing, [axis for panels in strips for axis in panels])
        return drawing


def _named(arm: str, verdict: pd.Series) -> str:
    """The arm, marked where something speaks against believing its accuracy."""
    return arm if (verdict == "ok").all() else f"{arm} (!)"


def _title(rows: pd.DataFrame) -> str:
    norm = _norms.NAMES[rows["norm"].iloc[0]]
    return (
        f"{rows['experiment'].iloc[0]}, {norm}: {style.counted(rows['seeds'].max(), 'seed')} an arm, {style.counted(rows['images'].max(), 'image')}"
    )


def _draw_attack(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    budgets = np.unique(rows["epsilon_pixel_units"])
    step = np.diff(budgets).min() if len(budgets) > 1 else 0.0
    count = rows["arm"].nunique()
    for place, (arm, of_arm) in enumerate(rows.groupby("arm", sort=False)):
        look = looks[str(arm)]
        line = of_arm.sort_values("epsilon_pixel_units")
        epsilon = line["epsilon_pixel_units"]
        axis.fill_between(epsilon, line["low"], line["high"], color=look.color, **(style.BAND | {"alpha": 0.13}))
        axis.plot(epsilon, line["accuracy"], color=look.color, marker=look.marker, label=_named(str(arm), line["verdict"]))
        # Side by side, so that the spread of one arm does not hide that of the next.
        shift = 0.4 * step * (place + 0.5 - count / 2) / count
        axis.vlines(epsilon + shift, line["smallest_of_seeds"], line["largest_of_seeds"], color=look.color, linewidth=1)
        axis.plot(
            0, line["clean_accuracy"].iloc[0], marker=look.marker, markersize=8, fillstyle="none", color=look.color, linestyle="none", clip_on=False
        )
