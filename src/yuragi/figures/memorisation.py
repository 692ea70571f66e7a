"""Robustness beside memorisation, every arm and control."""

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

ROBUST = ("arm", "attack", "epsilon", "accuracy", "low", "high", "clean_accuracy", "seeds", "images", "verdict")
ATTACK = "worst"
REFERENCE = "plain"


class MemorisationAndRobustness(Figure):
    """Robust accuracy of every arm against how fast it learns random labels by rote."""

    kind: Literal["memorisation"] = "memorisation"
    random_labels: float = Field(1.0, gt=0, le=1, description="fraction of random labels, one of those that networks were trained on")

    needs: ClassVar = ("robustness", "memorisation")

    def table(self, results: Results) -> pd.DataFrame:
        """One row an experiment, arm and fraction of random labels; arms that lack one of the two measurements have missing numbers."""
        from yuragi.figures._networks import read_networks
        from yuragi.robustness.memorisation import COLUMNS, summarise_curve

        networks = []
        for curve in read_networks(results["memorisation"], ".csv", COLUMNS):
            about = {name: curve[name].iloc[0] for name in ("experiment", "arm", "seed")}
            networks.append(summarise_curve(curve).assign(**about))
        memorised = _over_seeds(pd.concat(networks, ignore_index=True))
        robust = pd.concat([_robust(path) for path in results["robustness"]], ignore_index=True)
        robust = robust[robust["experiment"].isin(memorised["experiment"])]
        table = robust.merge(memorised, on=["experiment", "arm"], how="outer", sort=False)
        # Merging sorts; the order of arms is that of the configuration.
        order = {name: place for place, name in enumerate([*robust["arm"], *memorised["arm"]][::-1])}
        places = {"experiment": list(dict.fromkeys(memorised["experiment"])).index, "arm": lambda name: -order[name]}
        return table.sort_values(["experiment", "arm", "random_labels"], key=lambda column: column.map(places.get(column.name, float)), kind="stable")

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """A panel an experiment, a mark an arm, with intervals both ways and every arm's name at the right."""
        from yuragi.errors import unknown

        fractions = sorted(table["random_labels"].dropna().unique())
        if not np.isclose(fractions, self.random_labels).any():
            raise unknown("fraction of random labels", f"{self.random_labels:g}", [f"{fraction:g}" for fraction in fractions])
        chosen = table[np.isclose(table["random_labels"], self.random_labels) & table["robust_accuracy"].notna() & table["memorised_area"].notna()]
        if chosen.empty:
            return style.notice("No arm has both measurements: nothing can stand beside each other.")
        looks = style.looks(chosen["arm"])
        groups = [rows for _, rows in chosen.groupby("experiment", sort=False)]
        height = max(3.4, 0.9 + 0.17 * max(len(rows) for rows in groups))
        drawing, axes = style.grid(len(groups), columns=2, panel=(6.6, height), legend=0.0)
        for axis, rows in zip(axes, groups, strict=True):
            _draw_experiment(axis, rows, looks, height - 1.0)
        return drawing


def _robust(path: Path) -> pd.DataFrame:
    """Per arm the accuracy under the strongest attack, mean over all ε > 0; its interval is the mean of theirs, which is never too narrow."""
    from yuragi.errors import InputError
    from yuragi.files import read_table

    rows = read_table(path, ROBUST)
    attacked = rows[(rows["attack"] == ATTACK) & (rows["epsilon"] > 0)]
    if attacked.empty:
        raise InputError(f"{path}: no row of the attack '{ATTACK}' with ε above 0; give the table that the step 'robustness' wrote")
    means = attacked.groupby("arm", sort=False).agg(
        robust_accuracy=("accuracy", "mean"),
        robust_low=("low", "mean"),
        robust_high=("high", "mean"),
        clean_accuracy=("clean_accuracy", "first"),
        attacked_seeds=("seeds", "first"),
        attacked_images=("images", "first"),
        smallest_epsilon_pixel_units=("epsilon", "min"),
        largest_epsilon_pixel_units=("epsilon", "max"),
        epsilons=("epsilon", "nunique"),
        verdict=("verdict", "first"),
    )
    return means.reset_index().assign(experiment=path.stem)


