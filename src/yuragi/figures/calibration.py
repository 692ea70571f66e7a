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

COLUMNS = (
    "quantity",
    "noise",
    "noise_to_signal",
    "estimator",
    "simulation",
    "simulations",
    "planted",
    "estimate",
    "bias",
    "standard_error",
    "low",
    "high",
    "level",
    "tolerance",
)
ESTIMATES = ("alpha_true", "noise", "noise_to_signal", "seed", "estimator", "alpha_hat", "bias", "alpha_low", "alpha_high", "level")
NOISES = {
    "none": "no noise",
    "signal": "noise of the signal's covariance",
    "half": "noise of half the signal's exponent",
    "white": "white noise",
    "power_law": "power-law noise",
}


class Calibration(Figure):
    """Errors of exponents recovered from simulated responses, how often their intervals hold the truth, and the cross-validated sum of pure noise."""

    kind: Literal["calibration"] = "calibration"
    tolerance: PositiveFloat = Field(0.05, description="half the width of the band around the planted exponent")

    needs: ClassVar = ("estimates", "pure_noise")

    def table(self, results: Results) -> pd.DataFrame:
        """One row a simulation and estimator ("exponent"), a noise and estimator with intervals ("coverage"), and a noise ("sum_of_pure_noise")."""
        from yuragi.files import read_table
        from yuragi.spectra.reliability import reliability

        found = pd.concat([read_table(path, ESTIMATES) for path in results["estimates"]], ignore_index=True)
        names = {"alpha_true": "planted", "alpha_hat": "estimate", "seed": "simulation", "alpha_low": "low", "alpha_high": "high"}
        exponents = found.rename(columns=names).assign(quantity="exponent", tolerance=self.tolerance)
        summary = reliability(found)
        summary = summary[summary["alpha_true"].isna() & (summary["intervals"] > 0)]
        names = {"coverage": "estimate", "coverage_low": "low", "coverage_high": "high", "intervals": "count"}
        coverage = summary.drop(columns=["simulations", "bias", "standard_error"]).rename(columns=names).rename(columns={"count": "simulations"})
        tables = [exponents, coverage.assign(quantity="coverage"), _pure_noise(results)]
        filled = [table.reindex(columns=list(COLUMNS)).astype(object) for table in tables if len(table)]
        return pd.concat(filled, ignore_index=True).infer_objects().astype({"simulation": "Int64", "simulations": "Int64"})

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A column a kind of noise: the errors at each strength, then the coverage; and a small panel for pure noise."""
        exponents, coverage, sums = (table[table["quantity"] == quantity] for quantity in ("exponent", "coverage", "sum_of_pure_noise"))
        noises, strengths = list(dict.fromkeys(exponents["noise"])), sorted(exponents["noise_to_signal"].unique())
        rows = len(strengths) + (len(coverage) > 0)
        drawing = style.canvas(len(noises) + 1, rows, (3.3, 2.7), legend=0.8)
        axes = drawing.subplots(rows, len(noises) + 1, width_ratios=[*(1.0 for _ in noises), 0.6], squeeze=False)
        for row, strength in enumerate(strengths):
            at = exponents[exponents["noise_to_signal"] == strength]
            for axis, noise in zip(axes[row], noises, strict=False):
                _draw_errors(axis, at[at["noise"] == noise])
                about = "" if noise == "none" else f"\n{strength:g} × the signal"
                axis.set_title(NOISES.get(noise, noise) + about)
            _share_limits(axes[row, :-1])
        for axis, noise in zip(axes[-1], noises, strict=False):
            if len(coverage):
                _draw_coverage(axis, coverage[coverage["noise"] == noise], strengths)
        _draw_sums(axes[0, -1], sums.reset_index(drop=True))
        for axis in axes[1:, -1]:
            axis.remove()
        style.legend_below(drawing, [*axes[:, :-1].ravel(), axes[0, -1]], columns=4)
        return drawing


def _pure_noise(results: Results) -> pd.DataFrame:
    """The sums of each kind of noise; those of several files, which simulated it independently, together."""
    from yuragi.files import read_table

    found = pd.concat([read_table(path, ("noise", "simulations", "sum", "standard_error")) for path in results["pure_noise"]], ignore_index=True)
    rows = []
    for noise, same in found.groupby("noise", sort=False):
        weights = same["simulations"] / same["simulations"].sum()
        rows.append((noise, int(same["simulations"].sum()), (weights * same["sum"]).sum(), np.sqrt(((weights * same["standard_error"]) ** 2).sum())))
    table = pd.DataFrame(rows, columns=["noise", "simulations", "estimate", "standard_error"])
    return table.assign(quantity="sum_of_pure_noise", estimator="cvpca", planted=0.0, bias=table["estimate"])


def _draw_errors(axis: Any, rows: pd.DataFrame) -> None:
    if rows.empty:
        axis.set_axis_off()
        return
    planted = np.unique(rows["planted"])
    gap = np.diff(planted).min() if len(planted) > 1 else 0.2
    ends = np.array([planted.min() - 0.6 * gap, planted.max() + 0.6 * gap])
    tolerance = rows["tolerance"].iloc[0]
    axis.fill_between(ends, -tolerance, tolerance, color=style.GREEN, label=f"planted ± {tolerance:g}", **style.BAND)
    axis.axhline(0, label="estimate = planted", **style.TRUTH)
    estimators = list(dict.fromkeys(rows["estimator"]))
    for place, estimator in enumerate(estimators):
        label, color, marker = style.ESTIMATORS[str(estimator)]
        shift = 0.12 * gap * (place - (len(estimators) - 1) / 2)
        one = rows[rows["estimator"] == estimator]
        axis.plot(one["planted"] + shift, one["bias"], ".", color=color, alpha=0.35, markersize=3, label="_")
        errors = one.groupby("planted")["bias"]
        mean, standard_error = errors.mean(), errors.sem().fillna(0.0)
        axis.errorbar(mean.index + shift, mean, 2 * standard_error, color=color, marker=marker, linewidth=1, label=label)
    axis.set(xlabel="planted α", ylabel="estimated − planted α", xlim=tuple(ends), xticks=planted)


def _draw_coverage(axis: Any, rows: pd.DataFrame, strengths: list[float]) -> None:
    if rows.empty:
        axis.set_axis_off()
        return
    axis.axhline(rows["level"].iloc[0], **style.TRUTH)
    estimators = list(dict.fromkeys(rows["estimator"]))
    for place, estimator in enumerate(estimators):
        label, color, marker = style.ESTIMATORS[str(estimator)]
        one = rows[rows["estimator"] == estimator]
        at = np.array([strengths.index(strength) for strength in one["noise_to_signal"]]) + 0.12 * (place - (len(estimators) - 1) / 2)
        reach = np.abs([one["estimate"] - one["low"], one["high"] - one["estimate"]])
        axis.errorbar(at, one["estimate"], reach, color=color, marker=marker, linestyle="none", label=label)
    axis.set(
        xlabel="noise / signal variance",
        ylabel="intervals that hold it",
        title="coverage",
        xlim=(-0.5, len(strengths) - 0.5),
        ylim=(-0.03, 1.03),
        xticks=range(len(strengths)),
        xticklabels=[f"{strength:g}" for strength in strengths],
    )
    axis.grid(axis="x", visible=False)


def _share_limits(axes: Any) -> None:
    bounds = [bound for axis in axes if axis.has_data() for bound in axis.get_ylim()]
    for axis in axes:
        axis.set_ylim(min(bounds), max(bounds))


def _draw_sums(axis: Any, rows: pd.DataFrame) -> None:
    axis.axhline(0, **style.TRUTH)
    axis.errorbar(rows.index, rows["estimate"], 2 * rows["standard_error"], fmt="o", color=style.GREY, capsize=3, label="_")
    names = [NOISES.get(noise, noise).removesuffix(" noise") for noise in rows["noise"]]
    reach = 1.4 * float((rows["estimate"].abs() + 2 * rows["standard_error"]).max()) or 1.0
    axis.set(
        title="noise alone", xticks=rows.index, xticklabels=names, xlim=(-0.6, len(rows) - 0.4), ylim=(-reach, reach), ylabel="sum / noise variance"
    )
    axis.grid(axis="x", visible=False)
