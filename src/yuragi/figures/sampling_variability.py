"""Whether a stimulus quenches the variability of a network that learns by sampling, and what its units share and respond to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _sampling, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

QUENCHED = {"quenching": "as\nmeasured", "quenching_matched": "at matched\nmeans", "quenching_excess": "beyond\nchance"}
SHARED = {
    "noise_correlation_size": ("noise\ncorrelation,\nsize", "noise_correlation_size_shuffled"),
    "signal_noise_relation": ("signal and\nnoise alike", "signal_noise_relation_shuffled"),
    "selectivity": ("class\nselectivity", "selectivity_shuffled"),
    "sparseness": ("lifetime\nsparseness", None),
}


class SamplingVariability(Figure):
    """Fano factors around the onset of an image, what the image quenches, and correlations and tuning, before and after learning."""

    kind: Literal["sampling_variability"] = "sampling_variability"

    needs: ClassVar = ("sampling_variability",)

    def table(self, results: Results) -> pd.DataFrame:
        """All measures of every study, by condition, seed, and window or epoch; rows without a seed are over all seeds."""
        return _sampling.read_studies(results["sampling_variability"], ("learning", "epoch", "time_sweeps"))

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip a study: Fano factor against time, the same at matched means, quenching, correlations and tuning."""
        table = _sampling.plain(table, "learning", "synapses", "epoch")
        studies = list(table.groupby("study", sort=False))
        titles = [f"{name} ({_sampling.seeds_of(rows)})" for name, rows in studies]
        drawing, strips = style.strips(titles, 4, (3.1, 2.7), legend=0.8, width_ratios=(1, 1, 1, 1.35))
        for axes, (_, rows) in zip(strips, studies, strict=True):
            _courses(axes[0], rows, "fano", "fano_bernoulli", "Fano factor", legend=True)
            _courses(axes[1], rows, "fano_matched", "fano_matched_bernoulli", "Fano factor at matched means")
            _quenching(axes[2], rows)
            _sharing(axes[3], rows)
        style.legend_below(drawing, [axis for axes in strips for axis in axes], columns=3)
        return drawing


def _courses(axis: Any, rows: pd.DataFrame, measure: str, control: str, title: str, *, legend: bool = False) -> None:
    for (learning, synapses), (name, color, marker) in _sampling.CONDITIONS.items():
        of = rows[(rows["learning"] == learning) & (rows["synapses"] == synapses) & rows["time_sweeps"].notna()]
        found, expected = (of[of["measure"] == wanted] for wanted in (measure, control))
        if found.empty:
            continue
        mean = _sampling.over_seeds(found)
        for _, seed in _sampling.single_seeds(found).groupby("seed"):
            for _, epoch in seed.groupby("epoch", sort=False):
                axis.plot(epoch["time_sweeps"], epoch["value"], color=color, linewidth=0.6, alpha=0.45)
        for number, (_, epoch) in enumerate(mean.groupby("epoch", sort=False)):
            axis.plot(epoch["time_sweeps"], epoch["value"], color=color, marker=marker, label=name if legend and not number else None)
        for _, epoch in _sampling.over_seeds(expected).groupby("epoch", sort=False):
            axis.plot(epoch["time_sweeps"], epoch["value"], color=color, linestyle=(0, (2, 2)), linewidth=1)
    if legend:
        axis.plot([], [], color=style.GREY, linestyle=(0, (2, 2)), linewidth=1, label="independent bits of the same means")
    axis.axvline(0, color=style.GREY, linewidth=0.8)
    axis.set(title=title, xlabel="sweeps from the onset of an image", ylabel="variance / mean of counts")
    axis.set_ylim(bottom=0)


def _quenching(axis: Any, rows: pd.DataFrame) -> None:
    for place, measure in enumerate(QUENCHED):
        for step, ((learning, synapses), (_, color, marker)) in enumerate(_sampling.CONDITIONS.items()):
            of = rows[(rows["measure"] == measure) & (rows["learning"] == learning) & (rows["synapses"] == synapses)]
            _sampling.mark(axis, place + 0.2 * (step - 1.4), of, color, marker)
    axis.axhline(0, color=style.GREY, linewidth=0.8)
    axis.set_xticks(range(len(QUENCHED)), list(QUENCHED.values()), fontsize=8)
    axis.set(title="Quenching by the image", ylabel="Fano factor before minus after", xlim=(-0.6, len(QUENCHED) - 0.4))
    axis.grid(axis="x", visible=False)


def _sharing(axis: Any, rows: pd.DataFrame) -> None:
    rows = rows[(rows["epoch"] == "after") & rows["time_sweeps"].isna()]
    for place, (measure, (_, control)) in enumerate(SHARED.items()):
        for step, ((learning, synapses), (_, color, marker)) in enumerate(_sampling.CONDITIONS.items()):
            at = place + 0.2 * (step - 1.4)
            of = rows[(rows["learning"] == learning) & (rows["synapses"] == synapses)]
            _sampling.mark(axis, at, of[of["measure"] == measure], color, marker)
            chance = _sampling.over_seeds(of[of["measure"] == control])
            axis.plot(np.full(len(chance), at), chance["value"], "_", color=color, markersize=8, alpha=0.8)
    axis.plot([], [], "_", color=style.GREY, markersize=8, label="shuffled trials or labels")
    axis.axhline(0, color=style.GREY, linewidth=0.8)
    axis.set_xticks(range(len(SHARED)), [name for name, _ in SHARED.values()], fontsize=7)
    axis.set(title="Correlations and tuning", ylabel="value, without unit", xlim=(-0.6, len(SHARED) - 0.4))
    axis.grid(axis="x", visible=False)