def _over_seeds(networks: pd.DataFrame) -> pd.DataFrame:
    from yuragi.robustness.memorisation import seed_interval

    rows = []
    for (experiment, arm, fraction), seeds in networks.groupby(["experiment", "arm", "random_labels"], sort=False):
        chance = float(seeds["chance"].iloc[0])
        bounds = -chance / (1 - chance), 1.0
        low, high = seed_interval(seeds["area"], bounds=bounds)
        final_low, final_high = seed_interval(seeds["final"], bounds=bounds)
        rows.append(
            {
                "experiment": experiment,
                "arm": arm,
                "random_labels": fraction,
                "memorised_area": seeds["area"].mean(),
                "memorised_area_low": low,
                "memorised_area_high": high,
                "memorised_area_of_seeds": " ".join(f"{area:.6g}" for area in seeds["area"]),
                "memorised_final": seeds["final"].mean(),
                "memorised_final_low": final_low,
                "memorised_final_high": final_high,
                # Missing as soon as one seed never gets there: a mean over the others would be too small.
                "epochs_to_half": seeds["epochs_to_half"].mean(skipna=False),
                "epochs_to_90": seeds["epochs_to_90"].mean(skipna=False),
                "seeds_that_reach_half": int(seeds["epochs_to_half"].notna().sum()),
                "seeds_that_reach_90": int(seeds["epochs_to_90"].notna().sum()),
                "memorising_seeds": len(seeds),
                "epochs": seeds["epochs"].iloc[0],
                "chance": chance,
            }
        )
    return pd.DataFrame(rows)


def _draw_experiment(axis: Any, rows: pd.DataFrame, looks: dict[str, style.Look], height: float) -> None:
    from yuragi.figures._labels import Label, name_at_right

    labels = []
    for _, row in rows.iterrows():
        color, marker = looks[row["arm"]]
        x, y = row["memorised_area"], row["robust_accuracy"]
        axis.plot([row["memorised_area_low"], row["memorised_area_high"]], [y, y], color=color, linewidth=1, alpha=0.5)
        axis.plot([x, x], [row["robust_low"], row["robust_high"]], color=color, linewidth=1, alpha=0.5)
        seeds = [float(area) for area in str(row["memorised_area_of_seeds"]).split()]
        axis.plot(seeds, [y] * len(seeds), "|", color=color, markersize=6)
        axis.plot(x, y, marker, color=color, markersize=11 if row["arm"] == REFERENCE else 7.5, zorder=4)
        labels.append(Label(row["arm"] if row["verdict"] == "ok" else f"{row['arm']} (!)", x, y, color))
    reference = rows[rows["arm"] == REFERENCE]
    for _, row in reference.iterrows():
        axis.axvline(row["memorised_area"], **style.TRUTH | {"linewidth": 0.8})
        axis.axhline(row["robust_accuracy"], **style.TRUTH | {"linewidth": 0.8})
    row = rows.iloc[0]
    low, high = row["smallest_epsilon_pixel_units"], row["largest_epsilon_pixel_units"]
    over = f"ε = {high:g}" if low == high else f"mean over {row['epsilons']} ε, {low:g} to {high:g}"
    axis.set(
        title=f"{row['experiment']}: {style.counted(int(row['memorising_seeds']), 'seed')} an arm",
        xlabel=f"memorised, mean over {row['epochs']:.0f} epochs ({row['random_labels']:.0%} random labels)",
        ylabel=f"robust accuracy\n({ATTACK} attack, {over})",
    )
    axis.margins(0.08)
    axis.autoscale_view()
    axis.set(xlim=axis.get_xlim(), ylim=axis.get_ylim())
    name_at_right(axis, labels, height, weight={REFERENCE: "bold"})
