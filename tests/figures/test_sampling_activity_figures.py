"""Figures of the activity of sampled networks: their tables hold what the job wrote, and drawings show every condition with its seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yuragi.errors import InputError
from yuragi.figures.base import figures
from yuragi.figures.style import save
from yuragi.files import write_table

from .sampling_activity_results import write_sampling_activity

KINDS = ("sampling_variability", "sampling_spectrum", "sampling_spontaneous")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("results")
    studies = [write_sampling_activity(folder, "digits"), write_sampling_activity(folder, "mnist", seeds=1, twins=False, data=False)]
    return {kind: [path for study in studies for path in study[kind]] for kind in KINDS}


def read(kind: str, results: dict[str, list[Path]], folder: Path) -> pd.DataFrame:
    write_table(figures()[kind]().table({kind: results[kind]}), folder / "table.csv")
    return pd.read_csv(folder / "table.csv")


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_read_back_is_drawn_and_left_alone(kind: str, results: dict[str, list[Path]], tmp_path: Path):
    table = read(kind, results, tmp_path)
    assert table["study"].unique().tolist() == ["digits", "mnist"]
    before = table.copy()
    save(figures()[kind]().draw(table), tmp_path / "drawing.svg")
    pd.testing.assert_frame_equal(table, before)
    assert (tmp_path / "drawing.svg").stat().st_size > 1000


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_another_step_is_refused(kind: str, tmp_path: Path):
    (tmp_path / "other.csv").write_text("measure,value\nfano,1\n")
    with pytest.raises(InputError, match="the column 'synapses' is missing"):
        figures()[kind]().table({kind: [tmp_path / "other.csv"]})


def test_quenching_is_drawn_where_it_is(results: dict[str, list[Path]], tmp_path: Path):
    table = read("sampling_variability", results, tmp_path)
    table = table[table["study"] == "digits"]
    axis = figures()["sampling_variability"]().draw(table).axes[2]
    drawn = {round(float(line.get_ydata()[0]), 6) for line in axis.lines if line.get_marker() == "D"}
    wanted = table[
        table["measure"].str.startswith("quenching") & table["seed"].isna() & (table["learning"] == "after") & (table["synapses"] == "own")
    ]
    assert drawn == {round(value, 6) for value in wanted["value"]}
    assert sum(line.get_marker() == "." and len(line.get_ydata()) == 3 for line in axis.lines) == 12


def test_no_exponent_is_drawn_without_a_signal(results: dict[str, list[Path]], tmp_path: Path):
    table = read("sampling_spectrum", results, tmp_path)
    axes = figures()["sampling_spectrum"]().draw(table[table["study"] == "digits"]).axes
    assert [text.get_text() for text in axes[1].texts] == ["no signal"]
    assert len(axes[1].get_xticks()) == 5
    assert np.isfinite(axes[1].get_ylim()).all()
    axes = figures()["sampling_spectrum"]().draw(table[table["study"] == "mnist"]).axes
    assert len(axes[1].get_xticks()) == 4
    assert [label.get_text().split("\n")[-1] for label in axes[2].get_xticklabels()] == ["before", "before"]


def test_both_directions_have_a_strip(results: dict[str, list[Path]], tmp_path: Path):
    drawing = figures()["sampling_spontaneous"]().draw(read("sampling_spontaneous", results, tmp_path))
    titles = [part.get_suptitle() for part in drawing.subfigs]
    assert [title.split(" (")[0] for title in titles] == [
        "digits: network that learned labels given images",
        "digits: network that learned the images, from latent causes",
        "mnist: network that learned labels given images",
    ]
    assert titles[2].endswith("(1 seed)")
