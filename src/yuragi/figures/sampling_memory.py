"""What networks that learn by sampling draw, recall, and know that they do not know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

COLUMNS = ("part", "condition", "measure", "cue", "value", "low", "high", "images")
PICTURES = ("real", "drawn", "stored", "cue", "recalled", "nearest")
GENERATION = {
    "real": "real, held out",
    "drawn": "drawn by the network",
    "independent pixels": "independent pixels",
    "drawn, labels shuffled": "drawn, labels shuffled",
    "before learning": "before learning",
}
JUDGED = {"recognised": ("label recognised", style.BLUE, "o"), "pixel covariance": ("covariance of pixels as in real ones", style.ORANGE, "s")}
RECALL = {
    "network": ("the network", style.BLUE, "o"),
    "nearest stored": ("nearest stored picture", style.GREEN, "D"),
    "mean picture": ("mean picture", style.GREY, "v"),
}
CASES = {"wrong": "labelled wrongly", "shuffled": "pixels shuffled", "independent": "independent pixels", "inverted": "inverted"}
SCORES = {
    "mutual information": ("mutual information", style.BLUE, "o"),
    "entropy": ("entropy", style.PINK, "s"),
    "entropy of one sample": ("entropy of one sample", style.BLACK, "^"),
    "active pixels": ("control: active pixels", style.GREY, "v"),
}
GAP = 1
"""Empty pixels between pictures."""


class SamplingMemory(Figure):
    """Pictures drawn from labels, stored pictures recalled from parts, and uncertainty where it belongs, each beside plain alternatives."""

    kind: Literal["sampling_memory"] = "sampling_memory"

    needs: ClassVar = ("sampling_memory",)
    uses: ClassVar = ("sampling_examples",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a study, seed and number (parts ``generation``, ``recall``, ``uncertainty``); a pixel of a ``picture`` of the smallest seed."""
        from yuragi.files import read_table

        tables = [read_table(path, COLUMNS).assign(study=path.parent.name, seed=_seed(path)) for path in results["sampling_memory"]]
        found: dict[str, tuple[int, Path]] = {}
        for path in results.get("sampling_examples", ()):
            mine = (_seed(path), path)
            found[path.parent.name] = min(found.get(path.parent.name, mine), mine)
        tables += [_pixels(path).assign(study=study, seed=seed, part="picture") for study, (seed, path) in found.items()]
        table = pd.concat(tables, ignore_index=True)
        return table.reindex(columns=["study", "seed", *COLUMNS, "kind", "item", "label", "row", "column"])

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """Two strips a study: pictures, then how they are judged, how much is recalled, and how well uncertainty tells."""
        groups = list(table.groupby("study", sort=False))
        heights = [2.5 * (rows["part"] == "picture").any() + 3.7 for _, rows in groups]
        drawing = style.canvas(1, 1, (11.0, sum(heights)), legend=0)
        parts = drawing.subfigures(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, (study, rows) in zip(parts, groups, strict=True):
            part.suptitle(
                f"{study}: {style.counted(rows.loc[rows['part'] != 'picture', 'seed'].nunique(), 'seed')}", x=0.01, ha="left", weight="bold"
            )
            pictures = rows[rows["part"] == "picture"]
            strips = part.subfigures(2, 1, height_ratios=(2.2, 3.7)) if len(pictures) else [None, part]
            if len(pictures):
                left, right = strips[0].subplots(1, 2, width_ratios=(10, 8))
                _draw_pictures(left, pictures[pictures["kind"].isin(("real", "drawn"))], "drawn from labels")
                recall = pictures[~pictures["kind"].isin(("real", "drawn"))]
                _draw_pictures(right, recall, f"recalled from {recall['cue'].iloc[0]:.0%} of the pixels")
            judged, recalled, unsure = strips[1].subplots(1, 3)
            _draw_points(judged, rows[rows["part"] == "generation"], GENERATION, JUDGED)
            judged.set(xlabel="share, correlation", title="pictures of a label", xlim=(min(-0.05, judged.get_xlim()[0]), 1.04))
            _draw_recall(recalled, rows[rows["part"] == "recall"])
            _draw_points(unsure, rows[rows["part"] == "uncertainty"], CASES, SCORES)
            unsure.axvline(0.5, **style.TRUTH)
            unsure.set(xlabel="AUROC of uncertainty", title="is it unsure of these?", xlim=(min(0.4, unsure.get_xlim()[0]), 1.02))
            for axis in (judged, recalled, unsure):
                if axis.get_legend_handles_labels()[0]:
                    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=8)
        return drawing


def _seed(path: Path) -> int:
    """The seed that a file's name tells, ``<name>-seed<seed>.…``; 0 where a study has one file alone."""
    found = re.search(r"-seed(\d+)\.", path.name)
    return int(found[1]) if found else 0


