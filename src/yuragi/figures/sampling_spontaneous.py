"""Whether spontaneous activity of a network that learns by sampling resembles what stimuli evoke, before and after learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _sampling, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

DIRECTIONS = {"labels": "learned labels given images", "data": "learned the images, from latent causes"}
DIVERGENCES = {
    "divergence": ("spontaneous", style.BLUE, "D"),
    "divergence_independent_spontaneous": ("spontaneous, units independent", style.ORANGE, "^"),
    "divergence_independent_evoked": ("evoked, units independent", style.PINK, "v"),
    "divergence_halves": ("other half of evoked", style.GREY, "o"),
}
EXCESS = {"divergence_excess": ("spontaneous", style.BLUE, "D")}
LIKENESS = {
    "correlation_similarity": ("spontaneous", style.BLUE, "D"),
    "correlation_similarity_shuffled": ("spontaneous, units renamed", style.GREEN, "s"),
    "correlation_similarity_halves": ("other half of evoked", style.GREY, "o"),
}
ALIGNMENT = {"alignment": ("spontaneous", style.BLUE, "D"), "alignment_chance": ("random directions", style.RED, "P")}
LEAST_BITS = 1e-3
LINEAR_BITS = 0.02
BITS = (-1, -0.1, -0.02, 0, 0.02, 0.1, 1, 10)


class SamplingSpontaneous(Figure):
    """Evoked activity against spontaneous activity: distribution of joint patterns, pairwise correlations, and directions."""

    kind: Literal["sampling_spontaneous"] = "sampling_spontaneous"

    needs: ClassVar = ("sampling_spontaneous",)

    def table(self, results: Results) -> pd.DataFrame:
        """All measures of every study, by direction of learning, condition and seed; rows without a seed are over all seeds."""
        return _sampling.read_studies(results["sampling_spontaneous"], ("direction", "learning"))

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip a study and direction of learning; in each panel the conditions across, and what evoked activity is compared with by colour."""
        table = _sampling.plain(table, "direction", "learning", "synapses")
        groups = [(study, direction, rows) for (study, direction), rows in table.groupby(["study", "direction"], sort=False)]
        titles = [f"{study}: network that {DIRECTIONS.get(direction, direction)} ({_sampling.seeds_of(rows)})" for study, direction, rows in groups]
        drawing, strips = style.strips(titles, 4, (3.1, 2.7), legend=0.8)
        for axes, (_, _, rows) in zip(strips, groups, strict=True):
            _compared(axes[0], rows, DIVERGENCES, "Divergence from evoked activity", "bits")
            _compared(axes[1], rows, EXCESS, "Beyond the other half of evoked", "bits")
            _compared(axes[2], rows, LIKENESS, "Correlations of pairs, likeness", "correlation over pairs")
            _compared(axes[3], rows, ALIGNMENT, "Variance along responses", "alignment")
            found = rows.loc[rows["measure"].isin(DIVERGENCES), "value"]
            axes[0].set_ylim(max(LEAST_BITS, found.min() / 2), found.max() * 2)
            style.logarithmic(axes[0], "y")
            excess = rows.loc[rows["measure"].isin(EXCESS), ["value", "low", "high"]].to_numpy(dtype=float)
            _around_zero(axes[1], np.nanmin(excess, initial=-LINEAR_BITS), np.nanmax(excess, initial=LINEAR_BITS))
            axes[2].axhline(0, color=style.GREY, linewidth=0.8)
            axes[2].set_ylim(-0.3, 1.05)
            axes[3].set_ylim(0, 1.05)
        style.legend_below(drawing, [axis for axes in strips for axis in axes], columns=3)
        return drawing


def _around_zero(axis: Any, low: float, high: float) -> None:
    """A scale that is linear around 0, the level of no difference, and logarithmic away from it."""
    axis.axhline(0, color=style.GREY, linewidth=0.8)
    axis.set_yscale("symlog", linthresh=LINEAR_BITS, linscale=0.7)
    axis.set_yticks(BITS, [f"{bits:g}".replace("-", "\N{MINUS SIGN}") for bits in BITS])
    axis.minorticks_off()
    axis.set_ylim(1.5 * low, 1.5 * high)


def _compared(axis: Any, rows: pd.DataFrame, measures: dict[str, tuple[str, str, str]], title: str, unit: str) -> None:
    names = []
    for learning, synapses in list(_sampling.CONDITIONS)[:4]:
        of = rows[(rows["learning"] == learning) & (rows["synapses"] == synapses)]
        if of.empty:
            continue
        for step, (measure, (label, color, marker)) in enumerate(measures.items()):
            at = len(names) + 0.2 * (step - (len(measures) - 1) / 2)
            _sampling.mark(axis, at, of[of["measure"] == measure], color, marker, label=label)
        names.append(_sampling.CONDITIONS[learning, synapses][0].replace(" learning, synapses ", ",\n"))
    axis.set_xticks(range(len(names)), names, fontsize=8)
    axis.set(title=title, ylabel=unit, xlim=(-0.6, max(len(names), 1) - 0.4))
    axis.grid(axis="x", visible=False)
