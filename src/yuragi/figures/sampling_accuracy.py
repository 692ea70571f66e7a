"""What networks that learn by sampling recognise, beside their controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _sampling_arms, style
from yuragi.figures._tables import by_study
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

BESIDE = 0.17


class SamplingAccuracy(Figure):
    """Accuracy of the posterior mean and of single states, and what sampling all synapses adds to each control."""

    kind: Literal["sampling_accuracy"] = "sampling_accuracy"

    needs: ClassVar = ("sampling_accuracy", "sampling_claims")
    uses: ClassVar = ("sampling_mixing",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a study, arm and way to predict; beside it the exact posterior's difference to it, and the largest R-hat of the arm's chains."""
        found = by_study(results["sampling_accuracy"], ("arm", "prediction", "accuracy", "low", "high"))
        claims = by_study(results["sampling_claims"], ("arm", "prediction", "difference", "low", "high", "p_holm"))
        renamed = claims.rename(columns={"difference": "sampled_minus_arm", "low": "difference_low", "high": "difference_high"})
        kept = ["study", "arm", "prediction", "sampled_minus_arm", "difference_low", "difference_high", "p_holm"]
        found = found.merge(renamed[kept], on=kept[:3], how="left", validate="one_to_one")
        mixing = by_study(results["sampling_mixing"], ("arm", "r_hat")) if "sampling_mixing" in results else None
        if mixing is None or mixing.empty:
            return found.assign(r_hat_largest=np.nan)
        largest = mixing.groupby(["study", "arm"])["r_hat"].max().rename("r_hat_largest").reset_index()
        return found.merge(largest, on=["study", "arm"], how="left", validate="many_to_one")

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip a study: accuracies left, differences right; an arm a line."""
        groups = list(table.groupby("study", sort=False))
        arms = max(rows["arm"].nunique() for _, rows in groups)
        titles = [_title(str(name), rows) for name, rows in groups]
        drawing, strips = style.strips(titles, 2, (4.4, 0.9 + 0.34 * arms), width_ratios=(1.25, 1))
        looks = _sampling_arms.looks(list(table["arm"]))
        for (left, right), (_, rows) in zip(strips, groups, strict=True):
            names = list(dict.fromkeys(rows["arm"]))
            places = dict(zip(names, range(len(names))[::-1], strict=True))
            _draw_accuracies(left, rows, places, looks)
            _draw_differences(right, rows, places, looks)
            left.set_yticks(list(places.values()), [_sampling_arms.plainly(name) for name in names])
            left.set(xlabel="test accuracy", ylim=(-0.6, len(names) - 0.4))
            right.set_yticks(list(places.values()), [""] * len(names))
            right.set(xlabel="exact posterior minus this one, points", ylim=(-0.6, len(names) - 0.4))
        style.legend_below(drawing, [strips[0][0]])
        return drawing


def _title(name: str, rows: pd.DataFrame) -> str:
    own = rows[rows["arm"] == "sampled"].iloc[0]
    mixed = "" if np.isnan(own["r_hat_largest"]) else f"; largest R-hat of the exact posterior's chains {own['r_hat_largest']:.2f}"
    return f"{name}: {style.counted(int(own['seeds']), 'seed')}, {style.counted(int(own['images']), 'test image')}{mixed}"


def _draw_accuracies(axis: Any, rows: pd.DataFrame, places: dict[str, int], looks: dict[str, style.Look]) -> None:
    shown = {
        "posterior_mean": ("mean over all states (for controls: their own prediction)", 0.0, True),
        "single_state": ("a single state", -BESIDE * 1.6, False),
    }
    for prediction, (label, beside, filled) in shown.items():
        for row in rows[rows["prediction"] == prediction].itertuples():
            if not filled and row.arm in ("twin", "logistic_regression"):
                continue
            look, y = looks[row.arm], places[row.arm] + beside
            axis.hlines(y, row.low, row.high, color=look.color, linewidth=1.6)
            axis.plot(row.accuracy, y, look.marker, color=look.color, markerfacecolor=look.color if filled else "white")
            if filled:
                axis.annotate(
                    f"{row.accuracy:.3f}", (row.high, y), xytext=(4, 0), textcoords="offset points", fontsize=8, va="center", color=style.GREY
                )
        axis.plot([], [], "o", color=style.GREY, markerfacecolor=style.GREY if filled else "white", label=label)
    axis.margins(x=0.12)


def _draw_differences(axis: Any, rows: pd.DataFrame, places: dict[str, int], looks: dict[str, style.Look]) -> None:
    axis.axvline(0, color=style.GREY, linewidth=0.8)
    told = rows[(rows["prediction"] == "posterior_mean") & rows["sampled_minus_arm"].notna()]
    for row in told.itertuples():
        look, y = looks[row.arm], places[row.arm]
        axis.hlines(y, 100 * row.difference_low, 100 * row.difference_high, color=look.color, linewidth=1.6)
        axis.plot(100 * row.sampled_minus_arm, y, look.marker, color=look.color)
        text = f"{100 * row.sampled_minus_arm:+.1f}"
        axis.annotate(text, (100 * row.difference_high, y), xytext=(4, 0), textcoords="offset points", fontsize=8, va="center", color=style.GREY)
    axis.margins(x=0.15)
