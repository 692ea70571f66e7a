"""Tables of what brains do, measured on sampled networks before and after learning: variability, correlations and tuning; spectra; resemblance.

Every network is looked at in two ways: each presentation has a sample of the synapses of its own (``own``), as the network is while it fluctuates, or
all have the same one (``same``), the control without synaptic fluctuation. Before learning samples are independent draws from the prior. A network
whose synapses are drawn anew from the prior for every presentation has no lasting tuning: what a network of random, lasting synapses does is told by
``same``.

Rows of one network have its seed. Those without a seed are over all of them: ``interval`` says from what their ends come.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from yuragi.errors import InputError
from yuragi.sampling.activity import prior_samples
from yuragi.sampling.images import Part
from yuragi.sampling.intervals import nested_interval, seeds_interval
from yuragi.sampling.learning import Posterior

STATES = (("before", "same"), ("before", "own"), ("after", "same"), ("after", "own"))
"""Learning and synapses of the conditions of every table."""

PRIOR_SAMPLES = 10
"""Samples of the prior for every trial."""


class Condition:
    """The samples of one network in one condition, and how presentations take them."""

    def __init__(self, posterior: Posterior, learning: str, synapses: str, generator: np.random.Generator, *, trials: int) -> None:
        # The mean over few samples of the prior has a tuning of its own, which trials that share samples would show.
        many = max(len(posterior), PRIOR_SAMPLES * trials)
        self.posterior = prior_samples(posterior, generator, many if synapses == "own" else 1) if learning == "before" else posterior
        self.same_synapses = synapses == "same"
        if self.same_synapses:
            self.posterior = self.posterior.latest(1)
        self.names = {"learning": learning, "synapses": synapses}


def first_images(part: Part, number: int, where: str) -> Part:
    """The first so many; an `InputError` where there are fewer."""
    if number > len(part.bits):
        raise InputError(f"{where} = {number}: there are {len(part.bits)} test images; give at most that, or raise data.test_images")
    return Part(part.bits[:number], part.labels[:number])


class Rows:
    """A tidy table in the making: values of each network, then their means over networks."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys
        self._rows: list[dict[str, Any]] = []
        self._units: dict[tuple[Any, ...], list[np.ndarray]] = {}
        self._scalars: dict[tuple[Any, ...], list[float]] = {}

    def units(self, measure: str, values: np.ndarray, seed: int, generator: np.random.Generator, of: str = "units", **about: Any) -> None:
        """The mean over units (or groups of them) of one network; NaN is left out."""
        key = (measure, *(about.get(name, np.nan if name == "time_sweeps" else "") for name in self.keys))
        self._units.setdefault(key, []).append(np.asarray(values, dtype=float))
        mean, low, high = nested_interval([values], generator)
        self._add(key, seed, mean, low, high, of, int(np.isfinite(values).sum()))

    def scalar(self, measure: str, value: float, seed: int, interval: tuple[float, float] = (math.nan, math.nan), of: str = "", **about: Any) -> None:
        """One number of one network."""
        key = (measure, *(about.get(name, np.nan if name == "time_sweeps" else "") for name in self.keys))
        self._scalars.setdefault(key, []).append(float(value))
        self._add(key, seed, float(value), *interval, of, 1)

    def table(self, generator: np.random.Generator) -> pd.DataFrame:
        """All rows, and those over networks after them."""
        for key, groups in list(self._units.items()):
            self._add(key, None, *nested_interval(groups, generator), "seeds and units", sum(bool(np.isfinite(group).any()) for group in groups))
        for key, values in list(self._scalars.items()):
            self._add(key, None, *seeds_interval(values), "seeds", int(np.isfinite(values).sum()))
        columns = ["measure", *self.keys, "seed", "value", "low", "high", "interval", "count"]
        table = pd.DataFrame(self._rows, columns=columns)
        return table.astype({"seed": "Int64"})

    def _add(self, key: tuple[Any, ...], seed: int | None, value: float, low: float, high: float, interval: str, count: int) -> None:
        about = dict(zip(("measure", *self.keys), key, strict=True))
        self._rows.append({**about, "seed": seed, "value": value, "low": low, "high": high, "interval": interval, "count": count})


def mean_of(values: np.ndarray) -> float:
    """The mean, NaN of nothing."""
    return float(values.mean()) if values.size else math.nan
