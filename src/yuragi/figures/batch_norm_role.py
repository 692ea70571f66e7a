"""Whether adversarial training needs batch normalisation, and whether clean and adversarial images may share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.figures import _adversarial, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

pd = lazy.load("pandas")

KINDS = ("mixture", "separate", "none")
NAMES = {"mixture": "mixture", "separate": "separate", "none": "no batch norm"}
ORDINARY_NAMES = {"mixture": "batch norm", "separate": "separate", "none": "no batch norm"}
HEADING = "{}:"


TRAINING = ("method", "recipe")


class BatchNormRole(Figure):
    """Clean accuracy and accuracy under attack with shared, separate and no batch normalisation."""

    kind: Literal["batch_norm_role"] = "batch_norm_role"
    one_step: str = Field("fgsm", description="kind of the one-step attack that is drawn; the first of its sort where the run has none of this kind")
    iterated: str = Field("pgd", description="kind of the iterated attack that is drawn; the first of its sort where the run has none of this kind")

    needs: ClassVar = ("single_attacks",)
    varies: ClassVar = "batch_norm"

    def table(self, results: Results) -> pd.DataFrame:
        """One row an arm, attack and ε, clean images too, for trainings with two kinds of batch normalisation and the ordinary ones beside them."""
        table = _adversarial.with_clean(_adversarial.read_single_attacks(results))
        same = ["experiment", "width", "constraint"]
        several = table.groupby([*same, *TRAINING])["batch_norm"].transform("nunique") > 1
        beside = several.groupby([table[name] for name in same]).transform("any") & (table["method"] == _adversarial.ORDINARY)
        table = table[several | beside]
        described = _adversarial.arms(table)
        # One network without the words that only tell its batch normalisation: the heading of its rows.
        families = described.drop_duplicates([*same, *TRAINING])
        headings = families[[*same, *TRAINING]].assign(training=_adversarial.names(families, without=["batch_norm"]))
        table = table.merge(headings, on=[*same, *TRAINING], validate="many_to_one")
        return table[["experiment", "arm", "training", *(name for name in table if name not in ("experiment", "arm", "training"))]]

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment; panels: clean, a one-step and an iterated attack at the largest ε; a row a kind of batch normalisation."""
        if table.empty:
            return style.notice("Every training of this run has one kind of batch normalisation only: there is nothing to compare.")
        shown = _adversarial.largest(table)
        groups = [rows for _, rows in shown.groupby("experiment", sort=False)]
        lines = [[_adversarial.panels_of(rows, self.one_step, self.iterated)] for rows in groups]
        ordered = [_ordered(rows) for rows in groups]
        height = 0.9 + 0.21 * max(len(rows) for rows in ordered)
        drawing, strips = _adversarial.strips([_adversarial.title(rows) for rows in groups], lines, (2.5, height), legend=0.1, beside=1, sharey=True)
        looks = _adversarial.looks(table["method"])
        for panels, rows, order in zip(strips, groups, ordered, strict=True):
            for attack, axis in panels.items():
                _draw_attack(axis, rows[rows["attack"] == attack], order, looks)
            _adversarial.list_rows(panels[_adversarial.CLEAN], [text for _, _, text in order])
        return drawing


def _ordered(rows: pd.DataFrame) -> list[tuple[str, str | None, str]]:
    """Every training as a heading, and below it a row for each of its arms, with the arm's name: (training, arm, text)."""
    order: list[tuple[str, str | None, str]] = []
    arms = rows.drop_duplicates("arm")
    ordinary = arms["method"] == _adversarial.ORDINARY
    for training, of_training in pd.concat([arms[ordinary], arms[~ordinary]]).groupby("training", sort=False):
        order.append((str(training), None, HEADING.format(training)))
        names = ORDINARY_NAMES if of_training["method"].iloc[0] == _adversarial.ORDINARY else NAMES
        for kind in (*KINDS, *sorted(set(of_training["batch_norm"]) - set(KINDS))):
            alike = of_training.loc[of_training["batch_norm"] == kind, "arm"]
            order += [(str(training), str(arm), names.get(kind, kind) + (f" ({arm})" if len(alike) > 1 else "")) for arm in alike]
    return order


def _draw_attack(axis: Any, rows: pd.DataFrame, order: list[tuple[str, str | None, str]], looks: dict[str, style.Look]) -> None:
    _adversarial.shade_rows(axis, [text for _, _, text in order])
    places = {arm: place for place, (_, arm, _) in enumerate(order) if arm is not None}
    for method, of_method in rows.groupby("method", sort=False):
        _adversarial.dot(axis, of_method, of_method["arm"].map(places), looks[str(method)], _adversarial.training(str(method)))
    first = rows.iloc[0]
    size = "" if first["attack"] == _adversarial.CLEAN else f", ε = {first[_adversarial.EPSILON]:.3g}"
    axis.set(title=f"{_adversarial.plainly(first['attack'])}{size}", xlabel="accuracy", xlim=(-0.03, 1.03))
    axis.grid(axis="y", visible=False)
