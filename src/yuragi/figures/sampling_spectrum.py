"""The spectrum of hidden activity in networks that learn by sampling, before and after learning, beside networks trained by gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _sampling, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

CHANGES = {
    ("after minus before", "own"): ("fluctuating\nminus\nbefore", style.BLUE, "D"),
    ("after minus before", "same"): ("held\nminus\nbefore", style.ORANGE, "^"),
    ("after minus twin", "own"): ("fluctuating\nminus\ngradients", style.BLUE, "D"),
    ("after minus twin", "same"): ("held\nminus\ngradients", style.ORANGE, "^"),
}


class SamplingSpectrum(Figure):
    """Eigenvalues and exponents of the hidden layer's responses to images, and how learning changes the exponent."""

    kind: Literal["sampling_spectrum"] = "sampling_spectrum"

    needs: ClassVar = ("sampling_spectrum",)

    def table(self, results: Results) -> pd.DataFrame:
        """Eigenvalues by rank, exponents and their changes of every study, by network, estimator and seed; rows without a seed are over all seeds."""
        wanted = ("network", "estimator", "rank", "first_rank", "last_rank")
        return _sampling.read_studies(results["sampling_spectrum"], wanted)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip a study: cross-validated spectra, exponents, and their changes."""
        table = _sampling.plain(table, "network", "synapses", "estimator")
        studies = list(table.groupby("study", sort=False))
        titles = [f"{name} ({_sampling.seeds_of(rows)})" for name, rows in studies]
        drawing, strips = style.strips(titles, 3, (3.6, 2.8), legend=0.8)
        for axes, (_, rows) in zip(strips, studies, strict=True):
            _spectra(axes[0], rows)
            _exponents(axes[1], rows)
            _changes(axes[2], rows)
        style.legend_below(drawing, [axis for axes in strips for axis in axes], columns=3)
        return drawing


def _spectra(axis: Any, rows: pd.DataFrame) -> None:
    values = rows[(rows["measure"] == "eigenvalue") & (rows["estimator"] == "cvpca") & (rows["value"] > 0)]
    for (network, synapses), (name, color, _) in _sampling.CONDITIONS.items():
        of = values[(values["network"] == network) & (values["synapses"] == synapses)]
        # Where nothing stimulus-driven is left, what remains above zero is noise, of which no line should be made.
        share = _sampling.over_seeds(rows[(rows["measure"] == "signal_share") & (rows["network"] == network) & (rows["synapses"] == synapses)])
        if of.empty or share.empty or share["value"].iloc[0] < 0.01:
            continue
        for _, seed in _sampling.single_seeds(of).groupby("seed"):
            axis.plot(seed["rank"], seed["value"], color=color, linewidth=0.6, alpha=0.45)
        mean = _sampling.over_seeds(of)
        axis.plot(mean["rank"], mean["value"], color=color, label=name)
    axis.axvspan(rows["first_rank"].iloc[0], rows["last_rank"].iloc[0], color=style.GREY, alpha=0.12, linewidth=0, label="ranks of the fit")
    if len(values):
        style.logarithmic(axis, "x")
        style.logarithmic(axis, "y")
    axis.set(title="Stimulus-driven variance", xlabel="rank", ylabel="eigenvalue (squared probability)")


def _exponents(axis: Any, rows: pd.DataFrame) -> None:
    alphas, names = rows[rows["measure"] == "alpha"], []
    shown = [key for key in _sampling.CONDITIONS if len(alphas[(alphas["network"] == key[0]) & (alphas["synapses"] == key[1])])]
    for place, key in enumerate(shown):
        name, color, marker = _sampling.CONDITIONS[key]
        of = alphas[(alphas["network"] == key[0]) & (alphas["synapses"] == key[1])]
        for estimator, at in (("cvpca", place - 0.12), ("noise_free", place + 0.22)):
            _sampling.mark(axis, at, of[of["estimator"] == estimator], color, marker, filled=estimator == "cvpca")
        if not style.present(_sampling.over_seeds(of)["value"]):
            # On white, as the line at 1 may run behind it.
            look = {"rotation": 90, "fontsize": 8, "color": color, "ha": "center", "va": "center", "bbox": {"color": "white", "pad": 1}}
            axis.text(place, 0.5, "no signal", transform=axis.get_xaxis_transform(), **look)
        names.append(name.replace(" learning, synapses", ",\n").replace("trained by", "trained by\n"))
    axis.plot([], [], "o", color=style.GREY, label="from counts in trials (cvPCA)", linestyle="none")
    axis.plot([], [], "o", color=style.GREY, markerfacecolor="white", label="without noise", linestyle="none")
    axis.axhline(1, **style.TRUTH, label="α = 1")
    axis.set_xticks(range(len(names)), names, fontsize=7)
    axis.set(title="Exponent", ylabel="α", xlim=(-0.6, len(names) - 0.4))
    axis.grid(axis="x", visible=False)


def _changes(axis: Any, rows: pd.DataFrame) -> None:
    changes, names = rows[rows["measure"] == "alpha_change"], []
    for (network, synapses), (name, color, marker) in CHANGES.items():
        of = changes[(changes["network"] == network) & (changes["synapses"] == synapses)]
        if of.empty:
            continue
        for estimator, at in (("cvpca", len(names) - 0.12), ("noise_free", len(names) + 0.22)):
            _sampling.mark(axis, at, of[of["estimator"] == estimator], color, marker, filled=estimator == "cvpca")
        names.append(name)
    axis.axhline(0, color=style.GREY, linewidth=0.8)
    axis.set_xticks(range(len(names)), names, fontsize=7)
    axis.set(title="Change of the exponent", ylabel="difference of α, same seed", xlim=(-0.6, max(len(names), 1) - 0.4))
    axis.grid(axis="x", visible=False)
