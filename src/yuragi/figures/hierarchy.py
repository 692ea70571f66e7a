"""Exponents along a hierarchy beside what one true exponent would show."""

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

STAGES = (
    "stage",
    "estimator",
    "alpha",
    "alpha_low",
    "alpha_high",
    "first_rank",
    "last_rank",
    "negative_ranks",
    "units",
    "stimuli",
    "repeats",
    "missing_share",
    "population",
    "signal_to_noise_ratio",
    "participation_ratio",
    "common_alpha",
    "expected",
    "expected_low",
    "expected_high",
)
PAIRS = (
    "first",
    "second",
    "difference",
    "difference_low",
    "difference_high",
    "common_alpha",
    "explained",
    "p",
    "p_holm",
    "survives",
    "sentence",
)
SENTENCES = 12
"""Most pairs that are written out below the drawing; all are in the table."""


class Hierarchy(Figure):
    """The exponent of every stage, what one true exponent would show there, and which differences survive that control."""

    kind: Literal["hierarchy"] = "hierarchy"

    needs: ClassVar = ("stages", "pairs")

    def table(self, results: Results) -> pd.DataFrame:
        """One row a stage (quantity "stage"), then one row a pair of stages (quantity "pair")."""
        tables = []
        for stages, pairs in zip(results["stages"], results["pairs"], strict=True):
            name = stages.name.split(".")[0]
            tables += [_read(stages, STAGES).assign(hierarchy=name, quantity="stage"), _read(pairs, PAIRS).assign(hierarchy=name, quantity="pair")]
        # Columns that one of the two does not have stay empty.
        filled = [table.astype(object) for table in tables if len(table)]
        table = pd.concat(filled, ignore_index=True).infer_objects()
        counts = ("first_rank", "last_rank", "negative_ranks", "units", "stimuli", "repeats", "population")
        return table.astype({name: "Int64" for name in counts})

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A place a stage; below, a sentence a pair."""
        names = list(dict.fromkeys(table["hierarchy"]))
        most = max(int((table["hierarchy"] == name).sum()) for name in names)
        drawing = style.canvas(1, len(names), (9.0, 3.8 + 0.2 * min(most, SENTENCES + 1)), legend=0.4)
        axes = []
        for part, name in zip(drawing.subfigures(len(names), 1, squeeze=False)[:, 0], names, strict=True):
            rows = table[table["hierarchy"] == name]
            stages, pairs = (rows[rows["quantity"] == quantity].reset_index(drop=True) for quantity in ("stage", "pair"))
            said = _said(pairs)
            above, below = part.subplots(2, 1, height_ratios=[3.4, 0.3 + 0.2 * len(said)])
            _draw_stages(above, stages)
            if len(names) > 1:
                above.set_title(name)
            below.set_axis_off()
            for line, (text, color) in enumerate(said):
                below.text(0, 1 - line / max(len(said), 1), text, transform=below.transAxes, va="top", color=color, fontsize=8.5)
            axes.append(above)
        style.legend_below(drawing, axes, columns=3)
        return drawing


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    from yuragi.files import read_table

    return read_table(path, columns)[list(columns)]


def _draw_stages(axis: Any, stages: pd.DataFrame) -> None:
    places = np.arange(len(stages))
    common = float(stages["common_alpha"].iloc[0])
    label = f"what one true exponent, {common:.2f}, would show (95 %)"
    axis.bar(
        places,
        stages["expected_high"] - stages["expected_low"],
        bottom=stages["expected_low"],
        width=0.5,
        color=style.GREY,
        label=label,
        **style.BAND,
    )
    for place, expected in zip(places, stages["expected"], strict=True):
        axis.plot([place - 0.25, place + 0.25], [expected, expected], label="its expectation", **style.TRUTH)
    name, color, marker = style.ESTIMATORS[str(stages["estimator"].iloc[0])]
    reach = np.array([stages["alpha"] - stages["alpha_low"], stages["alpha_high"] - stages["alpha"]], dtype=float)
    reach = np.where(np.isfinite(reach), reach, 0.0)
    axis.errorbar(places, stages["alpha"], reach, fmt=marker, color=color, capsize=3, markersize=6, label=f"{name}, 95 % interval over stimuli")
    for place, row in stages.iterrows():
        axis.annotate(f"{row['alpha']:.2f}", (place, row["alpha"]), (8, 0), textcoords="offset points", va="center", color=color)
    axis.set(xticks=places, xticklabels=[_about(row) for _, row in stages.iterrows()], xlim=(-0.6, len(stages) - 0.4), ylabel="exponent α")
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="x", visible=False)


def _about(stage: pd.Series) -> str:
    ratio = stage["signal_to_noise_ratio"]
    noise = "no noise" if np.isinf(ratio) else f"signal/noise {ratio:.2g}"
    ranks = f"ranks {stage['first_rank']:.0f} to {stage['last_rank']:.0f}"
    return f"{stage['stage']}\n{stage['units']:.0f} units, {stage['stimuli']:.0f} stimuli\n{noise}, {ranks}"


def _said(pairs: pd.DataFrame) -> list[tuple[str, str]]:
    """What is said of each pair, those that survive first, and the colour that says the same."""
    ordered = pairs.sort_values("p_holm", kind="stable")
    lines = [(str(row["sentence"]), style.BLUE if str(row["survives"]) == "True" else style.GREY) for _, row in ordered.iterrows()]
    if len(lines) > SENTENCES:
        lines = [*lines[:SENTENCES], (f"and {len(lines) - SENTENCES} more in the table", style.GREY)]
    return lines
