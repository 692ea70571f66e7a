"""Whether networks recognise attacked images better than clean ones, as they can where the attack gives the true label away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _adversarial, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

LEAKING = ("leaking", "leaking_low", "leaking_high", "leaking_p", "leaking_p_holm")
LEVEL = 0.05
GROUPS = ("ordinary:", "trained with the true label:", "trained without it:")
# None of the colours of trainings: here the attack is told apart.
COLORS = {True: "#882255", False: "#44AA99"}
LABELS = {True: "attack with the true label", False: "attack without it"}
ACROSS = 4


class LabelLeaking(Figure):
    """Accuracy on attacked images minus accuracy on the same images as they are, for attacks of one gradient."""

    kind: Literal["label_leaking"] = "label_leaking"

    needs: ClassVar = ("single_attacks",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row an experiment, arm, one-step attack and ε: the difference, its 95 % interval, p, and whether label leaking is shown."""
        table = _adversarial.read_single_attacks(results, *LEAKING)
        one_gradient = ~table["iterated"].astype(bool) & (table["attack_kind"] != _adversarial.CHANCE)
        table = table[one_gradient].drop(columns=["low", "high", "clean_low", "clean_high"])
        described = _adversarial.arms(table)
        table = table.merge(described[["experiment", "arm"]].assign(training=_adversarial.names(described)), on=["experiment", "arm"])
        shown = (table["leaking_p_holm"] < LEVEL) & (table["leaking"] > 0)
        order = ["experiment", "arm", "training", *(name for name in table if name not in ("experiment", "arm", "training", *_adversarial.COUNTS))]
        return table.assign(label_leaking=shown)[[*order, "label_leaking", *_adversarial.COUNTS]].reset_index(drop=True)

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment, a panel an attack, a row a training, ε from the top to the bottom of the row."""
        if table.empty:
            return style.notice("No attack of this run takes a single step along the gradient.")
        groups = [rows for _, rows in table.groupby("experiment", sort=False)]
        ordered = [_ordered(rows) for rows in groups]
        lines = [_adversarial.lines_of(_sorted_attacks(rows), ACROSS) for rows in groups]
        height = 1.0 + 0.3 * max(len(rows) for rows in ordered)
        drawing, strips = _adversarial.strips([_title(rows) for rows in groups], lines, (2.3, height), beside=2, sharex=True, sharey=True)
        for panels, rows, order, strip in zip(strips, groups, ordered, lines, strict=True):
            for attack, axis in panels.items():
                _draw_attack(axis, rows[rows["attack"] == attack], order)
                axis.set_title(_adversarial.plainly(attack))
                axis.set(xlabel="attacked − clean accuracy")
                axis.tick_params(labelbottom=True)
            _adversarial.list_rows(panels[strip[0][0]], [row.removeprefix(f"{_adversarial.ORDINARY}, ") for row in order])
        _adversarial.legend(drawing, strips, entry=3.2)
        return drawing


def _title(rows: pd.DataFrame) -> str:
    sizes = ", ".join(f"{epsilon:.3g}" for epsilon in sorted(rows[_adversarial.EPSILON].unique()))
    return f"{_adversarial.title(rows)}\nε in every row, from the top: {sizes}"


def _sorted_attacks(rows: pd.DataFrame) -> list[str]:
    """Attacks that use the true label first."""
    leaking = rows.groupby("attack", sort=False)["uses_true_label"].first().astype(bool)
    return [str(name) for use in (True, False) for name in leaking.index[leaking == use]]


def _ordered(rows: pd.DataFrame) -> list[str]:
    """The trainings below a heading each for ordinary ones, those on attacks with and those without the true label."""
    of_arm = rows.drop_duplicates("training").set_index("training")
    methods = list(dict.fromkeys(of_arm["method"]))
    of_arm = of_arm.sort_values("method", key=lambda names: names.map(methods.index), kind="stable")
    ordinary, leaks = of_arm["method"] == _adversarial.ORDINARY, of_arm["leaks_possible"].astype(bool)
    order = []
    for heading, chosen in zip(GROUPS, (ordinary, ~ordinary & leaks, ~ordinary & ~leaks), strict=True):
        if chosen.any():
            order += [heading, *of_arm.index[chosen]]
    return order


def _draw_attack(axis: Any, rows: pd.DataFrame, order: list[str]) -> None:
    uses = bool(rows["uses_true_label"].iloc[0])
    color, marker = COLORS[uses], "s" if uses else "o"
    sizes = sorted(rows[_adversarial.EPSILON].unique())
    _adversarial.shade_rows(axis, order)
    axis.axvline(0, **style.TRUTH | {"linewidth": 0.8})
    places = rows["training"].map(order.index) + 0.75 * ((rows[_adversarial.EPSILON].map(sizes.index) + 0.5) / len(sizes) - 0.5)
    axis.hlines(places, rows["leaking_low"], rows["leaking_high"], color=color, linewidth=1, alpha=0.55)
    shown = rows["label_leaking"].astype(bool)
    for filled, chosen in (("white", ~shown), (color, shown)):
        label = f"{LABELS[uses]}: {'label leaking (p < .05)' if filled == color else 'none shown'}"
        axis.plot(
            rows.loc[chosen, "leaking"], places[chosen], marker, color=color, markerfacecolor=filled, linestyle="none", markersize=3.2, label=label
        )
    axis.grid(axis="y", visible=False)
