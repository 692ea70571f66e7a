"""What images that are near in a layer look like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.figures import style
from yuragi.figures.base import Figure, Results
from yuragi.figures.feature_space import STARTS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

ENDING = ".examples.nc"
ORIGINAL = "original"
COLORS = ["red", "green", "blue"]
SIDE = 0.72
"""Of a picture, in inches."""


class FeatureSpaceExamples(Figure):
    """Images beside what the feature-space attack made of them, by layer and start."""

    kind: Literal["feature_space_examples"] = "feature_space_examples"
    images: int = Field(3, ge=1, description="images of every experiment")
    kappa: float = Field(0.0, ge=0, description="margin of the attack; where it was not run, the smallest that was")
    arm: str = Field("plain", description="arm whose network is attacked; where there is none, the first")

    needs: ClassVar = ("feature_space_examples",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a pixel of a picture, its colours in whole steps of 1/255; of one network of every experiment, that with the smallest seed."""
        from yuragi.figures._networks import arm_and_seed

        networks: dict[str, list[tuple[bool, int, str, Path]]] = {}
        for path in results["feature_space_examples"]:
            arm, seed = arm_and_seed(path, ENDING)
            networks.setdefault(path.parent.name, []).append((arm != self.arm, seed, arm, path))
        tables = []
        for experiment, found in networks.items():
            _, seed, arm, path = min(found)
            rows = self._pixels(path)
            for place, (name, value) in enumerate({"experiment": experiment, "arm": arm, "seed": seed}.items()):
                rows.insert(place, name, value)
            tables.append(rows)
        return pd.concat(tables, ignore_index=True)

    def _pixels(self, path: Path) -> pd.DataFrame:
        from yuragi.files import read_netcdf

        data = read_netcdf(path, "attacked").isel(image=slice(self.images))
        smallest = float(data["kappa"].min())
        kappa = self.kappa if (data["kappa"] == self.kappa).any() else smallest
        tables = []
        for image in range(data.sizes["image"]):
            of_image, label = data.isel(image=image), int(data["label"][image])
            tables.append(_picture(of_image["original"], image=image, start=ORIGINAL, label=label, predicted=label, kappa=kappa))
            for attack in np.flatnonzero(data["kappa"] == kappa):
                chosen = of_image.isel(attack=attack)
                told = {name: chosen[name].item() for name in ("method", "start", "layer", "kappa", "predicted", "pixel_ratio", "layer_ratio")}
                tables.append(_picture(chosen["attacked"], image=image, label=label, **told))
        columns = ["method", "start", "layer", "kappa", "image", "label", "predicted", "pixel_ratio", "layer_ratio", "row", "column", *COLORS]
        return pd.concat(tables, ignore_index=True).reindex(columns=columns)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment: images down, what became of them across, layer by layer."""
        table = table.assign(layer=table["layer"].fillna(""))
        groups = list(table.groupby("experiment", sort=False))
        across = max(len(_versions(rows)) for _, rows in groups)
        down = [rows["image"].nunique() for _, rows in groups]
        drawing = style.canvas(1, 1, (SIDE * across + 0.6, sum((SIDE + 0.17) * count + 0.65 for count in down)), legend=0)
        parts = drawing.subfigures(len(groups), 1, squeeze=False, height_ratios=[count + 0.8 for count in down])[:, 0]
        for part, (experiment, rows), count in zip(parts, groups, down, strict=True):
            first = rows.iloc[0]
            part.suptitle(f"{experiment}, {first['arm']}: margin {first['kappa']:g}", x=0.01, ha="left", weight="bold")
            axes = part.subplots(count, across, squeeze=False)
            for panel in axes.ravel():
                panel.set_axis_off()
            for place, (layer, start) in enumerate(_versions(rows)):
                of_version = rows[(rows["layer"] == layer) & (rows["start"] == start)]
                for line, (_, pixels) in zip(axes, of_version.groupby("image"), strict=False):
                    _show(line[place], pixels)
                title = "image" if start == ORIGINAL else f"{layer}\n{SHORT[start]}"
                axes[0][place].text(0.5, 1.42, title, fontsize=7, ha="center", va="bottom", transform=axes[0][place].transAxes)
        return drawing


SHORT = {start: {"noise": "random", "other_class": "other class", "image": "image"}.get(start, start) for start in STARTS}


def _picture(pixels: xr.DataArray, **told: object) -> pd.DataFrame:
    """A row a pixel; a grey picture has three equal colours."""
    values = np.round(255 * pixels.to_numpy()).astype(int)
    channels, height, width = values.shape
    flat = np.broadcast_to(values, (3, height, width)).reshape(3, -1) if channels == 1 else values[:3].reshape(3, -1)
    rows, columns = np.divmod(np.arange(height * width), width)
    return pd.DataFrame({**told, "row": rows, "column": columns, **dict(zip(COLORS, flat, strict=True))})


def _versions(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Layer and start of every column of pictures; the image itself first."""
    return list(dict.fromkeys(zip(rows["layer"], rows["start"], strict=True)))


def _show(panel: Any, pixels: pd.DataFrame) -> None:
    height, width = pixels["row"].max() + 1, pixels["column"].max() + 1
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[pixels["row"], pixels["column"]] = pixels[COLORS].to_numpy()
    panel.imshow(picture, interpolation="nearest", aspect="equal")
    first = pixels.iloc[0]
    if first["start"] == ORIGINAL:
        panel.set_title(f"class {first['label']}", fontsize=7, loc="center", pad=2)
        return
    reached = first["predicted"] != first["label"] and first["pixel_ratio"] > 1 and first["layer_ratio"] < 1
    text = f"→{first['predicted']}  {first['pixel_ratio']:.1f} | {first['layer_ratio']:.1f}"
    panel.set_title(text, fontsize=6.5, loc="center", pad=2, color=style.GREEN if reached else style.GREY)
