"""Covariance spectra of the recordings and their power laws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from yuragi.targets import BrainTarget

np = lazy.load("numpy")
pd = lazy.load("pandas")


class Spectra(Figure):
    """Variance at each rank of every recording of responses, cross-validated and plain, with the fitted power law."""

    kind: Literal["spectra"] = "spectra"

    needs: ClassVar = ("spectra",)
    uses: ClassVar = ("target",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a rank, estimator and recording; shares are of the sum of the estimator's own spectrum."""
        from yuragi.targets import BrainTarget

        target = BrainTarget.read(results["target"][0]) if results.get("target") else None
        return pd.concat([_of_recording(path, target) for path in results["spectra"]], ignore_index=True)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A panel a recording, both axes logarithmic."""
        recordings = list(dict.fromkeys(table["recording"]))
        drawing, axes = style.grid(len(recordings), panel=(3.4, 3.0))
        for axis, recording in zip(axes, recordings, strict=True):
            _draw_recording(axis, table[table["recording"] == recording])
        style.legend_below(drawing, axes, columns=3 if len(axes) > 1 else 2)
        return drawing


def _of_recording(path: Path, target: BrainTarget | None) -> pd.DataFrame:
    from yuragi.files import read_netcdf

    data = read_netcdf(path, "spectrum")
    ranks = data["rank"].values
    first, last = int(data.attrs["first_rank"]), int(data.attrs["last_rank"])
    truth = float(data.attrs.get("truth_alpha", np.nan))
    tables = []
    for name in data["estimator"].values:
        one = data.sel(estimator=name)
        variance = one["spectrum"].values
        total = np.nansum(variance)
        alpha = float(one["alpha"])
        fitted = np.where((ranks >= first) & (ranks <= last), np.exp(float(one["intercept"])) * ranks**-alpha / total, np.nan)
        table = pd.DataFrame(
            {
                "recording": path.stem,
                "estimator": str(name),
                "rank": ranks,
                "variance_squared_response_units": variance,
                "share_of_total_variance": variance / total,
                "fitted_share": fitted,
                "planted_share": ranks**-truth / (np.arange(1, int(data.attrs["units"]) + 1.0) ** -truth).sum(),
                "alpha": alpha,
                "alpha_low": float(one["alpha_low"]),
                "alpha_high": float(one["alpha_high"]),
                "planted_alpha": truth,
                "r_squared": float(one["r_squared"]),
                "first_rank": first,
                "last_rank": last,
                "negative_ranks_in_fit": int(one["negative_ranks"]),
                "repeats": int(data.attrs["repeats"]),
                "stimuli": int(data.attrs["stimuli"]),
                "units": int(data.attrs["units"]),
                "target_stages": _stages(target, data) if name == "cvpca" else "",
            }
        )
        tables.append(table[np.isfinite(variance)])
    return pd.concat(tables, ignore_index=True)


def _stages(target: BrainTarget | None, data: Any) -> str:
    """The stages of the target whose exponent is this recording's: the target holds the very number."""
    if target is None:
        return ""
    alpha = float(data["alpha"].sel(estimator="cvpca"))
    return " ".join(name for name, stage in target.stages.items() if stage.alpha == alpha)


def _draw_recording(axis: Any, table: pd.DataFrame) -> None:
    fitted = table["fitted_share"].dropna()
    if style.present(table["planted_share"]):
        truth = table.drop_duplicates("rank").sort_values("rank")
        axis.plot(truth["rank"], truth["planted_share"], label="planted power law", zorder=3, **style.TRUTH)
    texts = []
    # The cross-validated spectrum lies on top.
    for name in sorted(table["estimator"].unique(), key=list(style.ESTIMATORS).index, reverse=True):
        rows = table[table["estimator"] == name]
        label, color, _ = style.ESTIMATORS[name]
        share = rows["share_of_total_variance"].to_numpy()
        axis.plot(rows["rank"], np.where(share > 0, share, np.nan), color=color, alpha=0.75, linewidth=1.2, label=label)
        if (share < 0).any():
            axis.plot(rows["rank"], np.where(share < 0, -share, np.nan), ".", color=color, alpha=0.35, markersize=2, label="negative, absolute value")
        fit = rows.dropna(subset="fitted_share")
        axis.plot(fit["rank"], fit["fitted_share"], color=color, linewidth=3, alpha=0.35, label=f"fit to {label}", solid_capstyle="butt")
        texts.insert(0, (_exponent(rows.iloc[0]), color))
    axis.set(xscale="log", yscale="log", xlabel="rank", ylabel="share of variance", title=_title(table))
    if len(fitted):
        axis.set_ylim(fitted.min() / 30, 2 * table["share_of_total_variance"].max())
    style.decade_ticks(axis.yaxis)
    planted = table["planted_alpha"].iloc[0]
    if np.isfinite(planted):
        texts.append((f"planted α = {planted:.2f}", style.BLACK))
    for place, (text, color) in enumerate(texts):
        axis.text(0.04, 0.05 + 0.085 * (len(texts) - 1 - place), text, transform=axis.transAxes, color=color, weight="bold")


def _exponent(row: pd.Series) -> str:
    label = "cross-validated" if row["estimator"] == "cvpca" else "plain"
    interval = f" ({row['alpha_low']:.2f} to {row['alpha_high']:.2f})" if np.isfinite(row["alpha_low"]) else ""
    return f"{label} α = {row['alpha']:.2f}{interval}"


def _title(table: pd.DataFrame) -> str:
    stages = [text for text in table["target_stages"].dropna().unique() if text]
    return str(table["recording"].iloc[0]) + (f" → target stage {', '.join(stages[0].split())}" if stages else "")
