"""What the estimators of the exponent get wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field, PositiveFloat

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = ("quantity", "noise", "estimator", "simulation", "simulations", "planted", "estimate", "bias", "standard_error", "tolerance")
NOISES = {"none": "no noise", "signal": "noise of the signal's covariance", "white": "white noise", "power_law": "power-law noise"}


class Calibration(Figure):
    """Exponents recovered from simulated responses beside the planted ones, and the sum of cross-validated spectra of pure noise."""

    kind: Literal["calibration"] = "calibration"
    tolerance: PositiveFloat = Field(0.05, description="half the width of the band around the planted exponent")

    needs: ClassVar = ("estimates", "pure_noise")

    def table(self, results: Results) -> pd.DataFrame:
        """One row a simulation and estimator (quantity "exponent"), and one a kind of noise (quantity "sum_of_pure_noise", truth 0)."""
        from yuragi.figures._tables import read_table

        tables = []
        for path in results["estimates"]:
            found = read_table(path, ("alpha_true", "noise", "seed", "estimator", "alpha_hat", "bias"))
            found = found.rename(columns={"alpha_true": "planted", "alpha_hat": "estimate", "seed": "simulation"})
            tables.append(found.assign(quantity="exponent", tolerance=self.tolerance))
        for path in results["pure_noise"]:
            found = read_table(path, ("noise", "simulations", "sum", "standard_error")).rename(columns={"sum": "estimate"})
            tables.append(found.assign(quantity="sum_of_pure_noise", estimator="cvpca", planted=0.0, bias=found["estimate"]))
        return pd.concat(tables, ignore_index=True).reindex(columns=list(COLUMNS)).astype({"simulation": "Int64", "simulations": "Int64"})

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A panel a kind of noise, and a small one for pure noise."""
        exponents, sums = (table[table["quantity"] == quantity] for quantity in ("exponent", "sum_of_pure_noise"))
        noises = list(dict.fromkeys(exponents["noise"]))
        drawing = style.canvas(len(noises) + 1, 1, (3.2, 3.0), legend=0.6)
        axes = drawing.subplots(1, len(noises) + 1, width_ratios=[*(1.0 for _ in noises), 0.6], squeeze=False)[0]
        for axis, noise in zip(axes, noises, strict=False):
            _draw_exponents(axis, exponents[exponents["noise"] == noise])
            axis.set_title(NOISES.get(noise, noise))
        shared = [bound for axis in axes[:-1] for bound in axis.get_ylim()]
        for axis in axes[:-1]:
            axis.set_ylim(min(shared), max(shared))
        _draw_sums(axes[-1], sums.reset_index(drop=True))
        style.legend_below(drawing, axes, columns=3)
        return drawing


def _draw_exponents(axis: Any, rows: pd.DataFrame) -> None:
    planted = np.unique(rows["planted"])
    ends = np.array([planted.min() - 0.1, planted.max() + 0.1])
    tolerance = rows["tolerance"].iloc[0]
    axis.fill_between(ends, ends - tolerance, ends + tolerance, color=style.GREEN, label=f"planted ± {tolerance:g}", **style.BAND)
    axis.plot(ends, ends, label="estimate = planted", **style.TRUTH)
    for estimator, of_estimator in rows.groupby("estimator", sort=False):
        label, color, marker = style.ESTIMATORS[str(estimator)]
        axis.plot(of_estimator["planted"], of_estimator["estimate"], marker, color=color, fillstyle="none", label=f"{label}, simulations")
        mean = of_estimator.groupby("planted")["estimate"].mean()
        axis.plot(mean.index, mean, color=color, linewidth=1, label=f"{label}, mean")
    axis.set(xlabel="planted α", ylabel="estimated α", xlim=tuple(ends), xticks=planted)


def _draw_sums(axis: Any, rows: pd.DataFrame) -> None:
    axis.axhline(0, **style.TRUTH)
    axis.errorbar(rows.index, rows["estimate"], 2 * rows["standard_error"], fmt="o", color=style.BLUE, capsize=3, label="mean ± 2 standard errors")
    names = [NOISES.get(noise, noise).removesuffix(" noise") for noise in rows["noise"]]
    reach = 1.4 * float((rows["estimate"].abs() + 2 * rows["standard_error"]).max()) or 1.0
    axis.set(
        title="noise alone", xticks=rows.index, xticklabels=names, xlim=(-0.6, len(rows) - 0.4), ylim=(-reach, reach), ylabel="sum / noise variance"
    )
    axis.grid(axis="x", visible=False)
