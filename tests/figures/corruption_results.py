"""Tables of corrupted images, written as the jobs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from yuragi.files import write_table
from yuragi.robustness.corruptions import corruption_differences, summarise_corruptions

GAINS = {"spectral": 0.05, "white": 0.1, "spontaneous": 0.15, "both": 0.2, "blurred": 0.02}


def write_corruptions(folder: Path, experiment: str, networks: list[tuple[str, int]]) -> dict[str, list[Path]]:
    """As `yuragi.jobs.corruptions` does: blur costs 2 and noise 4 percent a severity, less what the arm gains."""
    results = []
    for arm, seed in networks:
        severity = np.arange(0, 6)
        cost = np.stack([0.02 * severity, 0.04 * severity]) * (1 - GAINS.get(arm, 0.0))
        correct = np.clip(0.9 + 0.01 * seed - np.concatenate([cost, cost.mean(0, keepdims=True)])[..., None] + np.zeros(12), 0, 1)
        shares = {"change": 0.1, "low_share": 0.1, "mid_share": 0.3, "high_share": 0.6}
        of_change = {key: (("corruption", "severity"), np.full((3, 6), value)) for key, value in shares.items()}
        centre = np.repeat([[0.2], [0.4], [0.3]], 6, axis=1)
        results.append(
            xr.Dataset(
                {
                    **{f"{key}_correct": (("corruption", "severity", "image"), correct) for key in ("fraction", "majority")},
                    **{f"clean_{key}_correct": ("image", correct[0, 0]) for key in ("fraction", "majority")},
                    **of_change,
                    "centre_frequency": (("corruption", "severity"), centre),
                },
                coords={"corruption": ["blur", "noise", "mean"], "severity": severity, "image": np.arange(12), "label": ("image", np.zeros(12))},
            ).assign_coords(arm=arm, seed=seed)
        )
    files = {"corruptions": folder / f"{experiment}.csv", "corruption_differences": folder / f"{experiment}.differences.csv"}
    write_table(summarise_corruptions(results, np.random.default_rng(0), resamples=400), files["corruptions"])
    alone = len({arm for arm, _ in networks}) == 1
    empty = pd.DataFrame(columns=["arm", "corruption", "difference"])
    differences = empty if alone else corruption_differences(results, np.random.default_rng(0), resamples=400)
    write_table(differences, files["corruption_differences"])
    return {kind: [path] for kind, path in files.items()}
