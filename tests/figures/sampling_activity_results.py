"""Tables of the activity of sampled networks as their job writes them, with made-up numbers."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from yuragi.files import write_table
from yuragi.sampling.phenomena import STATES, Rows

FANO = {("before", "same"): 1.4, ("before", "own"): 2.5, ("after", "same"): 1.5, ("after", "own"): 2.0}
ALPHA = {("before", "same"): 1.1, ("after", "same"): 1.6, ("after", "own"): 2.2, ("twin", ""): 2.3}


def write_sampling_activity(folder: Path, study: str, seeds: int = 3, *, twins: bool = True, data: bool = True) -> dict[str, list[Path]]:
    """The three tables of a study by the kinds that the figures need."""
    generator = np.random.default_rng(len(study))
    tables = {
        "variability": variability(seeds, generator),
        "spectrum": spectrum(seeds, generator, twins),
        "spontaneous": spontaneous(seeds, generator, data),
    }
    paths = {}
    for name, table in tables.items():
        paths[f"sampling_{name}"] = [folder / "sampling" / study / f"{name}.csv"]
        write_table(table, paths[f"sampling_{name}"][0])
    return paths


def variability(seeds: int, generator: np.random.Generator) -> pd.DataFrame:
    rows = Rows("learning", "synapses", "epoch", "time_sweeps")
    for seed, (learning, synapses) in product(range(seeds), STATES):
        about = {"learning": learning, "synapses": synapses}
        level = FANO[learning, synapses]
        for time in (-15.0, -5.0, 5.0, 15.0):
            when = {**about, "epoch": "before" if time < 0 else "after", "time_sweeps": time}
            value = level * (1 if time < 0 else 0.4)
            rows.units("fano", generator.normal(value, 0.3, 20), seed, generator, **when)
            rows.units("fano_bernoulli", generator.normal(0.4, 0.02, 20), seed, generator, **when)
            rows.scalar("fano_matched", 0.8 * value, seed, **when)
            rows.scalar("fano_matched_bernoulli", 0.4, seed, **when)
        for name, share in (("quenching", 0.6), ("quenching_excess", 0.5)):
            rows.units(name, generator.normal(share * level, 0.2, 20), seed, generator, **about)
        rows.scalar("quenching_matched", generator.normal(0.3 * level, 0.05), seed, **about)
        for name in ("noise_correlation_size", "signal_noise_relation"):
            rows.scalar(name, generator.normal(0.2, 0.05), seed, epoch="after", **about)
            rows.scalar(f"{name}_shuffled", generator.normal(0.02, 0.01), seed, epoch="after", **about)
        for name, value in (("selectivity", 0.5), ("selectivity_shuffled", 0.08), ("sparseness", 0.4)):
            rows.units(name, generator.normal(value, 0.1, 20), seed, generator, epoch="after", **about)
    return rows.table(generator)


def spectrum(seeds: int, generator: np.random.Generator, twins: bool) -> pd.DataFrame:
    rows = Rows("network", "synapses", "estimator", "rank")
    for seed in range(seeds):
        found = {}
        for (network, synapses), estimator in product(ALPHA, ("cvpca", "noise_free")):
            if network == "twin" and not twins:
                continue
            about = {"network": network, "synapses": synapses, "estimator": estimator}
            alpha = found[network, synapses, estimator] = generator.normal(ALPHA[network, synapses], 0.05)
            rows.scalar("signal_share", 0.8, seed, **{**about, "rank": np.nan})
            rows.scalar("alpha", alpha, seed, (alpha - 0.1, alpha + 0.1), "images", **about, rank=np.nan)
            for rank in range(1, 31):
                rows.scalar("eigenvalue", 0.3 * rank**-alpha, seed, **about, rank=float(rank))
        rows.scalar("signal_share", -0.01, seed, network="before", synapses="own", estimator="cvpca", rank=np.nan)
        rows.scalar("alpha", np.nan, seed, network="before", synapses="own", estimator="cvpca", rank=np.nan)
        for other, synapses, estimator in product((("before", "same"), ("twin", "")), ("same", "own"), ("cvpca", "noise_free")):
            if (*other, estimator) in found:
                change = found["after", synapses, estimator] - found[(*other, estimator)]
                rows.scalar("alpha_change", change, seed, network=f"after minus {other[0]}", synapses=synapses, estimator=estimator, rank=np.nan)
    return rows.table(generator).assign(first_rank=3, last_rank=25)


def spontaneous(seeds: int, generator: np.random.Generator, data: bool) -> pd.DataFrame:
    rows = Rows("direction", "learning", "synapses")
    groups = {"divergence": 1.0, "divergence_halves": 0.04, "divergence_independent_spontaneous": 1.2, "divergence_independent_evoked": 0.3}
    numbers = {"correlation_similarity": 0.6, "correlation_similarity_halves": 0.95, "correlation_similarity_shuffled": 0.0}
    numbers |= {"alignment": 0.9, "alignment_chance": 0.5}
    for seed, direction, (learning, synapses) in product(range(seeds), ("labels", "data") if data else ("labels",), STATES):
        about = {"direction": direction, "learning": learning, "synapses": synapses}
        for name, value in groups.items():
            nearer = 0.1 if name == "divergence" and direction == "data" and learning == "after" else 1
            rows.units(name, nearer * value * generator.lognormal(0, 0.2, 30), seed, generator, "groups", **about)
        for name, value in numbers.items():
            rows.scalar(name, generator.normal(value, 0.02), seed, **about)
    return rows.table(generator)
