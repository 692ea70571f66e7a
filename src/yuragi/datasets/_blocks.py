"""From time courses to responses: the mean over the volumes of a block, after the haemodynamic delay."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import NamedTuple

import lazy_loader as lazy

from yuragi.datasets.formats import Location, missing_variable, parsing
from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")

ROUNDING = 1e-6
"""Seconds: a volume at the very edge of a block belongs to it whatever the last digit of its time."""


class Block(NamedTuple):
    """A block of stimulation: ``onset`` and ``duration`` in seconds from the first volume, and what was shown."""

    onset: float
    duration: float
    condition: str


def read_events(path: Location) -> list[Block]:
    """The blocks of a run from a table of events as BIDS lays it out: onset, duration, trial_type."""
    with parsing(path, "a table of events"), open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        for name in ("onset", "duration", "trial_type"):
            if name not in (rows.fieldnames or []):
                raise missing_variable(path, name, list(rows.fieldnames or []))
        return [Block(float(row["onset"]), float(row["duration"]), row["trial_type"]) for row in rows]


def shown(n_time: int, blocks: Sequence[Block], sampling_interval: float, delay: float) -> list[jaxtyping.Bool[np.ndarray, " time"]]:
    """Which volumes answer to each block: those acquired from its onset to its end, both ``delay`` seconds later, the end left out."""
    times = np.arange(n_time) * sampling_interval - delay + ROUNDING
    return [(times >= block.onset) & (times < block.onset + block.duration) for block in blocks]


def block_means(
    series: jaxtyping.Float[np.ndarray, "time unit"],
    blocks: Sequence[Block],
    conditions: Sequence[str],
    *,
    sampling_interval: float,
    delay: float,
    where: str,
) -> jaxtyping.Float[np.ndarray, "stimulus unit"]:
    """The mean response to each condition in one run; NaN for a condition that the run does not have.

    series
        time courses of one run
    blocks
        what was shown when; the blocks of one condition are averaged over all their volumes
    conditions
        the rows of the result
    delay
        seconds by which the response lags the stimulus

    Raises `InputError` when a block, so delayed, ends after the run.

    >>> import numpy as np
    >>> ramp = np.arange(6.0)[:, None]
    >>> block_means(ramp, [Block(2.0, 4.0, "face")], ["face", "house"], sampling_interval=2.0, delay=2.0, where="run").ravel().tolist()
    [2.5, nan]
    """
    length = len(series) * sampling_interval
    found = np.full((len(conditions), series.shape[1]), np.nan)
    for condition in set(conditions) & {block.condition for block in blocks}:
        own = [block for block in blocks if block.condition == condition]
        for block in own:
            end = block.onset + block.duration + delay
            if end > length + ROUNDING:
                raise InputError(
                    f"{where}: the block '{condition}' with a delay of {delay:g} s ends at {end:g} s, the run at {length:g} s; give a shorter delay"
                )
        volumes = np.any(shown(len(series), own, sampling_interval, delay), axis=0)
        if not volumes.any():
            raise InputError(f"{where}: no volume falls into the block '{condition}'; check the onsets and the repetition time")
        found[list(conditions).index(condition)] = series[volumes].mean(axis=0)
    return found
