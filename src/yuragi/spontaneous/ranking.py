"""Which model of spontaneous activity predicts held-out frames best, over the recordings of a group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import scipy.stats

from yuragi.errors import InputError
from yuragi.multiple_tests import holm


def rank_models(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Models in the order of their held-out log density, each beside the best one.

        d_r = mean over folds of recording r of (log density of the best model - that of this one)

    The best model has the largest mean log density over recordings. Every other is compared with it recording by recording: folds of one recording
    share frames, recordings do not. The signed-rank test is corrected by Holm over the models.

    tables
        name of a recording → its table of `yuragi.spontaneous.predict_held_out`, the same models in all; at least two

    Returns a row a model, the best first: `model`, `recordings`, `best_in` (recordings in which no model has a larger log density), `log_density`
    (nats a frame and variable, mean over recordings), `r_squared` (mean over units, folds and recordings), `behind` (mean of d, in nats a frame and
    variable), `low`, `high` (its 95 % interval over recordings, Student's t), `p`, `p_holm` (missing for the best).

    Source: Wilcoxon 1945, Biometrics Bulletin 1:80.
    """
    if len(tables) < 2:
        raise InputError(f"group of {len(tables)} recording: two are needed to speak of a group; name more, or leave the group out")
    together = pd.concat([table.assign(recording=name) for name, table in tables.items()], ignore_index=True)
    together["log_density"] /= together["variables"]
    means = together.groupby(["recording", "model"], sort=False)[["log_density", "r_squared_mean"]].mean()
    density = means["log_density"].unstack()
    if density.isna().any(axis=None):
        raise InputError("predictions: not every recording has all models; make them again with the same ones")
    order = density.mean().sort_values(ascending=False, kind="stable").index
    best = density.max(axis=1)
    behind = density[[order[0]]].to_numpy() - density[order].to_numpy()
    rows = []
    for model, difference in zip(order, behind.T, strict=True):
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        reach = float(scipy.stats.t.ppf(0.975, len(difference) - 1)) * error
        rows.append(
            {
                "model": model,
                "recordings": len(difference),
                "best_in": int((density[model] == best).sum()),
                "log_density": density[model].mean(),
                "r_squared": means["r_squared_mean"].unstack()[model].mean(),
                "behind": difference.mean(),
                "low": difference.mean() - reach,
                "high": difference.mean() + reach,
                "p": float(scipy.stats.wilcoxon(difference).pvalue) if np.any(difference) else np.nan,
            }
        )
    ranking = pd.DataFrame(rows)
    judged = ranking["p"].notna().to_numpy()
    corrected = np.full(len(ranking), np.nan)
    corrected[judged] = holm(ranking["p"].to_numpy()[judged])
    return ranking.assign(p_holm=corrected)
