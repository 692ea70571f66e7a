"""What figures of adversarial training share: the tables of single attacks, the names and looks of trainings, strips of panels in several lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Results

np = lazy.load("numpy")
pd = lazy.load("pandas")

ORDINARY = "ordinary"
CLEAN = "clean"
CHANCE = "random_noise"
"""The kind of attack that takes no step along a gradient."""

ARM = ("arm", "method", "recipe", "leaks_possible", "width", "batch_norm", "constraint", "ordinary")
ATTACK = ("attack", "attack_kind", "iterated", "uses_true_label", "epsilon")
ACCURACY = ("accuracy", "low", "high")
CLEAN_ACCURACY = ("clean_accuracy", "clean_low", "clean_high")
COUNTS = ("seeds", "images")
EPSILON = "epsilon_pixel_units"
LONG = ("experiment", *ARM, *ATTACK[:-1], EPSILON, *ACCURACY, *COUNTS)

LOOKS = {
    ORDINARY: style.Look(style.BLACK, "o"),
    "fgsm": style.Look(style.RED, "s"),
    "step_ll": style.Look(style.BLUE, "^"),
    "step_rnd": style.Look(style.GREEN, "D"),
    "basic_iterative": style.Look(style.ORANGE, "v"),
    "iterative_ll": style.Look(style.SKY, "P"),
    "pgd": style.Look(style.PINK, "X"),
}
OTHERS = tuple(style.Look(*look) for look in style.OTHER_ARMS[2:])
BATCH_NORM = {"mixture": "mixed batch norm", "separate": "separate batch norm", "none": "no batch norm"}


def read_single_attacks(results: Results, *further: str) -> pd.DataFrame:
    """The tables of single attacks of all experiments, ``further`` columns among them; ordinary training is the method ``ordinary``."""
    from yuragi.figures._tables import joined
    from yuragi.files import read_table

    columns = (*ARM, *ATTACK, *ACCURACY, *further, *CLEAN_ACCURACY, *COUNTS)
    tables = [read_table(path, columns).assign(experiment=path.stem) for path in results["single_attacks"]]
    table = joined(tables, ("experiment", *columns)).rename(columns={"epsilon": EPSILON})
    return table.assign(method=table["method"].astype(object).fillna(ORDINARY), ordinary=table["ordinary"].astype(object))


def read_beside(results: Results, kind: str, ending: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """The tables of another kind, ``<experiment>.<ending>.csv``, of all experiments; those of one without such rows are empty."""
    from yuragi.figures._tables import joined
    from yuragi.files import read_table

    tables = [
        read_table(path, columns).assign(experiment=path.name.removesuffix(".csv").removesuffix(f".{ending}")) for path in results.get(kind, ())
    ]
    return joined(tables, ("experiment", *columns)).rename(columns={"epsilon": EPSILON})


def with_clean(table: pd.DataFrame) -> pd.DataFrame:
    """One row an arm, attack and ε, under the columns `LONG`, with the images as they are as the attack ``clean`` of ε 0."""
    clean = table.drop_duplicates(["experiment", "arm"])
    values = dict(zip(ACCURACY, (clean[name] for name in CLEAN_ACCURACY), strict=True))
    clean = clean.assign(attack=CLEAN, attack_kind=CLEAN, iterated=False, uses_true_label=False, **{EPSILON: 0.0}, **values)
    return pd.concat([clean[list(LONG)], table[list(LONG)]], ignore_index=True)


def largest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of every experiment's and attack's largest ε."""
    return table[table[EPSILON] == table.groupby(["experiment", "attack"])[EPSILON].transform("max")]


def arms(table: pd.DataFrame) -> pd.DataFrame:
    """One row an experiment and arm."""
    return table.drop_duplicates(["experiment", "arm"])[["experiment", *ARM]].reset_index(drop=True)


def usual_batch_norm(described: pd.DataFrame) -> pd.Series:
    """For every row, the batch normalisation that goes without saying in its experiment: ``mixture`` where any arm has it, else ``none``."""
    found = described["batch_norm"].eq("mixture").groupby(described["experiment"]).transform("any")
    return found.map({True: "mixture", False: "none"})


def names(described: pd.DataFrame, *, without: Sequence[str] = ()) -> pd.Series:
    """What sets every arm apart from ordinary training of width 1: method, width, batch normalisation, constraint.

    described
        one row an experiment and arm, as `arms` gives them
    without
        of ``method``, ``width``, ``batch_norm`` and ``constraint`` those that are left out

    Arms of one experiment that this leaves with the same name have their own beside it. An arm without anything to say is ``none``.
    """
    usual = usual_batch_norm(described)
    found = []
    for place, arm in described.iterrows():
        parts = {
            "method": plainly(arm["method"]),
            "width": f"width {arm['width']:g}" if arm["width"] != 1 else "",
            "batch_norm": BATCH_NORM.get(arm["batch_norm"], arm["batch_norm"]) if arm["batch_norm"] != usual[place] else "",
            "constraint": plainly(arm["constraint"]) if arm["constraint"] != "none" else "",
        }
        found.append(", ".join(text for part, text in parts.items() if text and part not in without) or "none")
    told = pd.Series(found, index=described.index, dtype=object)
    twice = pd.DataFrame({"experiment": described["experiment"], "name": told}).duplicated(keep=False)
    return told.where(~twice, told + " (" + described["arm"].astype(str) + ")")


