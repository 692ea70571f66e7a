"""The list of data sets, and data/README.md in step with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from yuragi.datasets.catalogue import names
from yuragi.datasets.listing import print_table, rows, write_data_readme


def test_every_data_set_is_listed_in_full() -> None:
    assert [row["name"] for row in rows()] == names()
    assert all(all(row.values()) for row in rows())
    sizes = {row["name"]: (row["origin"], row["size"]) for row in rows()}
    assert sizes["digits"] == ("embedded", "-")
    assert sizes["simulated_responses"] == ("simulated", "-")
    assert sizes["triplett2018_tectum"] == ("fetched", "3.7 MB")


def test_the_printed_list(capsys: pytest.CaptureFixture[str]) -> None:
    print_table()
    printed = capsys.readouterr().out
    for row in rows():
        assert row["name"] in printed
        assert row["licence"] in printed
        assert row["citation"] in printed
        assert row["description"] in printed


def test_data_readme_is_in_step(tmp_path: Path) -> None:
    write_data_readme(tmp_path / "README.md")
    kept = Path(__file__).parents[2] / "data" / "README.md"
    told = "data/README.md is out of date; run 'yuragi datasets --readme data/README.md'"
    assert kept.read_text(encoding="utf-8") == (tmp_path / "README.md").read_text(encoding="utf-8"), told
