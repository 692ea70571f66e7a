"""What adversarial training buys, attack by attack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _adversarial, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

SEEDS = {"minimum": "smallest_of_seeds", "maximum": "largest_of_seeds", "sd": "sd_over_seeds"}
GAIN = {"gain": "gain", "low": "gain_low", "high": "gain_high", "p": "p", "p_holm": "p_holm"}
KEYS = ("arm", "attack", "epsilon")
ACROSS = 4


class AdversarialAccuracy(Figure):
    """Accuracy under every attack by itself, by ε, for networks trained ordinarily and adversarially."""

    kind: Literal["adversarial_accuracy"] = "adversarial_accuracy"

    needs: ClassVar = ("single_attacks",)
    uses: ClassVar = ("adversarial_gains",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row an experiment, unconstrained arm of width 1 and usual batch normalisation, attack and ε; gains over the ordinary arm beside it."""
        table = _adversarial.read_single_attacks(results, *SEEDS).rename(columns=SEEDS)
        described = _adversarial.arms(table)
        usual = described["batch_norm"] == _adversarial.usual_batch_norm(described)
        chosen = described[(described["width"] == 1) & usual & (described["constraint"] == "none")]
        table = table.merge(chosen[["experiment", "arm"]], on=["experiment", "arm"], validate="many_to_one")
        gains = _adversarial.read_beside(results, "adversarial_gains", "gains", (*KEYS, *GAIN)).rename(columns=GAIN)
        if gains.empty:
            table = table.assign(**dict.fromkeys(GAIN.values(), np.nan))
        else:
            table = table.merge(gains, on=["experiment", *KEYS[:2], _adversarial.EPSILON], how="left", validate="one_to_one")
        counts = list(_adversarial.COUNTS)
        return table[[name for name in table if name not in counts] + counts]

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip an experiment, a panel an attack, one-step attacks in the upper and iterated ones in the lower lines; a line a training."""
        if table.empty:
            return style.notice("Every network of this run is constrained, wider or narrower, or without its usual batch normalisation.")
        groups = [rows for _, rows in table.groupby("experiment", sort=False)]
        titles = [_adversarial.title(rows) for rows in groups]
        lines = [
            [line for many in (False, True) for line in _adversarial.lines_of(_adversarial.attacks(rows, iterated=many), ACROSS)] for rows in groups
        ]
        drawing, strips = _adversarial.strips(titles, lines, (2.7, 2.5), sharey=True)
        looks = _looks(table)
        for panels, rows, strip in zip(strips, groups, lines, strict=True):
            for attack, axis in panels.items():
                of_attack = rows[rows["attack"] == attack]
                _draw_attack(axis, of_attack, looks)
                chance = of_attack["attack_kind"].iloc[0] == _adversarial.CHANCE
                steps = "chance" if chance else "iterated" if of_attack["iterated"].iloc[0] else "one step"
                axis.set(title=f"{_adversarial.plainly(attack)} ({steps})", xlabel="ε (pixel units)", ylim=(-0.02, 1.02))
            for line in strip:
                panels[line[0]].set(ylabel="accuracy")
        _adversarial.legend(drawing, strips, entry=2.6 if any("(" in label for label, _ in looks.values()) else 1.9)
        return drawing


def _looks(table: pd.DataFrame) -> dict[str, tuple[str, style.Look]]:
    """The label and look of every arm: its method's; arms of one method are named, and have a look of their own beyond the first."""
    described = _adversarial.arms(table).drop_duplicates("arm")
    first, alone = ~described["method"].duplicated(), ~described["method"].duplicated(keep=False)
    named = " (" + described["arm"].astype(str) + ")"
    keys = described["method"].where(first, described["method"] + named)
    labels = described["method"].map(_adversarial.training) + named.where(~alone, "")
    looks = _adversarial.looks(keys)
    return {str(arm): (label, looks[key]) for arm, label, key in zip(described["arm"], labels, keys, strict=True)}


def _draw_attack(axis: Any, rows: pd.DataFrame, looks: dict[str, tuple[str, style.Look]]) -> None:
    for arm, of_arm in rows.groupby("arm", sort=False):
        label, look = looks[str(arm)]
        line = of_arm.sort_values(_adversarial.EPSILON)
        clean = line.iloc[0]
        epsilon = [0.0, *line[_adversarial.EPSILON]]
        value, low, high = ([clean[f"clean_{name}"], *line[name]] for name in _adversarial.ACCURACY)
        axis.fill_between(epsilon, low, high, color=look.color, **(style.BAND | {"alpha": 0.13}))
        axis.plot(epsilon, value, color=look.color, marker=look.marker, label=label)
