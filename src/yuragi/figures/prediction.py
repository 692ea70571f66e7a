"""Which model predicts held-out spontaneous activity best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lazy_loader as lazy

from yuragi.figures import style
from yuragi.figures.base import Figure, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

np = lazy.load("numpy")
pd = lazy.load("pandas")

PREDICTED = ("model", "fold", "r_squared_mean", "log_density", "variables", "order", "n_parameters")
RANKED = ("model", "recordings", "best_in", "log_density", "r_squared", "behind", "low", "high", "p", "p_holm")


LEAST = 5
"""Recordings from which a mean over them is drawn: of fewer, single lines say more."""


class Prediction(Figure):
    """Models of spontaneous activity by how well they predict frames that were held out, in every recording."""

    kind: Literal["prediction"] = "prediction"

    needs: ClassVar = ("predictions",)
    uses: ClassVar = ("rankings",)

    def table(self, results: Results) -> pd.DataFrame:
        """One row a recording and model, means over the held-out parts; then one a group and model. Densities are in nats a frame and variable."""
        from yuragi.files import read_table

        tables = []
        for path in results["predictions"]:
            found = read_table(path, PREDICTED)
            found["log_density"] /= found["variables"]
            means = found.groupby("model", sort=False).mean(numeric_only=True).reset_index().rename(columns={"r_squared_mean": "r_squared"})
            # Beside the best of the other models: above 0 for the best one, below for the others.
            density = means["log_density"]
            others = [density.drop(place).max() for place in density.index]
            means["ahead"] = density - others if len(means) > 1 else 0.0
            tables.append(means.assign(scope="recording", name=path.name.partition(".")[0]))
        for path in results.get("rankings", ()):
            ranking = read_table(path, RANKED)
            tables.append(ranking.assign(ahead=-ranking["behind"], scope="group", name=path.name.partition(".")[0]))
        columns = ["scope", "name", "model", "r_squared", "log_density", "ahead", "order", "n_parameters", "recordings", "best_in", "low", "high"]
        together = pd.concat(tables, ignore_index=True).reindex(columns=[*columns, "p", "p_holm"])
        return together.astype({"recordings": "Int64", "best_in": "Int64"})

    @style.styled
    def draw(self, table: pd.DataFrame) -> Drawing:
        """R² at the left, log density beside the best other model at the right; models side by side."""
        single = table[table["scope"] == "recording"]
        models = list(dict.fromkeys(single["model"]))
        drawing = style.canvas(2, 1, (4.2, 3.4), legend=0.6)
        panels = drawing.subplots(1, 2)
        for panel, quantity in zip(panels, ("r_squared", "ahead"), strict=True):
            wide = single.pivot(index="name", columns="model", values=quantity)[models]
            _draw_models(panel, wide.to_numpy(), models)
        panels[0].set(ylabel="R² one frame ahead (mean over units)")
        panels[1].set(ylabel="log density beside the best\nof the others (nats / frame / variable)")
        # A model that is far off, such as the mean, would press all others together.
        shown = single.loc[single["ahead"] > -0.5, "ahead"]
        if len(shown):
            reach = float(shown.max() - shown.min()) or 0.1
            panels[1].set_ylim(float(shown.min()) - 0.15 * reach, float(shown.max()) + 0.15 * reach)
        style.legend_below(drawing, panels, columns=3)
        return drawing


def _draw_models(panel: Any, values: Any, models: list[str]) -> None:
    places = np.arange(len(models))
    panel.axhline(0, color=style.GREY, linewidth=0.8)
    for number, row in enumerate(values):
        panel.plot(places, row, "-o", color=style.BLUE, alpha=0.35, linewidth=0.8, markersize=2.5, label="recording" if number == 0 else None)
    count = len(values)
    mean = values.mean(axis=0)
    if count >= LEAST:
        from scipy.stats import t

        reach = t.ppf(0.975, count - 1) * values.std(axis=0, ddof=1) / np.sqrt(count)
        panel.errorbar(places, mean, yerr=reach, fmt="s", color=style.BLACK, capsize=3, markersize=4, label="mean, 95 % interval")
    panel.set(xticks=places, xlim=(-0.4, len(models) - 0.6))
    panel.set_xticklabels([model.replace("_", "\n") for model in models], fontsize=8)
    panel.grid(axis="x", visible=False)
