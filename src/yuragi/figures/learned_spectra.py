"""Covariance spectra that networks learned, beside the power law that the brain target asks for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field, PositiveInt

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Drawing

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
)

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
        from yuragi.targets import BrainTarget

        target = BrainTarget.read(results["target"][0]) if results.get("target") else None
        stages = {name: stage.alpha for name, stage in target.stages.items()} if target is not None else {}
        tables = [table for path in results["activity"] for table in self._of_experiment(path, stages)]
        return pd.concat(tables, ignore_index=True)[list(COLUMNS)]

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment and layer: the spectra, and the exponents fitted to them."""
        looks = style.looks(table[table["source"] == "network"]["arm"])
        groups = list(table.groupby(["experiment", "layer"], sort=False))
        titles = [f"{experiment}, {layer}: {rows['held_out_images'].iloc[0]} held-out images" for (experiment, layer), rows in groups]
        drawing, strips = style.strips(titles, columns=2, panel=(4.3, 3.2), legend=0.7, width_ratios=(3, 2))
        for (left, right), (_, rows) in zip(strips, groups, strict=True):
            _draw_spectra(left, rows, looks)
            _draw_exponents(right, rows, looks)
        style.legend_below(drawing, [axis for panels in strips for axis in panels], columns=4)
        return drawing

    def _of_experiment(self, path: Path, stages: dict[str, float]) -> Iterator[pd.DataFrame]:
        from yuragi.files import read_netcdf

        data = read_netcdf(path, "spectrum")
        images = int(data.attrs["held_out_images"])
        for layer in data["layer"].values:
            measured = data["spectrum"].sel(layer=layer)
            if "noise_at_readout" in data:
                measured = measured.assign_coords(noise_at_readout=data["noise_at_readout"])
            about = {"experiment": path.stem, "layer": str(layer), "held_out_images": images}
            spectra = [measured.isel(network=place).dropna("rank") for place in range(measured.sizes["network"])]
            first, last = self._range([spectrum.values for spectrum in spectra], data.attrs)
            for spectrum in spectra:
                arm, seed = str(spectrum["arm"].item()), int(spectrum["seed"].item())
                noise = float(spectrum["noise_at_readout"]) if "noise_at_readout" in spectrum.coords else np.nan
                yield _of_network(spectrum, first, last).assign(arm=arm, seed=seed, source="network", noise_at_readout=noise, **about)
            ranks = np.arange(1, max(spectrum.size for spectrum in spectra) + 1)
            for stage, alpha in _asked(measured, stages).items():
                law = {"rank": ranks, "variance_squared_activity": np.nan, "relative_variance": (ranks / first) ** -alpha}
                fit = {"alpha": alpha, "first_rank": first, "last_rank": last, "r_squared": np.nan, "noise_at_readout": np.nan}
                yield pd.DataFrame(law | fit).assign(arm=stage, seed=pd.array([pd.NA] * len(ranks), dtype="Int64"), source="target", **about)

    def _range(self, spectra: list[np.ndarray], penalised: Mapping[str, Any]) -> tuple[int, int]:
        """First and last rank of the fit, the same for all networks of a layer: those that the penalty acts on, where it says which.

        Directions that hold no more than rounding and the images' own limits would decide the exponent if they were fitted too.
        """
        length = min(len(spectrum) for spectrum in spectra)
        first = min(int(penalised.get("first_rank", self.first_rank)), max(length // 2, 1))
        if "last_rank" in penalised:
            return first, min(max(first + 2, int(penalised["last_rank"])), length)
        reached = [np.searchsorted(np.cumsum(spectrum), self.variance_share * spectrum.sum()) + 1 for spectrum in spectra if spectrum.sum() > 0]
        return first, min(max(first + 2, int(min(reached, default=first))), length)


def _asked(measured: xr.DataArray, stages: Mapping[str, float]) -> dict[str, float]:
    """The exponent that a penalty asks of the layer: a stage of the target, or a number; all stages where the file does not tell."""
    if "asked" not in measured.coords:
        return dict(stages)
    asked = str(measured["asked"].item())
    if asked in stages:
        return {asked: stages[asked]}
    return {"asked": float(asked)} if asked else {}


def _of_network(spectrum: xr.DataArray, first: int, last: int) -> pd.DataFrame:
    from yuragi.errors import InputError
    from yuragi.spectra.power_law import fit_power_law

    variance = spectrum.values
    try:
        fit = fit_power_law(spectrum, (first, last), negative="drop")
        alpha, r_squared = fit.alpha, fit.r_squared
    except InputError:
        # A layer that is silent, or narrower than a fit needs, has no exponent, but it is still shown.
        alpha, r_squared = np.nan, np.nan
    anchor = variance[first - 1]
    relative = variance / anchor if anchor > 0 else np.full(len(variance), np.nan)
    columns = {"rank": spectrum["rank"].values, "variance_squared_activity": variance, "relative_variance": relative}
    return pd.DataFrame(columns | {"alpha": alpha, "first_rank": first, "last_rank": last, "r_squared": r_squared})


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
        axis.axvline(stage["alpha"], label=f"target stage {stage['arm']}, α = {stage['alpha']:.2f}", **(style.TRUTH | {"linestyle": dashes}))
    noise = networks.groupby("arm")["noise_at_readout"].mean()
    labels = [f"{arm}\nnoise {noise[arm]:.2g}" if noise[arm] > 0 else arm for arm in arms]
    axis.set(xlabel="fitted α", yticks=range(len(arms)), yticklabels=labels, ylim=(len(arms) - 0.4, -0.6))
    axis.grid(axis="y", visible=False)


def _positive(values: pd.Series) -> pd.Series:
    return values.where(values > 0)
