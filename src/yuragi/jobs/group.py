"""What the recordings of a group have in common: statistics that lie outside the null models in most of them."""

from __future__ import annotations

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Spec(Settings):
    """No settings: the files say everything."""


def run(group: OutputPath, comparisons: list[InputPath], *, spec: Spec) -> None:
    """Write a row a null model and statistic; the files of comparisons are told apart by their names."""
    from yuragi.files import read_table, write_table
    from yuragi.spontaneous.null_comparison import compare_group

    write_table(compare_group({path.name.partition(".")[0]: read_table(path) for path in comparisons}), group)
