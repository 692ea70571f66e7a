"""Names of an atlas's regions, from a table of the user's own."""

from __future__ import annotations

import csv
from pathlib import Path

from yuragi.datasets._own_file import existing, reading
from yuragi.datasets.formats import Location, missing_variable


def read_region_names(path: Location) -> dict[int, str]:
    """The name of each region by its number: a table with the columns ``index`` and ``name``, as BIDS lays it out.

    path
        separated by tabs where the name ends in ``.tsv``, otherwise by commas
    """
    with reading(Path(path), "a table of regions"), open(existing(path), newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file, delimiter="\t" if str(path).endswith(".tsv") else ",")
        for name in ("index", "name"):
            if name not in (rows.fieldnames or []):
                raise missing_variable(path, name, list(rows.fieldnames or []))
        return {int(row["index"]): row["name"] for row in rows}
