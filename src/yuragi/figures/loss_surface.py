"""The loss around single images, network by network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field, PositiveInt

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = ("image", "label", "along_gradient", "along_random", "loss", "fraction_correct", "draws")
ENDING = ".surface.csv"


class LossSurface(Figure):
    """The loss over a plane through an image that holds the direction of its gradient."""

    kind: Literal["loss_surface"] = "loss_surface"
    images: PositiveInt = Field(3, description="images that are drawn, the first ones; the table has all")

    needs: ClassVar = ("surface",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a network, image and point of the plane, of the first seed of every arm; with the roughness of each plane."""
        from yuragi.figures._networks import read_networks
        from yuragi.robustness.loss_surface import roughness

        tables = []
        for table in read_networks(results["surface"], ENDING, COLUMNS):
            found = table[["experiment", "arm", "seed", *COLUMNS]]
            tables.append(found.assign(roughness=found["image"].map(roughness(found))))
        joined = pd.concat(tables, ignore_index=True)
        first = joined.groupby(["experiment", "arm"])["seed"].transform("min")
        names = {"along_gradient": "along_gradient_pixel_units", "along_random": "along_random_pixel_units", "loss": "loss_nats"}
        return joined[joined["seed"] == first].rename(columns=names).reset_index(drop=True)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A row an arm, a column an image: shades of the loss, and a line where half of the draws are right."""
        kept = sorted(table["image"].unique())[: self.images]
        table = table[table["image"].isin(kept)]
        networks = list(table.groupby(["experiment", "arm"], sort=False))
        drawing = style.canvas(len(kept), len(networks), (2.6, 1.9), legend=0.3)
        panels = drawing.subplots(len(networks), len(kept), squeeze=False, sharex=False, sharey=False)
        for axes, ((experiment, arm), rows) in zip(panels, networks, strict=True):
            axes[0].set_ylabel(f"{experiment}\n{arm}\nrandom (pixel units)", fontsize=8)
            for axis, (_, of_image) in zip(axes, rows.groupby("image"), strict=True):
                _draw_plane(drawing, axis, of_image, label="loss (nats)" if axis is axes[-1] else "")
        for axis in panels[-1]:
            axis.set_xlabel("along the gradient (pixel units)", fontsize=8)
        return drawing


def _draw_plane(drawing: Any, axis: Any, rows: pd.DataFrame, label: str) -> None:
    def plane(name: str) -> pd.DataFrame:
        return rows.pivot(index="along_random_pixel_units", columns="along_gradient_pixel_units", values=name)

    loss = plane("loss_nats")
    shades = axis.pcolormesh(loss.columns, loss.index, loss, cmap="viridis", shading="nearest")
    drawing.colorbar(shades, ax=axis, label=label)
    right = plane("fraction_correct")
    if right.to_numpy().min() < 0.5 < right.to_numpy().max():
        axis.contour(right.columns, right.index, right, levels=[0.5], colors="white", linewidths=1.2)
    axis.plot(0, 0, "+", color=style.RED, markersize=8)
    rough = rows["roughness"].iloc[0]
    axis.set_title(
        f"class {rows['label'].iloc[0]}: roughness {rough:.2g}" if np.isfinite(rough) else f"class {rows['label'].iloc[0]}: flat", fontsize=8
    )
    axis.grid(visible=False)
    axis.tick_params(labelsize=7)
