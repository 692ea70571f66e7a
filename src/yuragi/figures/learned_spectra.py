"""Covariance spectra that networks learned, beside the power law that the brain target asks for."""

from __future__ import annotations

from collections.abc import Iterator
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
)


class LearnedSpectra(Figure):
    """Variance at each rank of hidden activity in every trained network, relative to the variance at the rank where the fit begins."""

    kind: Literal["learned_spectra"] = "learned_spectra"
    first_rank: PositiveInt = Field(11, description="rank at which spectra are set to 1 and the fit begins; it ends at half of the spectrum's length")

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
        """A panel an experiment and layer, both axes logarithmic."""
        networks = table[table["source"] == "network"]
        looks = style.looks(networks["arm"])
        groups = list(table.groupby(["experiment", "layer"], sort=False))
        drawing, axes = style.grid(len(groups), columns=2, panel=(4.4, 3.6), legend=0.8)
        for axis, ((experiment, layer), rows) in zip(axes, groups, strict=True):
            _draw_layer(axis, rows, looks)
            axis.set_title(f"{experiment}, {layer}")
        style.legend_below(drawing, axes, columns=4)
        return drawing

    def _of_experiment(self, path: Path, stages: dict[str, float]) -> Iterator[pd.DataFrame]:
        from yuragi.files import read_netcdf

        data = read_netcdf(path, "spectrum")
        images = int(data.attrs["held_out_images"])
        for layer in data["layer"].values:
            measured = data["spectrum"].sel(layer=layer)
            about = {"experiment": path.stem, "layer": str(layer), "held_out_images": images}
            longest = 0
            for place in range(measured.sizes["network"]):
                spectrum = measured.isel(network=place).dropna("rank")
                longest = max(longest, spectrum.sizes["rank"])
                yield self._of_network(spectrum).assign(arm=str(spectrum["arm"].item()), seed=int(spectrum["seed"].item()), source="network", **about)
            first, last = self._range(longest)
            ranks = np.arange(1, longest + 1)
            for stage, alpha in stages.items():
                law = {"rank": ranks, "variance_squared_activity": np.nan, "relative_variance": (ranks / first) ** -alpha}
                fit = {"alpha": alpha, "first_rank": first, "last_rank": last, "r_squared": np.nan}
                yield pd.DataFrame(law | fit).assign(arm=stage, seed=-1, source="target", **about)

    def _of_network(self, spectrum: xr.DataArray) -> pd.DataFrame:
        from yuragi.errors import InputError
        from yuragi.spectra.power_law import fit_power_law

        first, last = self._range(spectrum.sizes["rank"])
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

    def _range(self, length: int) -> tuple[int, int]:
        """First and last rank of the fit: the first half of the spectrum, from `first_rank` where that leaves enough ranks."""
        last = max(length // 2, 1)
        return min(self.first_rank, max(last // 2, 1)), last


def _draw_layer(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    networks = rows[rows["source"] == "network"]
    first, last = int(rows["first_rank"].min()), int(rows["last_rank"].max())
    axis.axvspan(first, last, color=style.GREY, alpha=0.08, linewidth=0)
    for place, (stage, law) in enumerate(rows[rows["source"] == "target"].groupby("arm", sort=False)):
        dashes = {"linestyle": ((0, (5, 3)), (0, (1, 2)), (0, (5, 2, 1, 2)))[place % 3]}
        label = f"target stage {stage}, α = {law['alpha'].iloc[0]:.2f}"
        axis.plot(law["rank"], law["relative_variance"], label=label, zorder=3, **(style.TRUTH | dashes))
    texts = []
    for arm, of_arm in networks.groupby("arm", sort=False):
        look = looks[str(arm)]
        for _, network in of_arm.groupby("seed"):
            axis.plot(network["rank"], _positive(network["relative_variance"]), color=look.color, linewidth=0.6, alpha=0.5)
        mean = of_arm.groupby("rank")["relative_variance"].mean()
        axis.plot(mean.index, _positive(mean), color=look.color, label=str(arm), linewidth=1.8)
        exponents = of_arm.groupby("seed")["alpha"].first()
        texts.append((f"{arm} α = {exponents.mean():.2f} ({exponents.min():.2f} to {exponents.max():.2f})", look.color))
    axis.set(xscale="log", yscale="log", xlabel="rank", ylabel=f"variance relative to rank {first}")
    inside = networks[networks["rank"] <= last]["relative_variance"]
    if (inside > 0).any():
        axis.set_ylim(max(inside[inside > 0].min() / 10, 1e-8), 3 * inside.max())
    style.decade_ticks(axis.yaxis)
    for place, (text, color) in enumerate(reversed(texts)):
        axis.text(0.04, 0.04 + 0.065 * place, text, transform=axis.transAxes, color=color, weight="bold")


def _positive(values: pd.Series) -> pd.Series:
    return values.where(values > 0)
