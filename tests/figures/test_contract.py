"""What holds for every figure, whoever adds one."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from yuragi.figures.base import Figure, figures
from yuragi.figures.style import save
from yuragi.files import write_table
from yuragi.jobs import figure as job

from .conftest import only

KINDS = sorted(figures())


@pytest.fixture(params=KINDS)
def chosen(request: pytest.FixtureRequest) -> type[Figure]:
    return figures()[request.param]


def test_its_results_are_known_to_the_job(chosen: type[Figure]):
    known = inspect.signature(job.run).parameters
    assert chosen.needs
    assert not set(chosen.needs) & set(chosen.uses)
    assert {*chosen.needs, *chosen.uses} <= set(known)


def test_it_says_what_it_is(chosen: type[Figure]):
    assert chosen.title().endswith(".")
    assert all(field.description for name, field in chosen.model_fields.items() if name != "kind")


def test_the_table_read_back_draws_the_same(chosen: type[Figure], tables: dict[str, pd.DataFrame], tmp_path: Path):
    kind = chosen.model_fields["kind"].default
    table = tables[kind]
    assert len(table)
    assert not any(name.startswith("Unnamed") for name in table.columns)
    write_table(table, tmp_path / "table.csv")
    written = []
    for name in ("first.svg", "second.svg"):
        read = pd.read_csv(tmp_path / "table.csv")
        before = read.copy()
        save(chosen().draw(read), tmp_path / name)
        pd.testing.assert_frame_equal(read, before)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    assert written[0].startswith(b"<?xml")
    assert b"<dc:date>" not in written[0]


def test_the_least_that_a_run_gives_is_drawn(chosen: type[Figure], bare: dict[str, list[Path]], tmp_path: Path):
    table = chosen().table(only(bare, chosen))
    write_table(table, tmp_path / "table.csv")
    save(chosen().draw(pd.read_csv(tmp_path / "table.csv")), tmp_path / "drawing.svg")
    assert (tmp_path / "drawing.svg").stat().st_size > 1000


def test_figures_are_found_without_loading_heavy_libraries():
    # A lazily loaded library stands in sys.modules by its own name; its parts do only once it is used.
    parts = ("matplotlib.artist", "numpy.linalg", "pandas.core", "torch.nn", "xarray.core")
    code = f"import sys; from yuragi.figures.base import figures; figures(); print([part for part in {parts} if part in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
