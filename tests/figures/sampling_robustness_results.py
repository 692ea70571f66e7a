"""Tables as `yuragi.jobs.sampling_robustness` writes them, with values that tests know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from yuragi.files import write_table
from yuragi.robustness.statistics import paired_differences, summarise
from yuragi.sampling.attack_routes import READOUTS, read_out

ARMS = {"twin": 1.0, "sampled": 0.8, "fixed_hidden": 1.3, "random_features": 1.5}
ATTACKS = ("pgd", "pgd_averaged", "pgd_surrogate", "pgd_transfer", "square", "random_noise", "worst")
IMAGES = 40


def write_sampling_robustness(
    folder: Path,
    study: str,
    arms: Sequence[str] = tuple(ARMS),
    seeds: Sequence[int] = (0, 1, 2),
    attacks: Sequence[str] = ATTACKS,
    epsilons: Sequence[float] = (0.0, 0.2, 0.4),
) -> dict[str, list[Path]]:
    """Accuracy 1 - slope ε for the posterior mean, lower for single draws of all arms but the twin, the slope that of the arm."""
    networks = [network(arm, seed, attacks, epsilons) for arm in arms for seed in seeds]
    summaries, differences = [], [pd.DataFrame(columns=["readout", "arm", "attack", "epsilon", "difference"])]
    for readout in READOUTS:
        read = [read_out(each, readout) for each in networks]
        summaries.append(summarise(read, np.random.default_rng(0), resamples=200).assign(readout=readout, verdict="ok"))
        if len(arms) > 1:
            budgets = [*(eps for eps in epsilons if eps), None]
            found = [paired_differences(read, np.random.default_rng(0), reference="twin", epsilon=budget, resamples=200) for budget in budgets]
            differences.append(pd.concat(found).assign(readout=readout, reference="twin"))
    table, compared = folder / study / "robustness.csv", folder / study / "robustness_differences.csv"
    write_table(pd.concat(summaries), table)
    write_table(pd.concat(differences[1:]) if len(differences) > 1 else differences[0], compared)
    return {"sampling_robustness": [table], "sampling_robustness_differences": [compared]}


def network(arm: str, seed: int, attacks: Sequence[str], epsilons: Sequence[float]) -> xr.Dataset:
    dims, shape = ("attack", "epsilon", "image"), (len(attacks), len(epsilons), IMAGES)
    weakness = np.array([0.3 if name == "random_noise" else 0.8 if "transfer" in name or name == "square" else 1.0 for name in attacks])
    accuracy = np.clip(0.95 - 0.02 * seed - ARMS[arm] * weakness[:, None] * np.asarray(epsilons), 0, 1)
    place = (np.arange(IMAGES) + 0.5) / IMAGES
    right = (place < accuracy[..., None]).astype(float)
    single = right if arm == "twin" else np.broadcast_to(0.8 * accuracy[..., None], shape)
    values = {"mean_correct": right, "fraction_correct": single, "majority_correct": right > 0}
    clean = {f"clean_{name}": ("image", np.asarray(of[0, 0])) for name, of in values.items()}
    coords = {"attack": list(attacks), "epsilon": list(epsilons), "image": np.arange(IMAGES), "label": ("image", np.arange(IMAGES) % 10)}
    return xr.Dataset({**{name: (dims, of) for name, of in values.items()}, **clean}, coords=coords).assign_coords(arm=arm, seed=seed)