def plainly(name: str) -> str:
    return str(name).replace("_", " ")


def training(method: str) -> str:
    """How a legend names a training."""
    return f"{plainly(method)} training" if method == ORDINARY else f"trained on {plainly(method)}"


def looks(methods: Iterable[str]) -> dict[str, style.Look]:
    """The look of every training method: fixed for the known ones, in order of appearance for the others.

    >>> looks(["pgd", "free"])["pgd"] == looks(["pgd"])["pgd"]
    True
    """
    given = list(dict.fromkeys(methods))
    others = [name for name in given if name not in LOOKS]
    return {name: LOOKS[name] if name in LOOKS else OTHERS[others.index(name) % len(OTHERS)] for name in given}


def attacks(table: pd.DataFrame, *, iterated: bool) -> list[str]:
    """The one-step or the iterated attacks by name, in the table's order."""
    chosen = table[(table["iterated"].astype(bool) == iterated) & (table["attack"] != CLEAN)]
    return list(dict.fromkeys(chosen["attack"]))


def panels_of(table: pd.DataFrame, one_step: str, iterated: str) -> list[str]:
    """``clean``, one one-step and one iterated attack: the first of the kind asked for, else the first that there is."""
    found = [CLEAN]
    for many, kind in ((False, one_step), (True, iterated)):
        available = attacks(table, iterated=many)
        of_kind = set(table.loc[table["attack_kind"] == kind, "attack"])
        found += ([name for name in available if name in of_kind] or available)[:1]
    return found


def title(rows: pd.DataFrame) -> str:
    return (
        f"{rows['experiment'].iloc[0]}: {style.counted(int(rows['seeds'].max()), 'seed')} an arm, {style.counted(int(rows['images'].max()), 'image')}"
    )


def lines_of(names: Sequence[str], across: int) -> list[list[str]]:
    """The names in lines of at most so many, as even as they go.

    >>> lines_of(list("abcde"), 4)
    [['a', 'b', 'c'], ['d', 'e']]
    """
    count = -(-len(names) // across)
    size = -(-len(names) // count) if count else 1
    return [list(names[place : place + size]) for place in range(0, len(names), size)]


def strips(
    titles: Sequence[str], lines: Sequence[Sequence[Sequence[str]]], panel: tuple[float, float], legend: float = 0.5, beside: float = 0, **shared: Any
) -> tuple[Any, list[dict[str, Any]]]:
    """A drawing with one titled strip an experiment, each with its panels, by name, in lines.

    beside
        inches left of the panels for the names of rows
    shared
        ``sharex`` or ``sharey``, as matplotlib's subplots take them, within a strip
    """
    widest = max(len(line) for strip in lines for line in strip)
    heights = [0.35 + panel[1] * len(strip) for strip in lines]
    drawing = style.canvas(widest, 1, (panel[0] + beside / widest, sum(heights)), legend)
    # Whole numbers: fractions leave the layout's solver to round differently from drawing to drawing.
    parts = drawing.subfigures(len(titles), 1, squeeze=False, height_ratios=[round(100 * height) for height in heights])[:, 0]
    found = []
    for part, text, strip in zip(parts, titles, lines, strict=True):
        part.suptitle(text, x=0.01, ha="left", weight="bold")
        axes = part.subplots(len(strip), widest, squeeze=False, **shared)
        named = {}
        for line, of_line in zip(strip, axes, strict=True):
            named |= dict(zip(line, of_line[: len(line)], strict=True))
            for surplus in of_line[len(line) :]:
                surplus.remove()
        found.append(named)
    return drawing, found


def legend(drawing: Any, strips: Sequence[dict[str, Any]], entry: float = 1.9) -> None:
    """One legend below all panels, in as many columns as fit at so many inches each."""
    axes = [axis for panels in strips for axis in panels.values()]
    style.legend_below(drawing, axes, columns=max(1, int(drawing.get_size_inches()[0] / entry)))


def list_rows(axis: Any, rows: Sequence[str]) -> None:
    """Name the rows of a panel from the top; those that end with a colon are headings."""
    axis.set(yticks=range(len(rows)), yticklabels=rows, ylim=(len(rows) - 0.5, -0.5))
    axis.tick_params(axis="y", labelsize=8, length=0)
    for label in axis.get_yticklabels():
        if label.get_text().endswith(":"):
            label.set(color=style.GREY, style="italic")
    axis.grid(axis="y", visible=False)


def shade_rows(axis: Any, rows: Sequence[str]) -> None:
    """Grey behind every second row, so that the eye keeps to its line."""
    for place in range(1, len(rows), 2):
        axis.axhspan(place - 0.5, place + 0.5, color=style.GREY, alpha=0.06, linewidth=0)
    axis.tick_params(axis="y", length=0)


def dot(axis: Any, rows: pd.DataFrame, places: Any, look: style.Look, label: str) -> None:
    """Accuracies from left to right with their intervals."""
    axis.hlines(places, rows["low"], rows["high"], color=look.color, linewidth=1.2, alpha=0.7)
    axis.plot(rows["accuracy"], places, look.marker, color=look.color, linestyle="none", markersize=5, label=label)
