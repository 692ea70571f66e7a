"""The figures of lasting function, generation and recall show what the jobs' files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yuragi.errors import InputError
from yuragi.figures.sampling_fluctuation import SamplingFluctuation
from yuragi.figures.sampling_memory import SamplingMemory
from yuragi.figures.style import save
from yuragi.files import read_netcdf, write_table

from .sampling_results_of_memory import SIDE, write_sampling_fluctuation, write_sampling_memory


def drawn(figure, table: pd.DataFrame, folder: Path) -> None:
    write_table(table, folder / "table.csv")
    save(figure.draw(pd.read_csv(folder / "table.csv")), folder / "drawing.svg")


def test_windows_lags_and_claims_are_in_the_table(tmp_path: Path) -> None:
    results = write_sampling_fluctuation(tmp_path, ("digits", "mnist"), ("sampled", "random_features"))
    table = SamplingFluctuation().table(results)
    assert table.groupby("part").size().to_dict() == {"window": 2 * 2 * 3 * 3 * 7, "lag": 2 * 2 * 3 * 2 * 4, "claim": 2 * 2 * 3}
    window = table[(table["part"] == "window") & (table["condition"] == "continued")]
    read = pd.read_csv(results["sampling_fluctuation"][1])
    mine = window[(window["study"] == "digits") & (window["arm"] == "sampled") & (window["seed"] == 1)]
    assert np.allclose(mine["accuracy"], read[read["condition"] == "continued"]["accuracy"])
    drawn(SamplingFluctuation(), table, tmp_path)


def test_windows_alone_are_drawn(tmp_path: Path) -> None:
    results = write_sampling_fluctuation(tmp_path, seeds=(4,))
    table = SamplingFluctuation().table({"sampling_fluctuation": results["sampling_fluctuation"]})
    assert set(table["part"]) == {"window"}
    drawn(SamplingFluctuation(), table, tmp_path)


def test_a_table_of_another_step_is_refused(tmp_path: Path) -> None:
    results = write_sampling_fluctuation(tmp_path, seeds=(0,))
    wrong = tmp_path / "digits" / "sampled-seed0.fluctuation.csv"
    wrong.write_bytes(results["sampling_lags"][0].read_bytes())
    with pytest.raises(InputError, match="the column 'condition' is missing"):
        SamplingFluctuation().table({"sampling_fluctuation": [wrong]})


def test_pictures_of_the_smallest_seed_are_in_the_table(tmp_path: Path) -> None:
    results = write_sampling_memory(tmp_path, ("digits", "mnist"), (2, 1))
    table = SamplingMemory().table(results)
    pictures = table[table["part"] == "picture"]
    assert set(pictures["seed"]) == {1}
    assert len(pictures) == 2 * (3 + 6 + 8) * SIDE**2
    chosen = pictures[(pictures["study"] == "mnist") & (pictures["kind"] == "drawn") & (pictures["item"] == 1) & (pictures["label"] == 2)]
    data = read_netcdf(next(path for path in results["sampling_examples"] if path.name.startswith("memory-seed1") and path.parent.name == "mnist"))
    place = int(np.flatnonzero((data["kind"] == "drawn") & (data["item"] == 1) & (data["label"] == 2))[0])
    assert np.allclose(chosen["value"].to_numpy().reshape(SIDE, SIDE), data["picture"].values[place, 0], atol=1 / 500)
    drawn(SamplingMemory(), table, tmp_path)


def test_a_study_with_one_file_is_one_seed(tmp_path: Path) -> None:
    results = write_sampling_memory(tmp_path, seeds=(3,))
    renamed = {
        kind: [path.rename(path.with_name(f"memory{ending}"))] for (kind, (path,)), ending in zip(results.items(), (".csv", ".nc"), strict=True)
    }
    table = SamplingMemory().table(renamed)
    assert set(table["study"]) == {"digits"}
    assert set(table["seed"]) == {0}
    assert "picture" in set(table["part"])
    drawn(SamplingMemory(), table, tmp_path)


def test_numbers_without_pictures_and_uncertainty_are_drawn(tmp_path: Path) -> None:
    results = write_sampling_memory(tmp_path, seeds=(0,), uncertainty=False)
    table = SamplingMemory().table({"sampling_memory": results["sampling_memory"]})
    assert set(table["part"]) == {"generation", "recall"}
    drawn(SamplingMemory(), table, tmp_path)
