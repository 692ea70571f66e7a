"""Learning rate and epochs, chosen on validation images before anything is compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from yuragi.errors import InputError
from yuragi.training.processes import DivergedError
from yuragi.training.settings import TrainingSettings
from yuragi.training.standard import train


class Choice(NamedTuple):
    """Settings that a sweep has chosen.

    candidate
        number of the candidate, from 0
    learning_rate, epochs
        what is to be trained with
    validation_accuracy
        mean over seeds, with those settings
    """

    candidate: int
    learning_rate: float
    epochs: int
    validation_accuracy: float


def choose_settings(
    make_network: Callable[[int], torch.nn.Module],
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    candidates: Sequence[TrainingSettings],
    seeds: Sequence[int],
    *,
    validation_fraction: float = 0.1,
    **options: Any,
) -> pd.DataFrame:
    """Train a plain network with each candidate and seed on a part of the training images, and measure it on the others.

    Where the learning rate does not depend on the number of epochs (schedules constant and steps) the accuracy after epoch e of a long training is
    that of a training of e epochs, so that one training tells every number of epochs up to its own. With the schedule cosine only the last epoch
    is told: give a candidate for each number of epochs.

    make_network
        a fresh network for a seed
    images, labels
        the training images, as for `train`; no test image belongs here
    candidates
        settings to compare, with ``epochs`` the most that may be chosen
    seeds
        each trains every candidate, and holds the same images aside for all of them
    validation_fraction
        fraction of the images that is held aside
    options
        for `train`: ``device``, ``devices``, ``chunk``

    Returns a row for each candidate, seed and epoch: ``candidate``, ``learning_rate``, ``seed``, ``epoch``, ``validation_accuracy``. A training that
    diverged has one row, of its last epoch, without a number. `best` chooses from it. Errors: `InputError` for no candidate or seed, for candidates
    that stop early or hold images aside themselves, and for what `train` refuses.
    """
    if not candidates or not seeds:
        raise InputError(f"candidates, seeds: {len(candidates)} and {len(seeds)} of them; give at least one of each")
    for number, candidate in enumerate(candidates):
        if candidate.validation_fraction or candidate.patience is not None:
            raise InputError(f"candidates[{number}]: it has a validation_fraction or patience of its own; leave both out")
    rows: list[dict[str, float]] = []
    for number, candidate in enumerate(candidates):
        settings = TrainingSettings.model_validate(candidate.model_dump() | {"validation_fraction": validation_fraction})
        for seed in seeds:
            options_of_run = {"description": f"candidate {number + 1} of {len(candidates)}, seed {seed}"} | options
            try:
                history = train(make_network(seed), images, labels, settings, seed=seed, **options_of_run)
                epochs, accuracies = history["epoch"], history["validation_accuracy"]
            except DivergedError:
                epochs, accuracies = [candidate.epochs], [np.nan]
            found = list(zip(epochs, accuracies, strict=True))
            for epoch, accuracy in found if candidate.schedule != "cosine" else found[-1:]:
                common = {"candidate": number, "learning_rate": candidate.learning_rate, "seed": seed}
                rows.append(common | {"epoch": int(epoch), "validation_accuracy": float(accuracy)})
    return pd.DataFrame(rows)


def best(table: pd.DataFrame, place: int = 1) -> Choice:
    """The settings of the learning rate that comes first, or at another place, by mean validation accuracy over seeds.

    Each learning rate stands with its best number of epochs and its best candidate. Of equal accuracies fewer epochs come first, then the smaller
    rate. Epochs that not every seed has finished, because it diverged, do not count.

    table
        as `choose_settings` returns it
    place
        1 for the best learning rate, 2 for the second best …

    >>> rates = {"candidate": [0, 0, 1, 1], "learning_rate": [0.1, 0.1, 0.01, 0.01], "seed": 0, "epoch": [1, 2, 1, 2]}
    >>> best(pd.DataFrame(rates | {"validation_accuracy": [0.7, 0.6, 0.5, 0.7]})).learning_rate
    0.1
    """
    grouped = table.groupby(["candidate", "learning_rate", "epoch"], as_index=False)["validation_accuracy"].agg(["mean", "count"])
    complete = grouped[grouped["count"] == table["seed"].nunique()]
    order = complete.sort_values(["mean", "epoch", "learning_rate", "candidate"], ascending=[False, True, True, True])
    ranked = order.drop_duplicates("learning_rate")
    if not 1 <= place <= len(ranked):
        raise InputError(f"place = {place}: {len(ranked)} learning rate(s) were trained with every seed; give one of 1 to that, or more candidates")
    row = ranked.iloc[place - 1]
    return Choice(int(row["candidate"]), float(row["learning_rate"]), int(row["epoch"]), float(row["mean"]))
