"""Whether what a brain constraint buys and what adversarial training buys add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.figures import _adversarial, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

SORT = ["experiment", "method", "recipe", "width", "batch_norm"]


class AdversarialConstraint(Figure):
    """Accuracy of networks with and without a brain constraint, each trained ordinarily and adversarially."""

    kind: Literal["adversarial_constraint"] = "adversarial_constraint"
    one_step: str = Field("fgsm", description="kind of the one-step attack that is drawn; the first of its sort where the run has none of this kind")
    iterated: str = Field("pgd", description="kind of the iterated attack that is drawn; the first of its sort where the run has none of this kind")

    needs: ClassVar = ("single_attacks",)
    varies: ClassVar = "constraint"

    def table(self, results: Results) -> pd.DataFrame:
        """One row an arm, attack and ε, clean images too, for adversarial trainings with and without constraint and their ordinary arms."""
        table = _adversarial.with_clean(_adversarial.read_single_attacks(results))
        described = _adversarial.arms(table)
        adversarial = described[described["method"] != _adversarial.ORDINARY]
        combined = adversarial.loc[adversarial["constraint"] != "none", SORT].drop_duplicates()
        chosen = adversarial.merge(combined, on=SORT)
        # The ordinary arm names the row; an adversarial arm that has none stands in a row of its own.
        chosen = chosen.assign(row=chosen["ordinary"].fillna(chosen["arm"]))
        partners = described.merge(chosen[["experiment", "row"]].drop_duplicates(), left_on=["experiment", "arm"], right_on=["experiment", "row"])
        partners = partners[partners["method"] == _adversarial.ORDINARY]
        rows = pd.concat([partners, chosen], ignore_index=True).sort_values("row", key=lambda names: names.map(_places(described)), kind="stable")
        heads = rows.drop_duplicates(["experiment", "row"])
        named = heads[["experiment", "row"]].assign(with_constraint=_adversarial.names(heads, without=["method"]))
        rows = rows.merge(named, on=["experiment", "row"])[["experiment", "arm", "row", "with_constraint"]]
        return rows.merge(table, on=["experiment", "arm"])[["experiment", "with_constraint", *_adversarial.LONG[1:]]]

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment; panels: clean, a one-step and an iterated attack at the largest ε; a row a constraint, a mark a training."""
        if table.empty:
            return style.notice("No network of this run has a constraint and is trained adversarially.")
        shown = _adversarial.largest(table)
        groups = [rows for _, rows in shown.groupby("experiment", sort=False)]
        lines = [[_adversarial.panels_of(rows, self.one_step, self.iterated)] for rows in groups]
        labels, looks = _trainings(table)
        height = 1.0 + (0.15 + 0.12 * len(looks)) * max(rows["with_constraint"].nunique() for rows in groups)
        drawing, strips = _adversarial.strips([_adversarial.title(rows) for rows in groups], lines, (2.4, height), beside=1.6, sharey=True)
        for panels, rows in zip(strips, groups, strict=True):
            order = list(dict.fromkeys(rows["with_constraint"]))
            for attack, axis in panels.items():
                of_attack = rows[rows["attack"] == attack]
                _draw_attack(axis, of_attack, labels[of_attack.index], order, looks)
            _adversarial.list_rows(panels[_adversarial.CLEAN], order)
        _adversarial.legend(drawing, strips, entry=2.6)
        return drawing


def _places(described: pd.DataFrame) -> dict[str, int]:
    """The order of the rows: no constraint first, then as the run lists its arms."""
    free = described["constraint"] == "none"
    return {arm: place for place, arm in reversed(list(enumerate([*described.loc[free, "arm"], *described.loc[~free, "arm"]])))}


def _trainings(table: pd.DataFrame) -> tuple[pd.Series, dict[str, style.Look]]:
    """For every row of the table how it was trained, and the look of each training; batch normalisation of its own is told beside the method."""
    apart = table["batch_norm"] == "separate"
    labels = table["method"].map(_adversarial.training).where(~apart, table["method"].map(_adversarial.training) + ", separate batch norm")
    first = pd.DataFrame({"label": labels, "method": table["method"]}).drop_duplicates("label")
    keys = first["method"].where(~first["method"].duplicated(), first["label"])
    found = _adversarial.looks(keys)
    return labels, {str(label): found[key] for label, key in zip(first["label"], keys, strict=True)}


def _draw_attack(axis: Any, rows: pd.DataFrame, labels: pd.Series, order: list[str], looks: dict[str, style.Look]) -> None:
    _adversarial.shade_rows(axis, order)
    present = [label for label in looks if label in set(labels)]
    for number, label in enumerate(present):
        of_training = rows[labels == label]
        places = of_training["with_constraint"].map(order.index) + 0.7 * ((number + 0.5) / len(present) - 0.5)
        _adversarial.dot(axis, of_training, places, looks[label], label)
    first = rows.iloc[0]
    size = "" if first["attack"] == _adversarial.CLEAN else f", ε = {first[_adversarial.EPSILON]:.3g}"
    axis.set(title=f"{_adversarial.plainly(first['attack'])}{size}", xlabel="accuracy", xlim=(-0.03, 1.03))
    axis.grid(axis="y", visible=False)
