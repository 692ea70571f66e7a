"""Whether noise in a layer defends better than noise at the input, attacker by attacker."""

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
    "reference",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "clean_difference",
    "seeds",
)
LOOKS = {
    ("hidden_white", "input"): (style.ORANGE, "^"),
    ("hidden_spontaneous", "input"): (style.GREEN, "D"),
    ("hidden_spontaneous", "hidden_white"): (style.BLUE, "s"),
    ("both", "input"): (style.PINK, "v"),
}
SIGNIFICANT = 0.05


class AdaptivityClaims(Figure):
    """Differences of the defended fraction between defences, with intervals, for every attacker and attack."""

    kind: Literal["adaptivity_claims"] = "adaptivity_claims"

    needs: ClassVar = ("adaptivity_claims",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row an experiment, matching, attack, attacker and pair of defences."""
        from yuragi.figures._tables import joined
        from yuragi.files import read_table

        ending = ".claims"
        tables = [read_table(path, COLUMNS).assign(experiment=path.stem.removesuffix(ending)) for path in results["adaptivity_claims"]]
        return joined(tables, ("experiment", *COLUMNS))

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment and matching, a panel an attack, a row an attacker, a mark a pair of defences."""
        attacks, attackers = (list(dict.fromkeys(table[name])) for name in ("attack", "attacker"))
        pairs = list(dict.fromkeys(zip(table["defence"], table["reference"], strict=True)))
        groups = [rows for _, rows in table.groupby(["experiment", "matching"], sort=False)]
        if not groups:
            return style.notice("one defence only, so that nothing can be compared")
        drawing, strips = style.strips([_title(rows) for rows in groups], columns=len(attacks), panel=(2.5, 0.5 * len(attackers) + 0.7), sharey=True)
        for axes, rows in zip(strips, groups, strict=True):
            for axis, attack in zip(axes, attacks, strict=True):
                _draw_panel(axis, rows[rows["attack"] == attack], attackers, pairs)
                axis.set_title(attack.replace("_", " "), fontsize=9)
            axes[0].set(yticks=range(len(attackers)), yticklabels=attackers, ylim=(len(attackers) - 0.5, -0.5), ylabel="attacker adapts to")
        for axis in strips[-1]:
            axis.set_xlabel("difference of defended fractions")
        style.legend_below(drawing, [axis for axes in strips for axis in axes], columns=4)
        return drawing


def _title(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    matched = _matching.NAMES.get(first["matching"], first["matching"])
    return f"{first['experiment']}, {matched}: {style.counted(int(first['seeds']), 'seed')}"


def _draw_panel(axis: Any, rows: pd.DataFrame, attackers: list[str], pairs: list[tuple[str, str]]) -> None:
    axis.axvline(0, **style.TRUTH | {"linewidth": 0.8})
    for place, pair in enumerate(pairs):
        color, marker = LOOKS.get(pair, (style.GREY, "o"))
        of_pair = rows[(rows["defence"] == pair[0]) & (rows["reference"] == pair[1])]
        heights = np.array([attackers.index(name) for name in of_pair["attacker"]]) + 0.18 * (place - (len(pairs) - 1) / 2)
        sure = (of_pair["p_holm"] < SIGNIFICANT).to_numpy()
        axis.hlines(heights, of_pair["low"], of_pair["high"], color=color, linewidth=1.5, alpha=0.6)
        difference = of_pair["difference"].to_numpy(dtype=float)
        axis.plot(difference, heights, marker, color=color, fillstyle="none", label=" - ".join(name.replace("_", " ") for name in pair))
        axis.plot(difference[sure], heights[sure], marker, color=color)
    axis.set_xlim(-1.05, 1.05)
    axis.grid(axis="y", visible=False)