def _pixels(path: Path) -> pd.DataFrame:
    """A row a pixel of a picture; ``value`` from 0 to 1 in steps of 1/255, channels averaged."""
    from yuragi.files import read_netcdf

    data = read_netcdf(path, "picture")
    values = np.round(255 * data["picture"].mean("channel").transpose("picture", "row", "column").to_numpy()) / 255
    n, height, width = values.shape
    rows, columns = (grid.ravel() for grid in np.indices((height, width)))
    told = {name: np.repeat(data[name].to_numpy(), height * width) for name in ("kind", "item", "label", "cue")}
    return pd.DataFrame(told | {"row": np.tile(rows, n), "column": np.tile(columns, n), "value": values.reshape(-1)})


def _draw_pictures(axis: Any, pixels: pd.DataFrame, title: str) -> None:
    """All pictures of some kinds in one: a line a kind and item of drawn ones, a column a label; of recalled ones a line a kind."""
    height, width = int(pixels["row"].max()) + 1, int(pixels["column"].max()) + 1
    by_label = "drawn" in set(pixels["kind"])
    line_of = pixels["kind"] + " " + pixels["item"].astype(int).astype(str) if by_label else pixels["kind"]
    column_of = pixels["label"] if by_label else pixels["item"]
    lines = sorted(line_of.unique(), key=lambda name: (PICTURES.index(name.split()[0]), name))
    columns = sorted(column_of.unique())
    canvas = np.ones((len(lines) * (height + GAP) - GAP, len(columns) * (width + GAP) - GAP))
    down = line_of.map({name: place for place, name in enumerate(lines)}) * (height + GAP) + pixels["row"]
    across = column_of.map({name: place for place, name in enumerate(columns)}) * (width + GAP) + pixels["column"]
    # Ink is dark, as on paper.
    canvas[down.astype(int), across.astype(int)] = 1 - pixels["value"].to_numpy()
    axis.imshow(canvas, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="equal")
    for place in range(1, len(lines)):
        axis.axhline(place * (height + GAP) - (GAP + 1) / 2, color=style.SKY, linewidth=0.6)
    for place in range(1, len(columns)):
        axis.axvline(place * (width + GAP) - (GAP + 1) / 2, color=style.SKY, linewidth=0.6)
    middles = [place * (height + GAP) + (height - 1) / 2 for place in range(len(lines))]
    axis.set_yticks(middles, [name.split()[0] if not name.startswith("drawn") or name == "drawn 0" else "" for name in lines])
    axis.set_xticks(
        [place * (width + GAP) + (width - 1) / 2 for place in range(len(columns))],
        [f"{int(name)}" for name in columns] if by_label else [""] * len(columns),
    )
    axis.tick_params(length=0, pad=3)
    axis.grid(visible=False)
    axis.set_title(title)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _draw_points(axis: Any, rows: pd.DataFrame, conditions: dict[str, str], measures: dict[str, tuple[str, str, str]]) -> None:
    """A line a condition, a mark a measure: the mean over seeds large, every seed small with its interval over images."""
    there = [name for name in conditions if name in set(rows["condition"])]
    if not there:
        axis.text(0.5, 0.5, "not asked in this run", ha="center", va="center", color=style.GREY, transform=axis.transAxes)
        axis.set_yticks([])
        return
    beside = np.linspace(-0.27, 0.27, len(measures)) if len(measures) > 1 else [0.0]
    for shift, (measure, (label, color, marker)) in zip(beside, measures.items(), strict=True):
        of = rows[(rows["measure"] == measure) & rows["value"].notna()]
        of = of[of["condition"].isin(there)]
        for condition, values in of.groupby("condition"):
            place = there.index(str(condition)) + shift
            heights = place + np.linspace(-0.05, 0.05, len(values)) if len(values) > 1 else np.array([place])
            axis.hlines(heights, values["low"], values["high"], color=color, linewidth=0.8, alpha=0.6)
        means = of.groupby("condition")["value"].mean()
        axis.plot(means, [there.index(name) + shift for name in means.index], marker, color=color, markersize=5, label=label)
    axis.set_yticks(range(len(there)), [conditions[name] for name in there])
    axis.set_ylim(len(there) - 0.5, -0.5)


def _draw_recall(axis: Any, rows: pd.DataFrame) -> None:
    for which, dash in (("stored", "-"), ("new", (0, (4, 2)))):
        for name, (label, color, marker) in RECALL.items():
            of = rows[rows["condition"] == f"{name}, {which}"]
            by = of.groupby("cue")["value"]
            axis.fill_between(by.mean().index, by.min(), by.max(), color=color, **style.BAND)
            axis.plot(by.mean().index, by.mean(), color=color, marker=marker, linestyle=dash, label=label if which == "stored" else None)
    axis.plot([], [], color=style.BLACK, label="of stored pictures")
    axis.plot([], [], color=style.BLACK, linestyle=(0, (4, 2)), label="of new pictures")
    axis.set(xlabel="share of pixels known", ylabel="unknown pixels right", title="recall", xlim=(0, 1))
