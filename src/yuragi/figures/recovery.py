"""Whether the pipeline finds what was planted in the simulated recordings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field, PositiveFloat

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = ("quantity", "recording", "planted", "recovered", "low", "high", "tolerance", "within_tolerance")

NAMES = {
    "alpha": "exponent α of the covariance spectrum",
    "spectral_radius": "spectral radius of the autoregression",
    "variance_ratio": "variance ratio, noise to signal",
}


class Recovery(Figure):
    """What was planted in simulated recordings and what the same estimators as for real ones recovered."""

    kind: Literal["recovery"] = "recovery"
    alpha_tolerance: PositiveFloat = Field(0.05, description="largest error of an exponent that counts as recovered")
    radius_tolerance: PositiveFloat = Field(0.02, description="largest error of a spectral radius that counts as recovered")
    ratio_tolerance: PositiveFloat = Field(
        0.05, description="largest error of a variance ratio that counts as recovered, as a fraction of the planted ratio where that exceeds 1"
    )

    needs: ClassVar = ("spectra", "models")
    needs_truth: ClassVar = True

    def table(self, results: Results) -> pd.DataFrame:
        """One row a quantity and recording; intervals are missing where none was estimated."""
        table = pd.DataFrame([*self._of_spectra(results), *self._of_models(results)], columns=list(COLUMNS[:-1]))
        # A quantity that came out undefined is not recovered.
        return table.assign(within_tolerance=(table["recovered"] - table["planted"]).abs() <= table["tolerance"]).sort_values(
            "quantity", key=lambda quantity: quantity.map(list(NAMES).index), kind="stable", ignore_index=True
        )

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A panel a quantity: recovered minus planted."""
        if table.empty:
            return style.notice("No recording of this run has a planted value.")
        groups = list(table.groupby("quantity", sort=False))
        most = max(len(rows) for _, rows in groups)
        drawing, axes = style.grid(len(groups), columns=1, panel=(8.0, 1.0 + 0.36 * most), legend=0.3)
        for axis, (quantity, rows) in zip(axes, groups, strict=True):
            _draw_quantity(axis, NAMES[str(quantity)], rows.reset_index(drop=True))
        style.legend_below(drawing, axes)
        return drawing

    def _of_spectra(self, results: Results) -> Iterator[tuple[Any, ...]]:
        from yuragi.files import read_netcdf

        for path in results["spectra"]:
            data = read_netcdf(path, "alpha")
            if "truth_alpha" in data.attrs:
                one = data.sel(estimator="cvpca")
                found = (float(one[name]) for name in ("alpha", "alpha_low", "alpha_high"))
                yield ("alpha", path.stem, float(data.attrs["truth_alpha"]), *found, self.alpha_tolerance)
            if "truth_noise_to_signal" in data.attrs:
                planted = float(data.attrs["truth_noise_to_signal"])
                yield ("variance_ratio", path.stem, planted, float(data["variance_ratio"]), np.nan, np.nan, self.ratio_tolerance * max(planted, 1.0))

    def _of_models(self, results: Results) -> Iterator[tuple[Any, ...]]:
        from yuragi.files import read_netcdf
        from yuragi.spontaneous.var import VARFit

        for path in results["models"]:
            data = read_netcdf(path, "coefficients")
            if "truth_spectral_radius" in data.attrs:
                planted = float(data.attrs["truth_spectral_radius"])
                yield ("spectral_radius", path.stem, planted, VARFit.from_dataset(data).spectral_radius, np.nan, np.nan, self.radius_tolerance)


def _draw_quantity(axis: Any, name: str, rows: pd.DataFrame) -> None:
    error = rows["recovered"] - rows["planted"]
    low, high = rows["low"] - rows["planted"], rows["high"] - rows["planted"]
    reach = 1.25 * np.nanmax(np.abs([*error, *low, *high, *rows["tolerance"]]))
    for place, row in rows.iterrows():
        # A verdict has a word beside its colour.
        good = bool(row["within_tolerance"])
        color = style.BLUE if good else style.RED
        axis.fill_betweenx([place - 0.36, place + 0.36], -row["tolerance"], row["tolerance"], color=style.GREEN, label="tolerance", **style.BAND)
        axis.plot([low[place], high[place]], [place, place], color=color, linewidth=2, label="_")
        axis.plot(error[place], place, "o", color=color, markersize=6, label="recovered (line: 95 % interval)")
        found = f"found {row['recovered']:.3f}, planted {row['planted']:.3f}: {'within' if good else 'OUTSIDE'}"
        axis.annotate(found, (1.02, place), xycoords=("axes fraction", "data"), va="center", color=color)
    axis.axvline(0, **style.TRUTH)
    axis.set(
        yticks=range(len(rows)),
        yticklabels=rows["recording"],
        ylim=(len(rows) - 0.5, -0.5),
        xlim=(-reach, reach),
        title=name,
        xlabel="recovered − planted",
    )
    axis.locator_params(axis="x", nbins=6)
    axis.grid(axis="y", visible=False)
