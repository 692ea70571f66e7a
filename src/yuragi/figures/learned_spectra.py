"""Covariance spectra that networks learned, beside the power law that the brain target asks for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field, PositiveInt

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from yuragi.figures._activity import Layer

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = (
    "experiment",
    "layer",
    "source",
    "arm",
    "seed",
    "rank",
    "variance_squared_activity",
    "relative_variance",
    "alpha",
    "first_rank",
    "last_rank",
    "r_squared",
    "held_out_images",
    "noise_at_readout",
    "units",
)

ASKED = "asked"
"""What a law is called that no stage of the target gives, but a number."""

DASHES = ((0, (5, 3)), (0, (1, 2)), (0, (5, 2, 1, 2)))
"""Of the target's stages, in order."""


class LearnedSpectra(Figure):
    """Variance at each rank of hidden activity in every trained network, relative to the variance at the rank where the fit begins."""

    kind: Literal["learned_spectra"] = "learned_spectra"
    first_rank: PositiveInt = Field(11, description="rank at which all spectra are set to 1 and the fit begins, where no penalty sets it")
    variance_share: float = Field(
        0.99, gt=0, lt=1, description="where no penalty ends the fit, it ends where the first network of the layer reaches this share of its variance"
    )

    needs: ClassVar = ("activity",)
    uses: ClassVar = ("target",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a rank and network (source "network", with the exponent fitted to it) or stage of the target (source "target", its name as arm)."""
        from yuragi.figures._activity import read_activity, target_stages

        stages = target_stages(results.get("target"))
        layers = [layer for path in results["activity"] for layer in read_activity(path, self.first_rank, self.variance_share)]
        return pd.concat([table for layer in layers for table in _of_layer(layer, stages)], ignore_index=True)[list(COLUMNS)]

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment and layer: the spectra, and the exponents fitted to them."""
        looks = style.looks(table[table["source"] == "network"]["arm"])
        groups = list(table.groupby(["experiment", "layer"], sort=False))
        titles = [_title(rows) for _, rows in groups]
        arms = table[table["source"] == "network"]["arm"].nunique()
        panel = (4.5, max(3.2, 0.9 + 0.2 * arms))
        drawing, strips = style.strips(titles, columns=2, panel=panel, legend=0.5 + 0.2 * (arms / 4), width_ratios=(3, 2))
        for (left, right), (_, rows) in zip(strips, groups, strict=True):
            _draw_spectra(left, rows, looks)
            _draw_exponents(right, rows, looks)
        style.legend_below(drawing, [axis for panels in strips for axis in panels], columns=4)
        return drawing


def _of_layer(layer: Layer, stages: dict[str, float]) -> Iterator[pd.DataFrame]:
    from yuragi.figures._activity import asked_exponents

    about = {"experiment": layer.experiment, "layer": layer.name, "held_out_images": layer.images, "units": layer.units}
    about |= {"first_rank": layer.first, "last_rank": layer.last}
    for network in layer.networks:
        variance = network.spectrum.values
        anchor = variance[layer.first - 1]
        yield pd.DataFrame(
            {
                "rank": network.spectrum["rank"].values,
                "variance_squared_activity": variance,
                "relative_variance": variance / anchor if anchor > 0 else np.full(len(variance), np.nan),
            }
        ).assign(
            arm=network.arm,
            seed=network.seed,
            source="network",
            noise_at_readout=network.noise_at_readout,
            alpha=network.alpha,
            r_squared=network.r_squared,
            **about,
        )
    ranks = np.arange(1, max(network.spectrum.size for network in layer.networks) + 1)
    for stage, alpha in asked_exponents(layer.asked, stages).items():
        law = {"rank": ranks, "variance_squared_activity": np.nan, "relative_variance": (ranks / layer.first) ** -alpha}
        fit = {"alpha": alpha, "r_squared": np.nan, "noise_at_readout": np.nan}
        yield pd.DataFrame(law | fit).assign(arm=stage, seed=pd.array([pd.NA] * len(ranks), dtype="Int64"), source="target", **about)


def _title(rows: pd.DataFrame) -> str:
    row = rows.iloc[0]
    by = f", by {row['units']}" if row["units"] in ("channel", "position") else ""
    return f"{row['experiment']}, {row['layer']}{by}: {row['held_out_images']} held-out images"


def _draw_spectra(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    networks = rows[rows["source"] == "network"]
    first, last = int(rows["first_rank"].min()), int(rows["last_rank"].max())
    axis.axvspan(first, last, color=style.GREY, alpha=0.1, linewidth=0, label="ranks of the fit")
    for arm, of_arm in networks.groupby("arm", sort=False):
        look = looks[str(arm)]
        for _, network in of_arm.groupby("seed"):
            axis.plot(network["rank"], _positive(network["relative_variance"]), color=look.color, linewidth=0.6, alpha=0.5)
        mean = of_arm.groupby("rank")["relative_variance"].mean()
        axis.plot(mean.index, _positive(mean), color=look.color, label=str(arm), linewidth=1.8)
    for dashes, (_, law) in zip(itertools.cycle(DASHES), rows[rows["source"] == "target"].groupby("arm", sort=False), strict=False):
        axis.plot(law["rank"], law["relative_variance"], zorder=3, **(style.TRUTH | {"linestyle": dashes}))
    axis.set(xlabel="rank", ylabel=f"variance relative to rank {first}")
    inside = networks[networks["rank"] <= last]["relative_variance"]
    if (inside > 0).any():
        axis.set_ylim(max(inside[inside > 0].min() / 30, 1e-8), 3 * inside.max())
    style.logarithmic(axis, "x")
    style.logarithmic(axis, "y")


def _draw_exponents(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    networks = rows[rows["source"] == "network"].drop_duplicates(["arm", "seed"])
    arms = list(networks["arm"].unique())
    for place, arm in enumerate(arms):
        exponents = networks[networks["arm"] == arm]["alpha"]
        axis.plot(exponents, [place] * len(exponents), looks[arm].marker, color=looks[arm].color, fillstyle="none")
        axis.plot([exponents.mean()] * 2, [place - 0.25, place + 0.25], color=looks[arm].color, linewidth=2.5)
    stages = rows[rows["source"] == "target"].drop_duplicates("arm")
    for dashes, (_, stage) in zip(itertools.cycle(DASHES), stages.iterrows(), strict=False):
        axis.axvline(stage["alpha"], label=_called(stage), **(style.TRUTH | {"linestyle": dashes}))
    noise = networks.groupby("arm")["noise_at_readout"].mean()
    labels = [f"{arm}, noise {noise[arm]:.2g}" if noise[arm] > 0 else arm for arm in arms]
    axis.set(xlabel="fitted α", yticks=range(len(arms)), yticklabels=labels, ylim=(len(arms) - 0.4, -0.6))
    axis.grid(axis="y", visible=False)


def _called(stage: pd.Series) -> str:
    name = "asked for" if stage["arm"].split()[0] == ASKED else f"target stage {stage['arm']}"
    return f"{name}, α = {stage['alpha']:.2f}"


def _positive(values: pd.Series) -> pd.Series:
    return values.where(values > 0)
