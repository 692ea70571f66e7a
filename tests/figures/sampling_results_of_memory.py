"""Made-up results of networks that go on fluctuating, draw and recall, written as the jobs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from yuragi.files import write_netcdf, write_table
from yuragi.sampling.fluctuation import CONDITIONS
from yuragi.sampling.fluctuation_tables import fluctuation_table, lag_table, stability_claims
from yuragi.sampling.memory import COLUMNS

SIDE = 6


def made_up_fluctuation(seed: int, *, windows: int = 6, images: int = 40) -> xr.Dataset:
    """As `yuragi.sampling.fluctuation.continued` returns: accuracy stays at 0.9, and the controls fall."""
    generator = np.random.default_rng(seed)
    share = np.array([[0.9] * (windows + 1), [0.9] + [0.2] * windows, [0.9] + [0.5] * windows])
    turnover = np.array([1 - np.exp(-np.arange(windows + 1.0))] * 3)
    groups = np.stack([turnover, turnover * 0.9], axis=-1)
    lags = np.array([1, 3, 10, 30]) * 5
    curve = np.exp(-lags / 40)
    return xr.Dataset(
        {
            "correct": (("condition", "window", "image"), (generator.random((3, windows + 1, images)) < share[..., None]).astype(np.uint8)),
            "single_correct": (("condition", "window", "image"), np.repeat(share[..., None] - 0.1, images, axis=2)),
            "turnover": (("condition", "window"), turnover),
            "group_turnover": (("condition", "window", "connections"), groups),
            "group_correlation": (("condition", "window", "connections"), 1 - groups),
            "similarity": (("connections", "lag"), np.stack([0.3 + 0.7 * curve, 0.5 + 0.5 * curve])),
            "autocorrelation": (("connections", "lag"), np.stack([curve, np.append(curve[:-1], np.nan)])),
        },
        coords={
            "condition": list(CONDITIONS),
            "window": np.arange(windows + 1),
            "sweep": ("window", 50 * np.arange(windows + 1)),
            "connections": ["hidden", "outputs"],
            "lag": lags,
        },
        attrs={"learning_sweeps": 100, "samples": 10, "turnover_of_prior": 0.8},
    )


def write_sampling_fluctuation(
    folder: Path, studies: tuple[str, ...] = ("digits",), arms: tuple[str, ...] = ("sampled",), seeds: tuple[int, ...] = (0, 1, 2)
) -> dict[str, list[Path]]:
    """Windows, lags and claims of every study."""
    kinds: dict[str, list[Path]] = {"sampling_fluctuation": [], "sampling_lags": [], "sampling_stability": []}
    for study in studies:
        networks = {(arm, seed): made_up_fluctuation(seed) for arm in arms for seed in seeds}
        for (arm, seed), found in networks.items():
            windows, lags = (folder / study / f"{arm}-seed{seed}.{name}.csv" for name in ("fluctuation", "lags"))
            write_table(fluctuation_table(found, np.random.default_rng(0), resamples=400), windows)
            write_table(lag_table(found), lags)
            kinds["sampling_fluctuation"].append(windows)
            kinds["sampling_lags"].append(lags)
        named = [found.assign_coords(arm=arm, seed=seed) for (arm, seed), found in networks.items()]
        write_table(stability_claims(named, np.random.default_rng(0), resamples=400), folder / study / "fluctuation_claims.csv")
        kinds["sampling_stability"].append(folder / study / "fluctuation_claims.csv")
    return kinds


def write_sampling_memory(
    folder: Path, studies: tuple[str, ...] = ("digits",), seeds: tuple[int, ...] = (0, 1, 2), *, uncertainty: bool = True
) -> dict[str, list[Path]]:
    """Numbers and pictures of every study."""
    kinds: dict[str, list[Path]] = {"sampling_memory": [], "sampling_examples": []}
    for study in studies:
        for seed in seeds:
            table, examples = (folder / study / f"memory-seed{seed}{ending}" for ending in (".csv", ".examples.nc"))
            write_table(_numbers(seed, uncertainty=uncertainty), table)
            write_netcdf(_pictures(seed), examples)
            kinds["sampling_memory"].append(table)
            kinds["sampling_examples"].append(examples)
    return kinds


def _numbers(seed: int, *, uncertainty: bool) -> pd.DataFrame:
    from yuragi.figures.sampling_memory import CASES, GENERATION, JUDGED, RECALL, SCORES

    rows = [("generation", name, measure, np.nan, 0.9 - 0.1 * place) for place, name in enumerate(GENERATION) for measure in JUDGED]
    rows += [
        ("recall", f"{name}, {which}", "unknown pixels right", cue, 0.6 + 0.3 * cue - 0.05 * place)
        for place, name in enumerate(RECALL)
        for which in ("stored", "new")
        for cue in (0.1, 0.5)
    ]
    if uncertainty:
        rows += [("uncertainty", case, score, np.nan, 0.9 - 0.1 * place) for case in CASES for place, score in enumerate(SCORES)]
        rows[-1] = (*rows[-1][:4], np.nan)  # nothing was labelled wrongly
    table = pd.DataFrame(rows, columns=list(COLUMNS[:5]))
    table["value"] += 0.01 * seed
    return table.assign(low=table["value"] - 0.05, high=table["value"] + 0.05, images=50)


def _pictures(seed: int) -> xr.Dataset:
    generator = np.random.default_rng(seed)
    told = [("real", 0, label, np.nan) for label in range(3)] + [("drawn", item, label, np.nan) for item in range(2) for label in range(3)]
    told += [(kind, item, item, 0.25) for kind in ("stored", "cue", "recalled", "nearest") for item in range(2)]
    kind, item, label, cue = (list(values) for values in zip(*told, strict=True))
    pictures = generator.random((len(told), 1, SIDE, SIDE)).astype(np.float32)
    coords = {"kind": ("picture", kind), "item": ("picture", item), "label": ("picture", label), "cue": ("picture", cue)}
    return xr.Dataset({"picture": (("picture", "channel", "row", "column"), pictures)}, coords=coords)
