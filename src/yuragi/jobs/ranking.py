"""Which model predicts held-out frames best in the recordings of a group."""

from __future__ import annotations

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Spec(Settings):
    """No settings: the files say everything."""


def run(ranking: OutputPath, predictions: list[InputPath], *, spec: Spec) -> None:
    """Write a row a model; the files of predictions are told apart by their names."""
    from yuragi.files import read_table, write_table
    from yuragi.spontaneous.ranking import rank_models

    write_table(rank_models({path.name.partition(".")[0]: read_table(path) for path in predictions}), ranking)
