"""Whether the autoregression reproduces the spontaneous activity that it was fitted to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

STATISTICS = ("autocorrelation", "spatial_spectrum", "power_spectral_density")


class Autoregression(Figure):
    """Time course and spatial spectrum of every spontaneous recording beside simulations from its fitted autoregression."""

    kind: Literal["autoregression"] = "autoregression"

    needs: ClassVar = ("comparisons", "models")

    def table(self, results: Results) -> pd.DataFrame:
        """One row a recording, statistic and position; low and high are the smallest and largest of the simulations."""
        from yuragi.errors import InputError

        models = {path.stem: path for path in results["models"]}
        tables = []
        for path in results["comparisons"]:
            recording = path.name.removesuffix(".csv").removesuffix(".comparison")
            if recording not in models:
                raise InputError(f"{path}: no model named '{recording}' is given, there are {', '.join(models)}; give --models with it")
            tables.append(_of_recording(recording, path, models[recording]))
        return pd.concat(tables, ignore_index=True)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip of three panels a recording."""
        groups = [rows for _, rows in table.groupby("recording", sort=False)]
        drawing, strips = style.strips([_title(rows.iloc[0]) for rows in groups], columns=len(STATISTICS))
        for panels, rows in zip(strips, groups, strict=True):
            for axis, statistic in zip(panels, STATISTICS, strict=True):
                _draw_statistic(axis, statistic, rows[rows["statistic"] == statistic])
        style.legend_below(drawing, strips[0])
        return drawing


def _of_recording(recording: str, comparison: Path, model: Path) -> pd.DataFrame:
    from yuragi.files import read_netcdf, read_table
    from yuragi.spontaneous.var import VARFit

    table = read_table(comparison, ("statistic", "axis", "position", "measured", "simulated", "low", "high"))
    fit = VARFit.from_dataset(read_netcdf(model, "coefficients"))
    return table.assign(
        recording=recording,
        order_frames=fit.order,
        variables=fit.intercept.size,
        fitted_in=f"{fit.variable}s",
        explained_variance_share=fit.explained_variance,
        spectral_radius=fit.spectral_radius,
        sampling_interval_s=fit.sampling_interval,
        frames=fit.n_frames,
    )[["recording", *table.columns, *_ABOUT]]


_ABOUT = ("order_frames", "variables", "fitted_in", "explained_variance_share", "spectral_radius", "sampling_interval_s", "frames")


def _title(row: pd.Series) -> str:
    of = "" if row["fitted_in"] == "units" else f" ({100 * row['explained_variance_share']:.0f} % of the variance)"
    return (
        f"{row['recording']}: order {row['order_frames']}, {row['variables']} {row['fitted_in']}{of}, {row['frames']} frames, "
        f"spectral radius {row['spectral_radius']:.3f}" + ("" if row["spectral_radius"] < 1 else ", not stationary: nothing simulated")
    )


def _draw_statistic(axis: Any, statistic: str, rows: pd.DataFrame) -> None:
    interval = rows["sampling_interval_s"].iloc[0]
    if statistic == "power_spectral_density":
        # The mean was removed, so that the power at frequency 0 is nothing but leakage.
        rows = rows[rows["position"] > 0]
    if rows["simulated"].notna().any():
        axis.fill_between(rows["position"], rows["low"], rows["high"], color=style.BLUE, label="range of the simulations", **style.BAND)
        axis.plot(rows["position"], rows["simulated"], color=style.BLUE, label="mean of the simulations")
    dense = len(rows) > 40
    axis.plot(rows["position"], rows["measured"], "-o" if not dense else "-", color=style.BLACK, linewidth=1, markersize=3, label="measured")
    if statistic == "autocorrelation":
        frames = "frames" if np.isnan(interval) else f"frames of {interval:g} s"
        axis.set(xlabel=f"lag ({frames})", ylabel="autocorrelation")
        axis.axhline(0, color=style.GREY, linewidth=0.8)
    elif statistic == "spatial_spectrum":
        axis.set(xlabel="rank", ylabel="variance (activity²)")
        style.logarithmic(axis, "x")
        style.logarithmic(axis, "y")
    else:
        hertz = np.isfinite(interval)
        axis.set(xlabel="frequency (Hz)" if hertz else "frequency (1/frame)", ylabel="power (variance / Hz)" if hertz else "power (variance × frame)")
        style.logarithmic(axis, "y")
