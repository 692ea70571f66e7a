"""Robust accuracy of networks that learned by sampling, beside their gradient-trained twin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import _sampling_arms, style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

SUMMARY = (
    "readout",
    "arm",
    "attack",
    "epsilon",
    "accuracy",
    "low",
    "high",
    "minimum",
    "maximum",
    "sd",
    "clean_accuracy",
    "seeds",
    "images",
    "verdict",
)
COMPARED = ("difference", "low", "high", "p_holm")
KEYS = ["study", "readout", "arm", "attack", "epsilon"]
ROUTES = {"": "", "_averaged": " on the mean of draws", "_surrogate": " on the mean field", "_transfer": " by transfer"}
ACROSS = 4
PANEL = (2.6, 2.35)


class SamplingRobustness(Figure):
    """Accuracy of sampling networks and their twin under attack by every route, as a function of ε."""

    kind: Literal["sampling_robustness"] = "sampling_robustness"

    needs: ClassVar = ("sampling_robustness",)
    uses: ClassVar = ("sampling_robustness_differences",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a study, readout, arm, attack and ε; beside the accuracy the difference to the reference; ε is missing for the mean over ε."""
        from yuragi.figures._tables import joined
        from yuragi.files import read_table

        tables = [read_table(path, SUMMARY).assign(study=path.parent.name) for path in results["sampling_robustness"]]
        accuracies = joined(tables, ("study", *SUMMARY))
        compared = joined([_differences(path) for path in results.get("sampling_robustness_differences", ())], (*KEYS, "reference", *COMPARED))
        compared = compared.rename(columns={name: f"difference_{name}" for name in ("low", "high", "p_holm")})
        # Missing ε, the mean over all of them, joins nothing: those rows stand by themselves.
        of_budgets, over_all = compared[compared["epsilon"].notna()], compared[compared["epsilon"].isna()]
        table = accuracies.merge(of_budgets.astype({"epsilon": float}), on=KEYS, how="left", validate="one_to_one")
        if len(over_all):
            table = pd.concat([table, over_all.astype({"epsilon": float})], ignore_index=True)
        return table.rename(
            columns={"epsilon": "epsilon_pixel_units", "minimum": "smallest_of_seeds", "maximum": "largest_of_seeds", "sd": "sd_over_seeds"}
        )

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A strip a study, a panel a route of an attack, a colour an arm; last, for each route, the difference to the reference arm."""
        looks = _sampling_arms.looks(list(_sampling_arms.in_order(table["arm"])))
        groups = [rows for _, rows in table.groupby("study", sort=False)]
        lines = [_lines(rows) for rows in groups]
        heights = [0.4 + PANEL[1] * len(strip) for strip in lines]
        drawing = style.canvas(ACROSS, 1, (PANEL[0], sum(heights)), legend=0.7)
        parts = drawing.subfigures(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
        axes = []
        for part, rows, strip in zip(parts, groups, lines, strict=True):
            part.suptitle(_title(rows), x=0.01, ha="left", weight="bold")
            grid = part.subplots(len(strip), ACROSS, squeeze=False)
            for of_line, names in zip(grid, strip, strict=True):
                for axis, name in zip(of_line, names, strict=True):
                    if name == DIFFERENCE:
                        _draw_differences(axis, rows, looks)
                    elif name:
                        _draw_route(axis, rows[rows["attack"] == name], looks)
                        axis.set(title=_said(name), xlabel="ε in pixel units, L∞", ylim=(-0.03, 1.03))
                        axes.append(axis)
                    else:
                        axis.remove()
                if names[0] != DIFFERENCE:
                    of_line[0].set(ylabel="accuracy")
        style.legend_below(drawing, axes, columns=4)
        return drawing


DIFFERENCE = "difference"


def _differences(path: Path) -> pd.DataFrame:
    from yuragi.files import read_table

    table = read_table(path, ("readout", "arm", "attack", "epsilon", "difference"))
    if len(table):
        table = read_table(path, ("readout", "arm", "attack", "epsilon", "reference", *COMPARED))
    return table.assign(study=path.parent.name)


def _said(route: str) -> str:
    for ending, said in reversed(ROUTES.items()):
        if route.endswith(ending):
            return route.removesuffix(ending).replace("_", " ") + said
    return route


def _lines(rows: pd.DataFrame) -> list[list[str]]:
    """The strongest of all and the attacks that know no gradient, then the others by the attack, `ACROSS` a line; differences at the right end."""
    names = list(dict.fromkeys(rows["attack"]))
    by_gradients = [name for name in names if f"{name}_surrogate" in names]
    routes = [f"{name}{ending}" for name in by_gradients for ending in ROUTES if f"{name}{ending}" in names]
    ordered = sorted((name for name in names if name not in routes), key=lambda name: name != "worst") + routes
    compared = rows["difference"].notna().any()
    ordered += [""] * (-(len(ordered) + compared) % ACROSS)
    if compared:
        ordered.append(DIFFERENCE)
    return [ordered[first : first + ACROSS] for first in range(0, len(ordered), ACROSS)]


def _title(rows: pd.DataFrame) -> str:
    return f"{rows['study'].iloc[0]}: {style.counted(int(rows['seeds'].max()), 'seed')} an arm, {style.counted(int(rows['images'].max()), 'image')}"


def _draw_route(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    rows = rows[rows["epsilon_pixel_units"].notna()]
    budgets = np.unique(rows["epsilon_pixel_units"])
    step = np.diff(budgets).min() if len(budgets) > 1 else 0.1
    arms = [arm for arm in looks if arm in set(rows["arm"])]
    for place, arm in enumerate(arms):
        look, of_arm = looks[arm], rows[rows["arm"] == arm]
        line, single = (of_arm[of_arm["readout"] == readout].sort_values("epsilon_pixel_units") for readout in ("mean", "draw"))
        epsilon = line["epsilon_pixel_units"]
        axis.fill_between(epsilon, line["low"], line["high"], color=look.color, **(style.BAND | {"alpha": 0.13}))
        axis.plot(epsilon, line["accuracy"], color=look.color, marker=look.marker, label=_named(arm, line["verdict"]))
        # A network without noise has one answer: its two lines are one.
        if not np.allclose(line["accuracy"], single["accuracy"]):
            axis.plot(single["epsilon_pixel_units"], single["accuracy"], color=look.color, linestyle=":", linewidth=1.2)
        # Side by side, so that the spread of one arm does not hide that of the next.
        shift = 0.4 * step * (place + 0.5 - len(arms) / 2) / len(arms)
        axis.vlines(epsilon + shift, line["smallest_of_seeds"], line["largest_of_seeds"], color=look.color, linewidth=1)
    axis.plot([], [], color=style.GREY, label="posterior mean")
    axis.plot([], [], color=style.GREY, linestyle=":", linewidth=1.2, label="single draws")


def _named(arm: str, verdict: pd.Series) -> str:
    """The arm, marked where something speaks against believing its accuracy."""
    return _sampling_arms.plainly(arm) + ("" if (verdict == "ok").all() else " (!)")


def _draw_differences(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    """Posterior mean minus the reference, averaged over ε where there are several, else at the one; a row a route."""
    compared = rows[rows["difference"].notna() & (rows["readout"] == "mean")]
    area = compared[compared["epsilon_pixel_units"].isna()]
    chosen = area if len(area) else compared[compared["epsilon_pixel_units"] == compared["epsilon_pixel_units"].max()]
    attacks = list(dict.fromkeys(name for line in _lines(rows) for name in line if name in set(chosen["attack"])))
    arms = [arm for arm in looks if arm in set(chosen["arm"])]
    for place, arm in enumerate(arms):
        of_arm, look = chosen[chosen["arm"] == arm].set_index("attack").reindex(attacks), looks[arm]
        at = np.arange(len(attacks)) + 0.6 * (place + 0.5 - len(arms) / 2) / len(arms)
        axis.hlines(at, of_arm["difference_low"], of_arm["difference_high"], color=look.color, linewidth=1.2)
        axis.plot(of_arm["difference"], at, look.marker, color=look.color, markersize=4)
    axis.axvline(0, color=style.BLACK, linewidth=1)
    axis.yaxis.tick_right()
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.set(yticks=range(len(attacks)), ylim=(len(attacks) - 0.5, -0.5), xlabel="percentage points")
    axis.set_yticklabels([_said(name) for name in attacks], fontsize=7)
    over = "mean over ε" if len(area) else f"ε = {chosen['epsilon_pixel_units'].iloc[0]:g}"
    axis.set_title(f"minus {chosen['reference'].iloc[0]}, {over}")
    axis.locator_params(axis="x", nbins=5)
    axis.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}".replace("-", "−"))
    axis.grid(axis="y", visible=False)
