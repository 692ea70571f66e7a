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


OTHERS = ("participation_ratio", "alpha_unweighted", "alpha_windowed", "alpha_head", "break_rank")
"""Further numbers of an estimate, not all of which every estimator has."""
LINES = ("meme", "meme_broken")
"""Estimators whose spectrum is the fitted law itself."""


class Spectra(Figure):
    """Variance at each rank of every recording of responses by each estimator, with the fitted power law."""

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
        drawing, axes = style.grid(len(recordings), panel=(3.5, 3.1), legend=0.7)
        for axis, recording in zip(axes, recordings, strict=True):
            _draw_recording(axis, table[table["recording"] == recording])
        style.legend_below(drawing, axes, columns=min(len(axes) + 1, 4))
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
                **{name: float(one[name]) if name in one else np.nan for name in OTHERS},
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
    texts = []
    estimators = list(table.groupby("estimator", sort=False))
    for place, (name, rows) in enumerate(estimators):
        label, color, _ = style.ESTIMATORS[str(name)]
        # The first, the cross-validated one, lies on top of the other measured spectra; laws that are nothing but lines lie above them.
        above = 2 + (1.5 if name in LINES else (len(estimators) - place) / len(estimators))
        share = rows["share_of_total_variance"].to_numpy()
        axis.plot(
            rows["rank"],
            np.where(share > 0, share, np.nan),
            color=color,
            linewidth=1.2,
            linestyle=(0, (1, 1)) if name in LINES else "-",
            label=f"{label}, fitted law" if name in LINES else label,
            zorder=above,
        )
        texts.append((f"{label} {_exponent(rows.iloc[0])}", color))
        if name in LINES:
            continue
        if (share < 0).any():
            axis.plot(
                rows["rank"],
                np.where(share < 0, -share, np.nan),
                ".",
                color=color,
                alpha=0.4,
                markersize=2.5,
                label=f"{label}, negative: size",
                zorder=above,
            )
        axis.plot(
            rows["rank"], rows["fitted_share"], color=color, linewidth=5, alpha=0.3, label=f"fit to {label}", zorder=above, solid_capstyle="butt"
        )
    if style.present(table["planted_share"]):
        truth = table.drop_duplicates("rank")
        axis.plot(truth["rank"], truth["planted_share"], label="planted power law", zorder=5, **style.TRUTH)
        texts.append((f"planted α = {table['planted_alpha'].iloc[0]:.2f}", style.BLACK))
    axis.set(xlabel="rank", ylabel="share of variance", title=_title(table))
    # Every line of text beyond three needs more room below the spectra.
    surplus = max(len(texts) - 3, 0)
    axis.set_ylim(table["fitted_share"].min() / 30 / 8**surplus, 2 * table["share_of_total_variance"].max())
    style.logarithmic(axis, "x")
    style.logarithmic(axis, "y")
    for line, (text, color) in enumerate(reversed(texts)):
        height = 0.085 if not surplus else 0.068
        axis.text(0.03, 0.04 + height * line, text, transform=axis.transAxes, color=color, fontsize=7.5 if surplus else None)


def _exponent(row: pd.Series) -> str:
    interval = f" ({row['alpha_low']:.2f} to {row['alpha_high']:.2f})" if np.isfinite(row["alpha_low"]) else ""
    head = f", {row['alpha_head']:.2f} to rank {row['break_rank']:.0f}" if np.isfinite(row["alpha_head"]) else ""
    return f"α = {row['alpha']:.2f}{interval}{head}"


def _title(table: pd.DataFrame) -> str:
    stages = [text for text in table["target_stages"].dropna().unique() if text]
    return str(table["recording"].iloc[0]) + (f" (target stage {', '.join(stages[0].split())})" if stages else "")
