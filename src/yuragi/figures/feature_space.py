"""Far in the pixels, near in a layer, wrong at the output: at which layers, and from which start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

pd = lazy.load("pandas")

RATIOS = {
    "pixel_ratio": "pixel distance",
    "layer_ratio": "distance in the layer",
    "output_ratio": "distance at the output",
}
STARTS = {
    "noise": ("random pixels", style.BLUE, "o"),
    "other_class": ("image of another class", style.ORANGE, "s"),
    "image": ("the image", style.GREY, "^"),
    "generator": ("generator", style.PINK, "D"),
}
"""Label, colour and marker of where the images come from."""
WITHIN, BETWEEN = "within", "between"
SPREAD = 0.13
"""Between the starts at one layer, in units of the distance between layers."""
KEYS = ["experiment", "arm", "seed", "method", "start", "layer", "kappa"]


class FeatureSpace(Figure):
    """Distances of the feature-space attack's images in pixels, layer and output, layer by layer."""

    kind: Literal["feature_space"] = "feature_space"
    kappas: tuple[float, ...] | None = Field(None, min_length=1, description="margins that have strips; null for all. The table has all")

    needs: ClassVar = ("feature_space",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a network, method, start, layer and margin, and one more for images that a generator was not fitted to."""
        from yuragi.figures._networks import read_networks
        from yuragi.robustness.feature_space import COLUMNS, geometry_by_layer

        rows = pd.concat(read_networks(results["feature_space"], ".csv", COLUMNS), ignore_index=True)
        return geometry_by_layer(rows, KEYS)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment, arm and margin; panels: the three distances, and the share of images with all that is asked; layers across."""
        shown = table[~table["held_out"].astype(bool)]
        if self.kappas is not None:
            shown = shown[shown["kappa"].isin(self.kappas)]
        groups = list(shown.groupby(["experiment", "arm", "kappa"], sort=False))
        if not groups:
            return style.notice(f"no attack with a margin of {', '.join(f'{kappa:g}' for kappa in self.kappas or ())}")
        titles = [
            f"{experiment}, {arm}: margin {kappa:g}, {style.counted(rows['seed'].nunique(), 'seed')}" for (experiment, arm, kappa), rows in groups
        ]
        drawing, strips = style.strips(titles, len(RATIOS) + 1, (2.75, 1.95), legend=0.7)
        for (_, rows), panels in zip(groups, strips, strict=True):
            _draw_strip(panels, rows)
        for panel, (ratio, title) in zip(strips[0], RATIOS.items(), strict=False):
            panel.set_title(f"{title} / {WITHIN if ratio == 'pixel_ratio' else BETWEEN} classes", fontsize=8)
        strips[0][-1].set_title("share far, near and wrong", fontsize=8)
        style.legend_below(drawing, [panel for panels in strips for panel in panels], columns=3)
        return drawing


def _draw_strip(panels: list[Any], rows: pd.DataFrame) -> None:
    from yuragi.robustness.feature_space import EXISTS

    layers = list(dict.fromkeys(rows["layer"]))
    starts = [start for start in STARTS if start in set(rows["start"])]
    offsets = {start: SPREAD * (place - (len(starts) - 1) / 2) for place, start in enumerate(starts)}
    for start in starts:
        label, color, marker = STARTS[start]
        of_start = rows[rows["start"] == start]
        means = of_start.groupby("layer", sort=False).mean(numeric_only=True)
        places = [layers.index(layer) + offsets[start] for layer in means.index]
        for panel, ratio in zip(panels, RATIOS, strict=False):
            low, high = means[f"{ratio}_low"], means[f"{ratio}_high"]
            panel.vlines(places, low, high, color=color, linewidth=1.2, alpha=0.7)
            panel.plot(places, means[f"{ratio}_median"], marker, color=color, label=label)
        share = panels[len(RATIOS)]
        share.plot(places, means["geometry"], marker, color=color, label=label)
        single = of_start.groupby(["layer", "seed"], sort=False)["geometry"].mean()
        at = [layers.index(layer) + offsets[start] for layer, _ in single.index]
        share.plot(at, single, marker, color=color, fillstyle="none", markersize=3, alpha=0.7)
    for place, panel in enumerate(panels):
        panel.set(xticks=range(len(layers)), xticklabels=layers, xlim=(-0.5, len(layers) - 0.5))
        panel.tick_params(axis="x", labelsize=8, rotation=45 if len(layers) > ROTATED else 0)
        panel.grid(axis="x", visible=False)
        if place < len(RATIOS):
            panel.axhline(1, **style.TRUTH)
            panel.set_ylim(0)
    panels[0].axhspan(1, panels[0].get_ylim()[1], color=style.GREEN, **style.BAND | {"alpha": 0.08})
    panels[1].axhspan(0, 1, color=style.GREEN, **style.BAND | {"alpha": 0.08})
    panels[-1].axhline(EXISTS, **style.TRUTH)
    panels[-1].set_ylim(-0.05, 1.05)


ROTATED = 5
"""Layers beyond which their names are turned."""
