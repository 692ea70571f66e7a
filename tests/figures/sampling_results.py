"""Tables of networks that learn by sampling, written as the jobs write them, of accuracies that tests know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from yuragi.files import write_table
from yuragi.sampling.summary import accuracies, comparisons

from .sampling_activity_results import write_sampling_activity
from .sampling_results_of_memory import write_sampling_fluctuation, write_sampling_memory
from .sampling_robustness_results import write_sampling_robustness

ARMS = {"sampled": 0.9, "fixed_hidden": 0.8, "random_features": 0.7, "tempered_5": 0.85, "twin": 0.95}
IMAGES = 200
R_HAT = {"activity": 1.31, "log_units": 1.02, "output_median": 1.0}


def write_sampling(folder: Path, study: str, arms: Sequence[str] = tuple(ARMS), seeds: Sequence[int] = (0, 1, 2)) -> dict[str, list[Path]]:
    """As `yuragi.jobs.sampling_summary` and `yuragi.jobs.sampling_learn` do; with one seed there is no R-hat."""
    networks = [_predicted(arm, seed, ARMS[arm] + 0.01 * seed) for arm in arms for seed in seeds]
    networks.append(_predicted("logistic_regression", 0, 0.75))
    files = {f"sampling_{kind}": folder / study / f"{kind}.csv" for kind in ("accuracy", "claims", "mixing")}
    write_table(accuracies(networks, np.random.default_rng(0), resamples=200), files["sampling_accuracy"])
    write_table(comparisons(networks, np.random.default_rng(0), resamples=200), files["sampling_claims"])
    mixed = [("sampled", name, r, r <= 1.01, len(seeds), 50) for name, r in R_HAT.items() if len(seeds) > 1]
    write_table(pd.DataFrame(mixed, columns=["arm", "summary", "r_hat", "mixed", "chains", "samples"]), files["sampling_mixing"])
    histories = []
    for arm in arms:
        for seed in seeds:
            if arm == "twin":
                continue
            sweeps = np.arange(10, 101, 10)
            mean = (ARMS[arm] + 0.01 * seed) * (1 - np.exp(-sweeps / 30))
            histories.append(folder / study / f"{arm}-seed{seed}.history.csv")
            write_table(pd.DataFrame({"sweep": sweeps, "single_accuracy": mean - 0.1, "mean_accuracy": mean}), histories[-1])
    return {**{kind: [path] for kind, path in files.items()}, "sampling_histories": histories}


def write_studies(folder: Path, studies: Sequence[str]) -> dict[str, list[Path]]:
    """All that studies of networks that learn by sampling give to figures."""
    found = [
        {
            **write_sampling(folder, study),
            **write_sampling_activity(folder, study),
            **write_sampling_fluctuation(folder, (study,)),
            **write_sampling_memory(folder, (study,)),
            **write_sampling_robustness(folder, study),
        }
        for study in studies
    ]
    return {kind: [path for one in found for path in one[kind]] for kind in found[0]}


def write_bare_study(folder: Path, study: str) -> dict[str, list[Path]]:
    """The least that a study gives: one seed, no controls, no twin."""
    return {
        **write_sampling(folder, study, ("sampled",), (0,)),
        **write_sampling_activity(folder, study, 1, twins=False, data=False),
        **write_sampling_fluctuation(folder, (study,), seeds=(0,)),
        **write_sampling_memory(folder, (study,), seeds=(0,), uncertainty=False),
        **write_sampling_robustness(folder, study, ("sampled", "twin"), (0,), ("pgd",), (0.0, 0.1)),
    }


def _predicted(arm: str, seed: int, accuracy: float) -> xr.Dataset:
    """Exactly this share of images right, and of single states a tenth less."""
    correct = np.random.default_rng([seed, len(arm)]).permutation(IMAGES) < round(accuracy * IMAGES)
    return xr.Dataset(
        {"correct": ("image", correct), "single_correct": ("image", 0.9 * correct)},
        coords={"label": ("image", np.arange(IMAGES) % 10), "arm": arm, "seed": seed},
    )
