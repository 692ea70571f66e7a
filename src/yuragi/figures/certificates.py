"""How far from an image the vote over noise at the pixels is certain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = ("sigma", "image", "label", "predicted", "radius", "n", "alpha")


class Certificates(Figure):
    """The certified accuracy of every arm against the radius."""

    kind: Literal["certificates"] = "certificates"
    points: int = Field(41, ge=2, description="radii at which certified accuracy is told, evenly from 0 to the largest that the draws could tell")

    needs: ClassVar = ("certificates",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a network, σ and radius; the radius is a Euclidean length over pixels in units of the pixel range."""
        from yuragi.figures._networks import read_networks
        from yuragi.robustness.certificates import certified_accuracy, radius_of

        rows = []
        for network in read_networks(results["certificates"], ".csv", COLUMNS):
            for sigma, told in network.groupby("sigma", sort=True):
                first = told.iloc[0]
                # All draws for one class: nothing larger can be told.
                largest = radius_of(np.array([first["alpha"] ** (1 / first["n"])]), float(sigma))[0]
                radii = np.linspace(0, largest, self.points)
                rows.append(
                    pd.DataFrame(
                        {
                            **{name: first[name] for name in ("experiment", "arm", "seed")},
                            "sigma_pixel_units": sigma,
                            "radius_pixel_units": radii,
                            "certified_accuracy": certified_accuracy(told, radii),
                            "abstained": float((told["predicted"] < 0).mean()),
                            "images": len(told),
                            "draws": int(first["n"]),
                            "alpha": first["alpha"],
                        }
                    )
                )
        return pd.concat(rows, ignore_index=True)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment, a panel a σ, a line an arm, thin lines its seeds."""
        looks = style.looks(table["arm"])
        sigmas = sorted(table["sigma_pixel_units"].unique())
        groups = [rows for _, rows in table.groupby("experiment", sort=False)]
        drawing, strips = style.strips([_title(rows) for rows in groups], columns=len(sigmas), sharey=True, panel=(2.7, 2.5))
        for axes, rows in zip(strips, groups, strict=True):
            for axis, sigma in zip(axes, sigmas, strict=True):
                _draw_panel(axis, rows[rows["sigma_pixel_units"] == sigma], looks)
                axis.set(title=f"σ = {sigma:g}", xlabel="radius, L2 (pixel units)")
            axes[0].set(ylabel="certified accuracy", ylim=(-0.02, 1.02))
        style.legend_below(drawing, [axis for axes in strips for axis in axes])
        return drawing


def _title(rows: pd.DataFrame) -> str:
    return (
        f"{rows['experiment'].iloc[0]}: {style.counted(rows['seed'].nunique(), 'seed')} an arm, {style.counted(int(rows['images'].max()), 'image')}"
    )


def _draw_panel(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    for arm, of_arm in rows.groupby("arm", sort=False):
        look = looks[str(arm)]
        for _, of_seed in of_arm.groupby("seed"):
            axis.plot(of_seed["radius_pixel_units"], of_seed["certified_accuracy"], color=look.color, linewidth=0.7, alpha=0.5)
        mean = of_arm.groupby("radius_pixel_units")["certified_accuracy"].mean()
        axis.plot(mean.index, mean, color=look.color, marker=look.marker, markevery=5, label=str(arm))
