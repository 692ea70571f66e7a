"""The look of all figures: one colour for each arm and each estimator, panels of one size, and files with the same bytes for the same table."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import lazy_loader as lazy

from yuragi.errors import InputError
from yuragi.files import written_whole

if TYPE_CHECKING:
    import pandas as pd

matplotlib = lazy.load("matplotlib")
np = lazy.load("numpy")

Function = TypeVar("Function", bound=Callable[..., Any])

# Okabe and Ito's palette, told apart under the common colour blindnesses, without its yellow, which vanishes on white.
BLACK, GREY = "#1a1a1a", "#737373"
BLUE, ORANGE, GREEN, PINK, RED, SKY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"

# Colours outside the palette for the seventh arm and later; their markers tell them apart.
ARMS = {"plain": (BLACK, "o"), "spectral": (BLUE, "s"), "white": (ORANGE, "^"), "spontaneous": (GREEN, "D"), "both": (PINK, "v")}
OTHER_ARMS = (
    (RED, "P"),
    (SKY, "X"),
    ("#882255", "<"),
    ("#999933", ">"),
    ("#332288", "p"),
    ("#AA4499", "h"),
    ("#44AA99", "*"),
    ("#661100", "d"),
    ("#6699CC", "8"),
    ("#B8860B", "H"),
    ("#117733", "P"),
    ("#555555", "X"),
)

ESTIMATORS = {
    "cvpca": ("cvPCA", BLUE, "o"),
    "pca": ("plain PCA", ORANGE, "s"),
    "meme": ("MEME", PINK, "^"),
    "meme_broken": ("MEME with a break", RED, "v"),
    "cross_decomposition": ("cross-decomposition", GREEN, "D"),
}
TRUTH = {"color": BLACK, "linestyle": (0, (5, 3)), "linewidth": 1.2}
BAND = {"alpha": 0.18, "linewidth": 0}

PANEL = (3.1, 2.5)
"""Width and height of a panel in inches."""

SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "figure.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 150,
    # Letters as outlines and fixed names inside the file: the same picture and the same bytes on every machine.
    "svg.fonttype": "path",
    "svg.hashsalt": "yuragi",
    "pdf.fonttype": 42,
}

# What would put the time of day into the file.
UNDATED: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}


class Look(NamedTuple):
    """How an arm is drawn."""

    color: str
    marker: str


def looks(arms: Iterable[str]) -> dict[str, Look]:
    """The look of every arm: fixed for the known names, in order of appearance for the others.

    >>> looks(["plain", "blurred"])["blurred"].color == looks(["blurred"])["blurred"].color
    True
    """
    names = list(dict.fromkeys(arms))
    others = [name for name in names if name not in ARMS]
    found = {name: Look(*ARMS[name]) for name in names if name in ARMS}
    found |= {name: Look(*OTHER_ARMS[place % len(OTHER_ARMS)]) for place, name in enumerate(others)}
    return {name: found[name] for name in names}


def styled(function: Function) -> Function:
    """Run a function that draws or saves with yuragi's settings, and leave the user's own as they were."""

    @functools.wraps(function)
    def with_settings(*arguments: Any, **options: Any) -> Any:
        with matplotlib.rc_context(SETTINGS):
            return function(*arguments, **options)

    return with_settings  # type: ignore[return-value]


def canvas(columns: int, rows: int, panel: tuple[float, float] = PANEL, legend: float = 0.5) -> matplotlib.figure.Figure:
    """An empty drawing with room for a grid of panels.

    panel
        width and height of a panel in inches
    legend
        height in inches that a legend below needs
    """
    # Without pyplot no window is opened, nothing is global and nothing needs closing.
    import matplotlib.figure

    from yuragi.figures._layout import RoundedLayout

    return matplotlib.figure.Figure(figsize=(max(columns * panel[0], 5.0), rows * panel[1] + legend), layout=RoundedLayout())


def grid(count: int, columns: int = 3, panel: tuple[float, float] = PANEL, legend: float = 0.5) -> tuple[Any, list[Any]]:
    """A drawing and ``count`` panels, at most ``columns`` side by side."""
    columns = min(columns, count)
    rows = -(-count // columns)
    drawing = canvas(columns, rows, panel, legend)
    axes = drawing.subplots(rows, columns, squeeze=False).ravel()
    for surplus in axes[count:]:
        surplus.remove()
    return drawing, list(axes[:count])


def strips(
    titles: Iterable[str], columns: int, panel: tuple[float, float] = PANEL, legend: float = 0.5, **shared: Any
) -> tuple[Any, list[list[Any]]]:
    """A drawing with one titled strip of panels for each title.

    shared
        ``sharex``, ``sharey`` or ``width_ratios``, as matplotlib's subplots take them, within a strip
    """
    titles = list(titles)
    drawing = canvas(columns, len(titles), (panel[0], panel[1] + 0.3), legend)
    parts = drawing.subfigures(len(titles), 1, squeeze=False)[:, 0]
    axes = []
    for part, title in zip(parts, titles, strict=True):
        part.suptitle(title, x=0.01, ha="left", weight="bold")
        axes.append(list(part.subplots(1, columns, squeeze=False, **shared)[0]))
    return drawing, axes


def legend_below(drawing: Any, axes: Iterable[Any], columns: int = 6) -> None:
    """One legend for all panels below them, every label once."""
    entries: dict[str, Any] = {}
    for panel in axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        drawing.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=min(columns, len(entries)))


@styled
def notice(text: str) -> Any:
    """A drawing that only says why there is nothing to draw."""
    drawing = canvas(1, 1, (5.0, 1.2), legend=0)
    drawing.text(0.5, 0.5, text, ha="center", va="center", color=GREY, fontsize=10, wrap=True)
    return drawing


def logarithmic(panel: Any, which: str) -> None:
    """Make the axis ``"x"`` or ``"y"`` of a panel whose data are drawn and limits set logarithmic, with few and plainly written ticks."""
    import matplotlib.ticker

    getattr(panel, f"set_{which}scale")("log")
    axis = getattr(panel, f"{which}axis")
    low, high = axis.get_view_interval()
    # Over less than a decade and a half, powers of ten alone would leave one tick or none.
    digits = (1, 2, 5) if high < 30 * low else (1,)
    axis.set_major_locator(matplotlib.ticker.LogLocator(subs=digits, numticks=6))
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(_plainly))
    axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def _plainly(value: float, _: int) -> str:
    if 0.999e-3 < value < 1e5:
        return f"{value:g}"
    digits, exponent = f"{value:.0e}".split("e")
    return f"$10^{{{int(exponent)}}}$" if digits == "1" else f"${digits}\\times 10^{{{int(exponent)}}}$"


def counted(number: int, noun: str) -> str:
    """A number and its noun.

    >>> counted(1, "seed"), counted(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def present(values: pd.Series) -> bool:
    """Whether a column holds any number."""
    return bool(np.isfinite(values.to_numpy(dtype=float)).any())


@styled
def save(drawing: matplotlib.figure.Figure, path: str | os.PathLike[str]) -> None:
    """Write a drawing as its suffix says, whole or not at all, the same bytes for the same drawing.

    drawing
        a matplotlib figure
    path
        ends in ``.svg``, ``.png`` or ``.pdf``; an `InputError` refuses others
    """
    kind = os.path.splitext(path)[1].removeprefix(".").lower()
    if kind not in UNDATED:
        raise InputError(f"{os.fspath(path)}: a drawing is written as one of {', '.join(UNDATED)}; end its name with .svg")
    with written_whole(path) as temporary:
        drawing.savefig(temporary, format=kind, metadata=UNDATED[kind])
