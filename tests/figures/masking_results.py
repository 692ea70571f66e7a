"""Tables as `yuragi.jobs.masking` writes them, with values that tests know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from yuragi.files import write_table

PROBES = {
    "clean": 0.95,
    "random": 0.9,
    "one_step": 0.5,
    "iterated": 0.3,
    "more_steps": 0.3,
    "restarts": 0.29,
    "gradient_free": 0.6,
    "larger": 0.1,
    "unbounded": 0.0,
}
NOISY = {"transfer": 0.4, "frozen": 0.28}


def write_masking(folder: Path, experiment: str, networks: list[tuple[str, int]], *, noisy: tuple[str, ...] = ()) -> dict[str, list[Path]]:
    """Probes, ladder and surface of every network; the gradients of the arm ``blurred`` are masked."""
    written: dict[str, list[Path]] = {"masking": [], "draws": [], "surface": []}
    for arm, seed in networks:
        stem = folder / f"masking/{experiment}/{arm}-seed{seed}"
        files = {
            kind: stem.with_name(f"{stem.name}{ending}")
            for kind, ending in (("masking", ".csv"), ("draws", ".draws.csv"), ("surface", ".surface.csv"))
        }
        write_table(probes(seed, noisy=arm in noisy, masked=arm == "blurred"), files["masking"])
        write_table(ladder(seed, noisy=arm in noisy), files["draws"])
        write_table(surface(), files["surface"])
        for kind, path in files.items():
            written[kind].append(path)
    return written


def probes(seed: int = 0, *, noisy: bool = False, masked: bool = False) -> pd.DataFrame:
    accuracies = PROBES | (NOISY if noisy else {}) | ({"gradient_free": 0.1} if masked else {})
    rows = pd.DataFrame({"probe": list(accuracies), "accuracy": np.clip(np.array(list(accuracies.values())) + 0.01 * seed, 0, 1)})
    reference = float(rows.set_index("probe").loc["restarts", "accuracy"])
    return rows.assign(
        epsilon=[{"clean": 0.0, "larger": 0.2, "unbounded": 1.0}.get(probe, 0.1) for probe in rows["probe"]],
        majority_accuracy=rows["accuracy"],
        reference="restarts",
        difference=rows["accuracy"] - reference,
        difference_error=0.01,
        images=100,
        draws=50 if noisy else 1,
        chance=0.1,
        sentence="what it is",
        verdict="suspicious: an attack without gradients leaves less" if masked else "ok: accuracy 0.290",
    )


def ladder(seed: int = 0, *, noisy: bool) -> pd.DataFrame:
    """Falls from 0.6 to 0.4, or one rung."""
    rungs = {1: 0.6, 5: 0.45, 20: 0.4} if noisy else {1: 0.3}
    rows = [("clean", 0, "fresh draws", 0.95), *(("rung", draws, "fresh draws", value) for draws, value in rungs.items())]
    if noisy:
        rows += [("frozen", 1, "fresh draws", 0.5), ("frozen", 1, "one value", 0.3), ("transfer", 1, "fresh draws", 0.55)]
        rows += [("transfer", 1, "no noise", 0.2), ("worst", 0, "fresh draws", 0.38)]
    table = pd.DataFrame(rows, columns=["attack", "attack_draws", "scored_on", "accuracy"])
    table["accuracy"] += 0.01 * seed
    rung = table["attack"] == "rung"
    difference = -table["accuracy"].where(rung).diff()
    return table.assign(
        majority_accuracy=table["accuracy"] - 0.05,
        difference=difference,
        difference_error=difference.notna().map({True: 0.01, False: np.nan}),
        flat=rung & (table["attack_draws"] == max(rungs)),
        images=100,
        scoring_draws=50 if noisy else 1,
        epsilon=0.1,
        verdict="ok: flat",
    )


def surface() -> pd.DataFrame:
    """Planes of two images: a slope, and no loss at all."""
    a, b = (grid.ravel() for grid in np.meshgrid(np.linspace(-0.2, 0.2, 5), np.linspace(-0.2, 0.2, 5), indexing="ij"))
    planes = [pd.DataFrame({"image": image, "label": 3 + image, "along_gradient": a, "along_random": b, "loss": a * (1 - image)}) for image in (0, 1)]
    table = pd.concat(planes, ignore_index=True)
    return table.assign(fraction_correct=(table["loss"] < 0.05).astype(float), draws=1)
