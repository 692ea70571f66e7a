"""What every defence by noise gives back, for every attacker, beside how often the attack had succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _matching, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = (
    "matching",
    "attack",
    "kappa",
    "attacker",
    "defence",
    "success",
    "success_own",
    "defended",
    "low",
    "high",
    "mean_defended",
    "mean_low",
    "mean_high",
    "explained",
    "violations",
    "clean_vote",
    "clean_accuracy",
    "relative_variance_input",
    "relative_variance_hidden",
    "pixel_distance",
    "hidden_distance",
    "seeds",
    "images",
)
SHOWN = 0.005
"""Parts explained by the smoothing inequality from which on they are written into a cell."""
DARK = 0.55
"""Values from which on a cell is so dark that its numbers are white."""


class Adaptivity(Figure):
    """The defended fraction of every attacker and defence, as a heat map for each attack and matching."""

    kind: Literal["adaptivity"] = "adaptivity"

    needs: ClassVar = ("adaptivity",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row an experiment, matching, attack, attacker and defence."""
        from yuragi.figures._tables import joined
        from yuragi.files import read_table

        tables = [read_table(path, COLUMNS).assign(experiment=path.stem) for path in results["adaptivity"]]
        return joined(tables, ("experiment", *COLUMNS))

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment and matching, a panel an attack, a row an attacker, a column a defence."""
        attacks = list(dict.fromkeys(table["attack"]))
        defences, attackers = (list(dict.fromkeys(table[name])) for name in ("defence", "attacker"))
        groups = [rows for _, rows in table.groupby(["experiment", "matching"], sort=False)]
        panel = (max(0.48 * len(defences) + 0.5, 2.0), 0.5 * len(attackers) + 1.1)
        drawing, strips = style.strips([_title(rows) for rows in groups], columns=len(attacks), panel=panel, legend=0.2, sharey=True)
        for axes, rows in zip(strips, groups, strict=True):
            for axis, attack in zip(axes, attacks, strict=True):
                _draw_panel(axis, rows[rows["attack"] == attack], attackers, defences)
                axis.set_title(_named(rows, attack), fontsize=8.5)
            axes[0].set_ylabel("attacker adapts to")
        return drawing


def _title(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    matched = _matching.NAMES.get(first["matching"], first["matching"])
    return f"{first['experiment']}, {matched}: {style.counted(int(first['seeds']), 'seed')}, {first['images']:.0f} images"


def _named(rows: pd.DataFrame, attack: str) -> str:
    kappa = rows.loc[rows["attack"] == attack, "kappa"].iloc[0] if (rows["attack"] == attack).any() else np.nan
    name = attack.replace("_", " ")
    return name if np.isnan(kappa) else f"{name} (κ = {kappa:g})"


def _draw_panel(axis: Any, rows: pd.DataFrame, attackers: list[str], defences: list[str]) -> None:
    cells = rows.set_index(["attacker", "defence"])
    values = cells["defended"].unstack().reindex(index=attackers, columns=defences).to_numpy(dtype=float)
    axis.imshow(values, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for (attacker, defence), cell in cells.iterrows():
        at = defences.index(defence), attackers.index(attacker)
        colour = "white" if cell["defended"] > DARK else style.BLACK
        defended = "-" if np.isnan(cell["defended"]) else f"{cell['defended']:.2f}"
        below = f"of {cell['success']:.2f}" + (f"\n({cell['explained']:.2f})" if cell["explained"] >= SHOWN else "")
        axis.text(at[0], at[1] - 0.2, defended, ha="center", va="center", color=colour, fontsize=8.5, weight="bold")
        axis.text(at[0], at[1] + 0.2, below, ha="center", va="center", color=colour, fontsize=6, linespacing=0.95)
    names = [name.replace("hidden_", "hidden\n") for name in defences]
    axis.set(xticks=range(len(defences)), yticks=range(len(attackers)), yticklabels=attackers)
    axis.set_xticklabels(names, fontsize=7, rotation=60, ha="right", rotation_mode="anchor")
    axis.tick_params(length=0)
    axis.grid(visible=False)
