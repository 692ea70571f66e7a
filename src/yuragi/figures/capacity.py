"""Whether wider networks gain more from adversarial training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _adversarial, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

KEYS = ("method", "recipe", "batch_norm", "constraint", "attack", "epsilon")
SLOPES = {
    "per_doubling": "gain_per_doubling",
    "low": "gain_per_doubling_low",
    "high": "gain_per_doubling_high",
    "p": "gain_per_doubling_p",
    **{f"{of}_per_doubling{end}": f"{of}_per_doubling{end}" for of in ("ordinary", "adversarial") for end in ("", "_low", "_high")},
}
ACROSS = 4
APART = 0.05
LINE = 0.11


class Capacity(Figure):
    """Accuracy of networks trained ordinarily and adversarially against the multiplier of all their widths."""

    kind: Literal["capacity"] = "capacity"

    needs: ClassVar = ("single_attacks",)
    uses: ClassVar = ("capacity",)
    varies: ClassVar = "width"

    def table(self, results: Results) -> pd.DataFrame:
        """One row an arm of a training at two or more widths and an attack at its largest ε, or none; what a doubling of width adds beside it."""
        table = _adversarial.largest(_adversarial.with_clean(_adversarial.read_single_attacks(results)))
        family = ["experiment", "method", "recipe", "batch_norm", "constraint"]
        table = table[table.groupby(family)["width"].transform("nunique") > 1]
        described = _adversarial.arms(table).drop_duplicates(family)
        named = described[family].assign(training=_adversarial.names(described, without=["width"]))
        table = table.merge(named, on=family, validate="many_to_one")
        slopes = _adversarial.read_beside(results, "capacity", "capacity", (*KEYS, *SLOPES)).rename(columns=SLOPES)
        if slopes.empty:
            table = table.assign(**dict.fromkeys(SLOPES.values(), np.nan))
        else:
            table = table.merge(slopes, on=[*family, "attack", _adversarial.EPSILON], how="left", validate="many_to_one")
        counts = list(_adversarial.COUNTS)
        return table[["experiment", "training", *(name for name in table if name not in ("experiment", "training", *counts)), *counts]]

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment, a panel an attack, clean images first; a line a training; the gain per doubling of width in the panel."""
        if table.empty:
            return style.notice("Every training of this run has one width only: nothing tells what capacity adds.")
        groups = [rows for _, rows in table.groupby("experiment", sort=False)]
        lines = [_lines(rows) for rows in groups]
        told = 1 + max(rows.loc[rows["gain_per_doubling"].notna(), "training"].nunique() for rows in groups)
        drawing, strips = _adversarial.strips([_adversarial.title(rows) for rows in groups], lines, (2.7, 2.4 + 0.2 * told), sharex=True, sharey=True)
        looks = _looks(table)
        for panels, rows, strip in zip(strips, groups, lines, strict=True):
            for attack, axis in panels.items():
                of_attack = rows[rows["attack"] == attack]
                _draw_attack(axis, of_attack, looks)
                size = "" if attack == _adversarial.CLEAN else f", ε = {of_attack[_adversarial.EPSILON].iloc[0]:.3g}"
                axis.set(title=f"{_adversarial.plainly(attack)}{size}", xlabel="width multiplier", ylim=(-0.02, 1.05 + LINE * told))
                axis.set_yticks(np.linspace(0, 1, 6))
                axis.tick_params(labelbottom=True)
            for line in strip:
                panels[line[0]].set(ylabel="accuracy")
        _adversarial.legend(drawing, strips, entry=2.6)
        return drawing


def _lines(rows: pd.DataFrame) -> list[list[str]]:
    """Clean images and one-step attacks, then the iterated ones."""
    one_step, iterated = (_adversarial.attacks(rows, iterated=many) for many in (False, True))
    return [*_adversarial.lines_of([_adversarial.CLEAN, *one_step], ACROSS), *_adversarial.lines_of(iterated, ACROSS)]


def _looks(table: pd.DataFrame) -> dict[str, style.Look]:
    """The look of every training's name: its method's for the first name of a method, another for those that follow."""
    first = table.drop_duplicates("training")[["training", "method"]]
    keys = first["method"].where(~first["method"].duplicated(), first["training"])
    looks = _adversarial.looks(keys)
    return {str(name): looks[key] for name, key in zip(first["training"], keys, strict=True)}


def _draw_attack(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    widths = sorted(rows["width"].unique())
    axis.set_xscale("log", base=2)
    axis.set_xticks(widths, [f"{width:g}" for width in widths])
    trainings = list(rows.groupby("training", sort=False))
    slopes = [(str(name), of.iloc[0]) for name, of in trainings if style.present(of["gain_per_doubling"])]
    for place, (name, of_training) in enumerate(trainings):
        look = looks[str(name)]
        beside = 2 ** (APART * (place - (len(trainings) - 1) / 2))
        means = of_training.groupby("width")["accuracy"].mean()
        axis.vlines(of_training["width"] * beside, of_training["low"], of_training["high"], color=look.color, linewidth=1.2, alpha=0.7)
        axis.plot(of_training["width"] * beside, of_training["accuracy"], look.marker, color=look.color, linestyle="none")
        method = of_training["method"].iloc[0]
        label = _adversarial.training(method) + str(name).removeprefix(_adversarial.plainly(method))
        axis.plot(means.index * beside, means, color=look.color, marker=look.marker, label=label)
    if slopes:
        axis.text(0.02, 1.03 + LINE * len(slopes), "gain per doubling", fontsize=7.5, color=style.GREY, va="bottom", transform=_at_left(axis))
    for place, (name, row) in enumerate(reversed(slopes)):
        text = f"{row['gain_per_doubling']:+.3f} [{row['gain_per_doubling_low']:+.3f}, {row['gain_per_doubling_high']:+.3f}]"
        axis.text(0.02, 1.03 + LINE * place, text, fontsize=7.5, color=looks[name].color, va="bottom", transform=_at_left(axis))


def _at_left(axis: Any) -> Any:
    """Fractions of the panel across, data upwards."""
    return axis.get_yaxis_transform()
