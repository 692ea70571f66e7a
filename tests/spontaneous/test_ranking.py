"""The ranking of models over recordings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from yuragi.errors import InputError
from yuragi.spontaneous.ranking import rank_models


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    generator = np.random.default_rng(0)
    tables = {}
    for number in range(12):
        level = generator.normal(-20, 5)  # recordings differ by far more than models do
        rows = [
            {
                "model": model,
                "fold": fold,
                "r_squared_mean": 0.3 - 0.1 * place,
                "log_density": level - 4 * place + generator.normal(0, 1),
                "variables": 4,
            }
            for fold in range(3)
            for place, model in enumerate(("good", "fair", "poor"))
        ]
        tables[f"subject_{number}"] = pd.DataFrame(rows).sample(frac=1, random_state=number)
    return tables


def test_models_are_ranked_within_recordings(tables):
    ranking = rank_models(tables).set_index("model")
    assert list(ranking.index) == ["good", "fair", "poor"]
    assert ranking["behind"].to_dict() == pytest.approx({"good": 0, "fair": 1, "poor": 2}, abs=0.25)  # four variables
    assert ranking["low"]["fair"] < ranking["behind"]["fair"] < ranking["high"]["fair"]
    assert ranking["best_in"].sum() == 12
    assert np.isnan(ranking["p_holm"]["good"])
    by_hand = [
        (found[found["model"] == "good"]["log_density"].mean() - found[found["model"] == "poor"]["log_density"].mean()) / 4
        for found in tables.values()
    ]
    assert ranking["p"]["poor"] == pytest.approx(scipy.stats.wilcoxon(by_hand).pvalue)
    assert ranking["behind"]["poor"] == pytest.approx(np.mean(by_hand))
    assert ranking["r_squared"].to_dict() == pytest.approx({"good": 0.3, "fair": 0.2, "poor": 0.1})


def test_refusals(tables):
    with pytest.raises(InputError, match="group of 1 recording"):
        rank_models({"subject_0": tables["subject_0"]})
    tables["subject_0"] = tables["subject_0"][tables["subject_0"]["model"] != "fair"]
    with pytest.raises(InputError, match="not every recording has all models"):
        rank_models(tables)
