"""Which estimator of the exponent to trust when."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results
from yuragi.figures.calibration import ESTIMATES, NOISES

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

ROW, COLUMN, FIRST = 0.46, 1.75, 2.6
"""Height of a row and widths of a column and of the first one, in inches."""


class Reliability(Figure):
    """Bias and coverage of every estimator for each kind and strength of noise, and which of them to trust there."""

    kind: Literal["reliability"] = "reliability"

    needs: ClassVar = ("estimates",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row an estimator, noise, strength and planted exponent, or all exponents together (`planted_alpha` missing, with the verdict)."""
        from yuragi.files import read_table
        from yuragi.spectra.reliability import reliability, trusted

        summary = reliability(pd.concat([read_table(path, ESTIMATES) for path in results["estimates"]], ignore_index=True))
        verdicts = trusted(summary)
        key = ["noise", "noise_to_signal", "estimator"]
        table = summary.merge(verdicts, on=key, how="left")
        pooled = table["alpha_true"].isna()
        table["trusted"] = table["sentence"].notna() & pooled
        table["sentence"] = table["sentence"].where(pooled)
        table["interval_holds"] = table["interval_holds"].where(pooled)
        return table.rename(columns={"alpha_true": "planted_alpha"})

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A row a situation, a column an estimator; what is trusted stands on green. Below, the same in words."""
        from matplotlib.figure import Figure as Canvas
        from matplotlib.patches import Rectangle

        pooled = table[table["planted_alpha"].isna()]
        estimators = list(dict.fromkeys(pooled["estimator"]))
        situations = list(dict.fromkeys(zip(pooled["noise"], pooled["noise_to_signal"], strict=True)))
        sentences = pooled.dropna(subset="sentence")
        width = max(FIRST + COLUMN * len(estimators), 11.3)
        height = ROW * (len(situations) + 1) + 0.21 * len(sentences) + 0.5
        drawing = Canvas(figsize=(width, height), layout="none")
        axis = drawing.add_axes((0, 0, 1, 1))
        axis.set(xlim=(0, width), ylim=(height, 0))
        axis.set_axis_off()
        for column, estimator in enumerate(estimators):
            label, color, _ = style.ESTIMATORS[str(estimator)]
            axis.text(FIRST + COLUMN * (column + 0.5), ROW * 0.6, label, ha="center", va="center", weight="bold", color=color)
        for row, (noise, strength) in enumerate(situations, start=1):
            top = ROW * row
            axis.plot([0.1, width - 0.1], [top, top], color=style.GREY, linewidth=0.4)
            axis.text(0.12, top + ROW / 2, _situation(str(noise), float(strength)), va="center")
            here = pooled[(pooled["noise"] == noise) & (pooled["noise_to_signal"] == strength)]
            for column, estimator in enumerate(estimators):
                found = here[here["estimator"] == estimator]
                if found.empty:
                    continue
                one, left = found.iloc[0], FIRST + COLUMN * column
                if one["trusted"]:
                    # A verdict has a word beside its colour: the sentence below.
                    firm = one["interval_holds"] in (True, "True") or not one["intervals"]
                    color = style.GREEN if firm else style.ORANGE
                    axis.add_patch(Rectangle((left + 0.04, top + 0.03), COLUMN - 0.08, ROW - 0.06, color=color, **style.BAND))
                axis.text(left + COLUMN / 2, top + ROW / 2, _cell(one), ha="center", va="center", fontsize=8)
        top = ROW * (len(situations) + 1) + 0.25
        for line, sentence in enumerate(sentences["sentence"]):
            axis.text(0.12, top + 0.21 * line, sentence, va="center", fontsize=8.5)
        return drawing


def _situation(noise: str, strength: float) -> str:
    name = NOISES.get(noise, noise)
    return name if noise == "none" else f"{name},\n{strength:g} × the signal"


def _cell(row: pd.Series) -> str:
    bias = f"bias {row['bias']:+.2f}"
    if np.isfinite(row["standard_error"]):
        bias += f" ± {row['standard_error']:.2f}"
    if not row["intervals"]:
        return f"{bias}\nerror {row['rmse']:.2f}"
    return f"{bias}, error {row['rmse']:.2f}\nholds {row['coverage']:.0%} ({row['coverage_low']:.0%} to {row['coverage_high']:.0%})".replace(
        "%", " %"
    )
