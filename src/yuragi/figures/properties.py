"""What could explain robustness without the spectrum, arm by arm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = ("arm", "seed", "layer", "property", "value")
ROBUST = ("arm", "attack", "epsilon", "accuracy", "low", "high", "clean_accuracy")
ACCURACIES = ("robust_accuracy", "clean_accuracy")
ATTACK = "worst"
REFERENCE = "plain"
ACROSS = 4
"""Panels side by side."""
APART = 2
"""Most layers of a property that have a panel each; the mean is drawn where there are more."""

DRAWN = (
    "saturation",
    "silent_activity",
    "weight_frobenius",
    "weight_spectral",
    "margin_median",
    "distance_linf_median",
    "gradient_l1",
    "jacobian_squared_norm",
    "gradient_change",
    "low_frequency_share",
)


class Properties(Figure):
    """Saturation, norms, margins, gradients and smoothness of every arm beside its robust accuracy."""

    kind: Literal["properties"] = "properties"
    drawn: tuple[str, ...] = Field(DRAWN, min_length=1, description="properties that have panels, where networks have them; the table has all")

    needs: ClassVar = ("properties",)
    uses: ClassVar = ("robustness",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a network, layer and property; accuracies, which are means over seeds already, have one row an arm and no seed."""
        rows = [_of_experiment(path) for path in results["properties"]]
        measured = {table["experiment"].iloc[0] for table in rows if len(table)}
        rows += [_accuracies(path) for path in results.get("robustness", ()) if path.stem in measured]
        table = pd.concat(rows, ignore_index=True)
        plain = table[table["arm"] == REFERENCE].groupby(["experiment", "property", "layer"])["mean"].first()
        reference = table.set_index(["experiment", "property", "layer"]).index.map(plain.to_dict()).to_numpy(dtype=float)
        table["relative_to_plain"] = np.divide(table["mean"], reference, out=np.full(len(table), np.nan), where=reference != 0)
        return table

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment, a panel an accuracy or property (of a layer, or the mean over layers), a row an arm."""
        table = table.assign(layer=table["layer"].fillna(""))
        looks = style.looks(table["arm"])
        groups = list(table.groupby("experiment", sort=False))
        most = max(rows["arm"].nunique() for _, rows in groups)
        panels = [_panels(rows, self.drawn) for _, rows in groups]
        lines = [-(-len(found) // ACROSS) for found in panels]
        height = 0.75 + 0.19 * most
        drawing = style.canvas(1, sum(lines), (10.5, height), legend=0.35 * len(groups))
        parts = drawing.subfigures(len(groups), 1, squeeze=False, height_ratios=lines)[:, 0]
        for part, (experiment, rows), found, count in zip(parts, groups, panels, lines, strict=True):
            seeds = style.counted(rows["seed"].nunique(), "seed")
            part.suptitle(f"{experiment}: {seeds} an arm", x=0.01, ha="left", weight="bold")
            axes = part.subplots(count, ACROSS, squeeze=False, sharey=True).ravel()
            arms = list(dict.fromkeys(rows["arm"]))
            for axis, (title, of_panel) in zip(axes, found, strict=False):
                _draw_property(axis, of_panel, arms, looks)
                axis.set_title(title, fontsize=8.5)
            for axis in axes[len(found) :]:
                axis.remove()
            axes[0].set(yticks=range(len(arms)), yticklabels=arms, ylim=(len(arms) - 0.5, -0.5))
        return drawing


def _of_experiment(path: Path) -> pd.DataFrame:
    from yuragi.files import read_table

    found = read_table(path, COLUMNS)[list(COLUMNS)]
    found["layer"] = found["layer"].fillna("")
    found["seed"] = found["seed"].astype("Int64")
    found = _with_intervals(found, ["arm", "layer", "property"])
    found.insert(0, "experiment", path.name.removesuffix(".csv").removesuffix(".properties"))
    return found


def _accuracies(path: Path) -> pd.DataFrame:
    """The clean accuracy, and that under the strongest attack, mean over ε > 0, of every arm."""
    from yuragi.files import read_table

    rows = read_table(path, ROBUST)
    attacked = rows[(rows["attack"] == ATTACK) & (rows["epsilon"] > 0)]
    robust = attacked.groupby("arm", sort=False)[["accuracy", "low", "high"]].mean().rename(columns={"accuracy": "mean"})
    clean = rows.groupby("arm", sort=False)["clean_accuracy"].first().to_frame("mean").assign(low=np.nan, high=np.nan)
    both = [table.reset_index().assign(property=name) for name, table in zip(ACCURACIES, (robust, clean), strict=True)]
    seedless = {"seed": pd.array([pd.NA] * sum(map(len, both)), dtype="Int64"), "layer": "", "value": np.nan, "experiment": path.stem}
    return pd.concat(both, ignore_index=True).assign(**seedless)


def _panels(rows: pd.DataFrame, drawn: tuple[str, ...]) -> list[tuple[str, pd.DataFrame]]:
    """Title and rows of every panel: accuracies first, the layers of a property side by side."""
    panels = []
    for name in (*ACCURACIES, *drawn):
        of_property, title = rows[rows["property"] == name], name.replace("_", " ")
        layers = list(of_property["layer"].unique())
        if len(layers) > APART:
            means = of_property.groupby(["arm", "seed"], sort=False, as_index=False)["value"].mean()
            panels.append((f"{title}, mean of {len(layers)} layers", _with_intervals(means, ["arm"])))
        else:
            panels += [(f"{title}{f', {layer}' if layer else ''}", of_property[of_property["layer"] == layer]) for layer in layers]
    return panels


def _with_intervals(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The rows with the mean of the values over seeds, and its interval."""
    from yuragi.robustness.memorisation import seed_interval

    values = rows.groupby(keys, sort=False)["value"]
    low, high = (values.transform(lambda found, end=end: seed_interval(found)[end]) for end in (0, 1))
    return rows.assign(mean=values.transform("mean"), low=low, high=high)


def _draw_property(axis: Any, rows: pd.DataFrame, arms: list[str], looks: dict[str, style.Look]) -> None:
    for arm, of_arm in rows.groupby("arm", sort=False):
        place, (color, marker) = arms.index(str(arm)), looks[str(arm)]
        row = of_arm.iloc[0]
        axis.plot([row["low"], row["high"]], [place, place], color=color, linewidth=1.5, alpha=0.5)
        axis.plot(of_arm["value"], [place] * len(of_arm), marker, color=color, fillstyle="none", markersize=4)
        axis.plot([row["mean"]] * 2, [place - 0.3, place + 0.3], color=color, linewidth=2)
        if arm == REFERENCE:
            axis.axvline(row["mean"], **style.TRUTH | {"linewidth": 0.8})
    axis.tick_params(axis="x", labelsize=8)
    axis.locator_params(axis="x", nbins=4)
    axis.grid(axis="y", visible=False)
