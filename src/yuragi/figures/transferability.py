"""Whether attacked images fool other networks than the one they were made for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

PAIR = tuple(f"{end}_{name}" for end in ("source", "target") for name in ("experiment", "arm", "seed"))
ATTACK = ("attack_kind", "knowledge", "iterated")
CELL = ("relation", "attack", "epsilon")
COUNTS = ("recognised", "fooled", "transferred")
PAIRS = (*PAIR, "relation", "attack", *ATTACK, "epsilon", *COUNTS, "rate", "chance", "chance_fooled", "mean_size", "mean_change")
INTERVAL = ("low", "high", "p", "p_holm", "common", "common_low", "common_high")
SIZES = ("pairs", "networks", "images")
CLAIMS = ("relation", "attack", "minus", "epsilon", "rate", *INTERVAL, *SIZES)
COLUMNS = (
    "study",
    "measure",
    "relation",
    "attack",
    "minus",
    *ATTACK,
    "epsilon",
    "rate",
    *INTERVAL,
    *PAIR,
    *COUNTS,
    "chance",
    "chance_fooled",
    "mean_size",
    "mean_change",
    *SIZES,
)
WHOLE = ("source_seed", "target_seed", *COUNTS, *SIZES)

RELATIONS = ("another seed", "another training", "another architecture")
CHANCE = "chance"
GROUPS = {"one step": style.ORANGE, "iterated": style.BLUE, "no gradient": style.GREEN}


class Transferability(Figure):
    """Of the images that fool the network they were made for, the fraction that fools another."""

    kind: Literal["transferability"] = "transferability"

    needs: ClassVar = ("transfers",)
    uses: ClassVar = ("transfer_claims",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a study and `measure`: every pair; and the mean over pairs, what it is beyond chance, and one attack minus another."""
        from yuragi.files import read_table

        claims = {_study(path): read_table(path, CLAIMS)[list(CLAIMS)] for path in results.get("transfer_claims", ())}
        tables = []
        for path in results["transfers"]:
            pairs = read_table(path, PAIRS)[list(PAIRS)]
            found = claims[_study(path)] if _study(path) in claims else _means(pairs)
            found = found.merge(pairs[["attack", *ATTACK]].drop_duplicates(), on="attack", how="left", validate="many_to_one")
            found["measure"] = np.where(found["minus"].isna(), "mean", np.where(found["minus"] == CHANCE, "beyond chance", "difference"))
            for rows in (pairs.assign(measure="pair"), found):
                tables.append(rows.assign(study=_study(path)).reindex(columns=list(COLUMNS)))
        table = pd.concat([rows.astype(object) for rows in tables], ignore_index=True).infer_objects()
        return table.astype(dict.fromkeys(WHOLE, "Int64")).rename(columns={"epsilon": "epsilon_pixel_units"})

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip a study at its largest ε, a panel a relation, a row an attack; a point is a pair."""
        studies = [rows[rows["epsilon_pixel_units"] == rows["epsilon_pixel_units"].max()] for _, rows in table.groupby("study", sort=False)]
        relations = [relation for relation in RELATIONS if (table["relation"] == relation).any()]
        most = max(rows["attack"].nunique() for rows in studies)
        drawing, strips = style.strips(
            [_title(rows) for rows in studies], columns=len(relations), sharey=True, panel=(3.4, 1.1 + 0.36 * most), legend=0.7
        )
        for panels, rows in zip(strips, studies, strict=True):
            attacks = _ordered(rows)
            there = [relation for relation in relations if (rows["relation"] == relation).any()]
            for axis, relation in zip(panels, there, strict=False):
                _draw_relation(axis, rows[rows["relation"] == relation], attacks)
                axis.set_title(_heading(rows, relation))
            for axis in panels[len(there) :]:
                axis.remove()
            panels[0].set(yticks=range(len(attacks)), yticklabels=[name.replace("_", " ") for name in attacks], ylim=(len(attacks) - 0.5, -0.6))
        _name_marks(strips[0][0], table)
        style.legend_below(drawing, strips[0][:1], columns=2 if len(relations) == 1 else 3)
        return drawing


def _study(path: Path) -> str:
    return path.name.removesuffix(".csv").removesuffix(".claims")


def _means(pairs: pd.DataFrame) -> pd.DataFrame:
    """Means over pairs, without intervals: what can be said where there are no claims."""
    cells = pairs.groupby(list(CELL), sort=False)["rate"]
    return cells.agg(rate="mean", pairs="count").reset_index().reindex(columns=list(CLAIMS))


def _group(rows: pd.DataFrame) -> str:
    return {"gradient": "one step", "gradients": "iterated"}.get(str(rows["knowledge"].iloc[0]), "no gradient")


def _ordered(rows: pd.DataFrame) -> list[str]:
    """The attacks, those of one step first."""
    groups = {str(name): list(GROUPS).index(_group(of_attack)) for name, of_attack in rows.groupby("attack", sort=False)}
    return sorted(groups, key=lambda name: groups[name])


def _title(rows: pd.DataFrame) -> str:
    images = rows["images"].max()
    told = "" if pd.isna(images) else f", {style.counted(int(images), 'image')}"
    return f"{rows['study'].iloc[0]}: ε = {rows['epsilon_pixel_units'].iloc[0]:g}{told}"


def _heading(rows: pd.DataFrame, relation: str) -> str:
    pairs = rows[(rows["measure"] == "pair") & (rows["relation"] == relation)].drop_duplicates(list(PAIR))
    networks = {tuple(names) for end in (PAIR[:3], PAIR[3:]) for names in pairs[list(end)].itertuples(index=False)}
    return f"{relation}\n{style.counted(len(networks), 'network')}, {style.counted(len(pairs), 'pair')}"


def _name_marks(axis: Any, table: pd.DataFrame) -> None:
    groups = {_group(of_attack) for _, of_attack in table.groupby("attack")}
    for group in (name for name in GROUPS if name in groups):
        axis.plot([], [], "D-", color=GROUPS[group], linewidth=2, markersize=6, label=f"{group}: mean, interval")
    means = table[(table["measure"] == "mean") & table["rate"].notna()]
    if means["low"].isna().any():
        axis.plot([], [], "D", color=style.GREY, markerfacecolor="white", markersize=6, label="mean without interval")
    axis.plot([], [], "o", color=style.GREY, markersize=3, label="a pair of networks")
    axis.plot([], [], "|", color=style.GREY, markersize=10, markeredgewidth=2.2, label="random noise of size ε")


def _draw_relation(axis: Any, rows: pd.DataFrame, attacks: list[str]) -> None:
    for attack, of_attack in rows.groupby("attack", sort=False):
        place, color = attacks.index(str(attack)), GROUPS[_group(of_attack)]
        pairs = of_attack[(of_attack["measure"] == "pair") & of_attack["rate"].notna()]
        # Spread by a fixed rule, so that few points hide others and the same table gives the same picture.
        heights = place + 0.24 + 0.2 * ((np.arange(len(pairs)) * 0.618) % 1 - 0.5)
        axis.plot(pairs["rate"].sort_values(), heights, "o", color=color, markersize=3, alpha=0.5, markeredgewidth=0)
        axis.plot([pairs["chance_fooled"].mean()] * 2, [place - 0.36, place + 0.36], color=style.GREY, linewidth=2.2, alpha=0.8)
        for _, mean in of_attack[(of_attack["measure"] == "mean") & of_attack["rate"].notna()].iterrows():
            known = bool(np.isfinite(mean["low"]))
            if known:
                axis.hlines(place - 0.14, mean["low"], mean["high"], color=color, linewidth=2)
            axis.plot(mean["rate"], place - 0.14, "D", color=color, markerfacecolor=color if known else "white", markersize=6, zorder=3)
    axis.set(xlim=(-0.03, 1.03), xlabel="fraction that fools the other network")
    axis.grid(axis="y", visible=False)
    for place in range(1, len(attacks), 2):
        axis.axhspan(place - 0.5, place + 0.5, color=style.GREY, alpha=0.06, linewidth=0)
