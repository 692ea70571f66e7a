"""Tables of adaptive attackers and of certificates, written as the jobs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from yuragi.files import write_table
from yuragi.robustness.adaptivity_summary import grid_claims, summarise_grid

ATTACKS = {"pgd": np.nan, "feature_space_0": 0.0, "feature_space_3": 3.0}
ATTACKERS = ("nothing", "input", "hidden", "both")
DEFENCES = {"none": 0.0, "input": 0.1, "hidden_white": 0.4, "hidden_spontaneous": 0.5, "both": 0.3}


def write_adaptivity(folder: Path, experiment: str, seeds: tuple[int, ...], defences: tuple[str, ...] = tuple(DEFENCES)) -> dict[str, list[Path]]:
    """As `yuragi.jobs.adaptivity_summary` does: who adapts to more leaves less, and a margin leaves next to nothing."""
    grids = [_grid(seed, defences) for seed in seeds]
    files = {"adaptivity": folder / f"{experiment}.csv", "adaptivity_claims": folder / f"{experiment}.claims.csv"}
    write_table(summarise_grid(grids, np.random.default_rng(0), resamples=400), files["adaptivity"])
    write_table(grid_claims(grids, np.random.default_rng(0), resamples=400), files["adaptivity_claims"])
    return {kind: [path] for kind, path in files.items()}


def _grid(seed: int, defences: tuple[str, ...], n: int = 40) -> xr.Dataset:
    matchings = ["accuracy", "energy"]
    sizes = (len(matchings), len(ATTACKS), len(ATTACKERS), len(defences), n)
    defended = np.zeros(sizes, dtype=bool)
    for a, kappa in enumerate(ATTACKS.values()):
        for adapted in range(len(ATTACKERS)):
            for d, defence in enumerate(defences):
                share = DEFENCES[defence] / (1 + adapted) / (1 + np.nan_to_num(kappa)) + 0.02 * seed * (defence != "none")
                defended[:, a, adapted, d] = np.arange(n) < round(share * n)
    cells = ("matching", "attack", "attacker", "defence", "image")
    clean = (len(matchings), len(defences), n)
    return xr.Dataset(
        {
            "majority_correct": (cells, defended),
            "fraction_correct": (cells, defended.astype(float)),
            "succeeded": (cells, np.ones(sizes, dtype=bool)),
            "succeeded_own": (cells, ~defended),
            "explained": (cells, np.zeros(sizes, dtype=bool)),
            "pixel_distance": (cells, np.ones(sizes)),
            "hidden_distance": (cells, np.ones(sizes)),
            "clean_majority_correct": (("matching", "defence", "image"), np.ones(clean, dtype=bool)),
            "clean_fraction_correct": (("matching", "defence", "image"), np.full(clean, 0.9)),
            "relative_variance": (("matching", "defence", "place"), np.full((len(matchings), len(defences), 2), 0.2)),
            "recognised": ("image", np.ones(n, dtype=bool)),
        },
        coords={
            "matching": matchings,
            "attack": list(ATTACKS),
            "kappa": ("attack", list(ATTACKS.values())),
            "attacker": list(ATTACKERS),
            "defence": list(defences),
            "place": ["input", "hidden1"],
            "image": np.arange(n),
            "label": ("image", np.zeros(n, dtype=int)),
            "seed": seed,
        },
    )


def write_certificates(folder: Path, experiment: str, networks: list[tuple[str, int]]) -> dict[str, list[Path]]:
    """As `yuragi.jobs.certify` does: the larger σ, the larger the radius and the fewer the images that have one."""
    files = []
    for arm, seed in networks:
        image = np.arange(20)
        tables = []
        for sigma in (0.12, 0.5):
            kept = image < 20 * (1 - sigma) - seed
            radius = np.where(kept, sigma * (1 + image / 20), 0.0)
            rows = {"sigma": sigma, "image": image, "label": image % 10, "predicted": np.where(kept, image % 10, -1), "radius": radius}
            tables.append(pd.DataFrame(rows | {"count": 90, "p_lower": 0.8, "n": 100, "alpha": 0.001}))
        files.append(folder / experiment / f"{arm}-seed{seed}.csv")
        write_table(pd.concat(tables, ignore_index=True), files[-1])
    return {"certificates": files}
