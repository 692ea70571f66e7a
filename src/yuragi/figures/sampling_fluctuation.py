"""What lasts in networks that go on fluctuating after they have learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _sampling_arms, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

WINDOWS = (
    "condition",
    "window",
    "sweep",
    "periods",
    "accuracy",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
    "single_accuracy",
    "turnover",
    "hidden_turnover",
    "hidden_correlation",
    "outputs_correlation",
    "turnover_of_prior",
    "samples",
    "images",
)
LAGS = ("connections", "lag", "periods", "similarity", "autocorrelation")
CLAIMS = (
    "arm",
    "condition",
    "largest_deviation",
    "low",
    "high",
    "at_periods",
    "mean_difference",
    "mean_low",
    "mean_high",
    "tolerance",
    "seeds",
    "images",
)
LOOKS = {
    "continued": ("it goes on fluctuating", style.BLUE, "o"),
    "redrawn": ("control: as many synapses redrawn", style.RED, "v"),
    "shuffled": ("control: its changes at other synapses", style.ORANGE, "^"),
}
GROUPS = {"hidden": "-", "outputs": (0, (4, 2))}


class SamplingFluctuation(Figure):
    """Accuracy stays while the synapses turn over: windows after learning, beside what the same turnover does by itself."""

    kind: Literal["sampling_fluctuation"] = "sampling_fluctuation"

    needs: ClassVar = ("sampling_fluctuation",)
    uses: ClassVar = ("sampling_lags", "sampling_stability")

    def table(self, results: Results) -> pd.DataFrame:
        """One row a network, condition and window (part ``window``); a network, group of connections and lag (``lag``); a claim (``claim``)."""
        from yuragi.figures._networks import read_networks
        from yuragi.files import read_table

        parts = [("window", pd.concat(read_networks(results["sampling_fluctuation"], ".fluctuation.csv", WINDOWS), ignore_index=True))]
        if "sampling_lags" in results:
            parts.append(("lag", pd.concat(read_networks(results["sampling_lags"], ".lags.csv", LAGS), ignore_index=True)))
        if "sampling_stability" in results:
            claims = [read_table(path, CLAIMS).assign(study=path.parent.name) for path in results["sampling_stability"]]
            parts.append(("claim", pd.concat(claims, ignore_index=True)))
        tables = [rows.rename(columns={"experiment": "study"}).assign(part=part) for part, rows in parts]
        table = pd.concat(tables, ignore_index=True)
        return table[["study", "arm", "part", "seed", *(name for name in table if name not in ("study", "arm", "part", "seed"))]]

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip a study and arm: accuracy, turnover and likeness against time, correlation of synapses against lag."""
        groups = list(table.groupby(["study", "arm"], sort=False))
        titles = [f"{study}, {_sampling_arms.plainly(arm)}: {style.counted(rows['seed'].nunique(), 'seed')}" for (study, arm), rows in groups]
        drawing, strips = style.strips(titles, 3, (3.5, 2.9), legend=1.0)
        for (accuracy, turnover, lags), (_, rows) in zip(strips, groups, strict=True):
            windows = rows[rows["part"] == "window"]
            _draw_accuracy(accuracy, windows, rows[rows["part"] == "claim"])
            _draw_turnover(turnover, windows[windows["condition"] == "continued"])
            _draw_lags(lags, rows[rows["part"] == "lag"])
        style.legend_below(drawing, [axis for panels in strips for axis in panels], columns=3)
        return drawing


def _draw_accuracy(axis: Any, windows: pd.DataFrame, claims: pd.DataFrame) -> None:
    for condition, (label, color, marker) in LOOKS.items():
        of = windows[windows["condition"] == condition]
        if condition != "continued":
            of = of[of["window"] > 0]
        _band(axis, of, "periods", "accuracy", color, marker=marker, label=label)
        if condition == "continued":
            alone = of.groupby("periods")["single_accuracy"].mean()
            axis.plot(alone.index, alone, color=color, linestyle=(0, (1, 1.5)), label="a single sample of it")
    axis.set(xlabel="time after learning\n(lengths of learning)", ylabel="held-out accuracy", ylim=(-0.02, 1.02), title="function")
    axis.set_yticks(np.linspace(0, 1, 6))
    kept = claims[claims["condition"] == "continued"]
    if len(kept):
        row = kept.iloc[0]
        text = f"largest deviation {100 * row['largest_deviation']:.1f} points\nmean change {100 * row['mean_difference']:+.1f} "
        text += f"[{100 * row['mean_low']:+.1f}, {100 * row['mean_high']:+.1f}]"
        # Between the accuracies that last and those of the controls, on white where a line passes.
        axis.text(0.97, 0.66, text, fontsize=7.5, color=style.BLUE, ha="right", va="center", transform=axis.transAxes, bbox=_white())


def _white() -> dict[str, object]:
    return {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}


def _draw_turnover(axis: Any, windows: pd.DataFrame) -> None:
    _band(axis, windows, "periods", "turnover", style.GREEN, marker="D", label="synapse counts that differ")
    named = "hidden_correlation" if style.present(windows["hidden_correlation"]) else "outputs_correlation"
    _band(axis, windows, "periods", named, style.PINK, marker="s", label="correlation with the end of learning")
    axis.axhline(windows["turnover_of_prior"].iloc[0], **style.TRUTH, label="counts that differ between two draws of the prior")
    axis.set(xlabel="time after learning\n(lengths of learning)", ylabel="share, correlation", title="synapses")
    axis.set_ylim(min(-0.05, float(windows[named].min()) - 0.02), 1.05)


def _draw_lags(axis: Any, lags: pd.DataFrame) -> None:
    axis.set(xlabel="lag (sweeps)", ylabel="correlation", title="synapses, a lag apart")
    if lags.empty:
        axis.text(0.5, 0.5, "no lags in this run", ha="center", va="center", color=style.GREY, transform=axis.transAxes)
        return
    for connections, rows in lags.groupby("connections", sort=False):
        dash = GROUPS.get(str(connections), "-")
        for column, color, text in (
            ("similarity", style.BLACK, "counts over connections"),
            ("autocorrelation", style.SKY, "each count's own fluctuation"),
        ):
            _band(axis, rows, "lag", column, color, linestyle=dash, label=f"{text}, {'hidden' if connections == 'hidden' else 'to outputs'}")
    axis.axhline(0, color=style.GREY, linewidth=0.8)
    style.logarithmic(axis, "x")
    axis.set_ylim(min(-0.1, float(lags[["similarity", "autocorrelation"]].min().min()) - 0.02), 1.05)


def _band(axis: Any, rows: pd.DataFrame, x: str, y: str, color: str, **look: Any) -> None:
    """The mean over seeds, and a band from the lowest to the highest."""
    rows = rows.dropna(subset=[y])
    by = rows.groupby(x)[y]
    axis.fill_between(by.mean().index, by.min(), by.max(), color=color, **style.BAND)
    axis.plot(by.mean().index, by.mean(), color=color, **look)
