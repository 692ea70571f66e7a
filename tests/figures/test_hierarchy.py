"""The figure of a hierarchy says what the comparison found, and no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yuragi.datasets.simulation import power_law_responses
from yuragi.figures.hierarchy import SENTENCES, Hierarchy
from yuragi.figures.style import save
from yuragi.files import write_table
from yuragi.spectra.hierarchy import compare_hierarchy


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("hierarchy")
    stages = {
        name: power_law_responses(
            stimuli=120, units=40, repeats=2, alpha=alpha, noise="white", noise_to_signal=0.3, generator=np.random.default_rng(seed)
        ).responses
        for seed, (name, alpha) in enumerate({"v1": 1.0, "v2": 1.0, "it": 1.8}.items())
    }
    found = compare_hierarchy(
        stages, ranks=(3, 25), exponents=(0.8, 1.2, 1.8), simulations=5, shuffles=1, bootstraps=10, generator=np.random.default_rng(0)
    )
    write_table(found.stages, folder / "brain.stages.csv")
    write_table(found.pairs, folder / "brain.pairs.csv")
    return {"stages": [folder / "brain.stages.csv"], "pairs": [folder / "brain.pairs.csv"]}


def test_the_table_holds_stages_and_pairs(results: dict[str, list[Path]]) -> None:
    table = Hierarchy().table(results)
    stages, pairs = (table[table["quantity"] == quantity] for quantity in ("stage", "pair"))
    assert stages["stage"].tolist() == ["v1", "v2", "it"]
    assert set(zip(pairs["first"], pairs["second"], strict=True)) == {("v1", "v2"), ("v1", "it"), ("v2", "it")}
    written = pd.read_csv(results["pairs"][0])
    assert np.allclose(pairs["p_holm"].astype(float), written["p_holm"])
    assert (table["hierarchy"] == "brain").all()
    assert stages["units"].tolist() == [40, 40, 40]
    assert pairs["units"].isna().all()


def test_what_survives_is_said_first(results: dict[str, list[Path]], tmp_path: Path) -> None:
    table = Hierarchy().table(results)
    write_table(table, tmp_path / "hierarchy.csv")
    drawing = Hierarchy().draw(pd.read_csv(tmp_path / "hierarchy.csv"))
    texts = [text.get_text() for part in drawing.subfigs for axis in part.axes for text in axis.texts]
    said = [text for text in texts if "survive" in text]
    pairs = table[table["quantity"] == "pair"]
    assert sorted(said) == sorted(pairs["sentence"])
    verdicts = [" survives" in text for text in said]
    assert verdicts == sorted(verdicts, reverse=True)
    save(drawing, tmp_path / "hierarchy.svg")


def test_two_hierarchies_and_many_pairs_are_drawn(results: dict[str, list[Path]], tmp_path: Path) -> None:
    twice = pd.concat([pd.read_csv(results["pairs"][0])] * 6)
    write_table(twice, tmp_path / "network.pairs.csv")
    write_table(pd.read_csv(results["stages"][0]).assign(signal_to_noise_ratio=np.inf, alpha_low=np.nan), tmp_path / "network.stages.csv")
    both = {"stages": [*results["stages"], tmp_path / "network.stages.csv"], "pairs": [*results["pairs"], tmp_path / "network.pairs.csv"]}
    drawing = Hierarchy().draw(Hierarchy().table(both))
    texts = [text.get_text() for part in drawing.subfigs for axis in part.axes for text in axis.texts]
    assert f"and {18 - SENTENCES} more in the table" in texts
    save(drawing, tmp_path / "hierarchy.svg")
