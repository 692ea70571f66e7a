"""Tables of attacked images that were shown to other networks, written as the job writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from yuragi.files import write_table
from yuragi.robustness.transferability import transfer_table
from yuragi.robustness.transferability_claims import transfer_claims

RATES = {"fgsm": 0.6, "step_ll": 0.5, "basic_iterative": 0.3, "iterative_ll": 0.25}
KNOWLEDGE = {"fgsm": "gradient", "step_ll": "gradient", "basic_iterative": "gradients", "iterative_ll": "gradients"}
NEARNESS = {"another seed": 1.0, "another training": 0.8, "another architecture": 0.6}


def write_transfers(
    folder: Path,
    name: str,
    networks: list[tuple[str, str, int]],
    epsilons: tuple[float, ...] = (0.05, 0.1),
    attacks: tuple[str, ...] = tuple(RATES),
) -> dict[str, list[Path]]:
    """As `yuragi.jobs.transferability` does, of networks (experiment, arm, seed): one step transfers more, and more to what is more alike."""
    generator = np.random.default_rng(0)
    count, images = len(networks), 60
    wrong = np.zeros((len(attacks), len(epsilons), count, count, images), dtype=bool)
    for a, e, s, t in np.ndindex(wrong.shape[:4]):
        experiment, arm = (networks[s][place] == networks[t][place] for place in (0, 1))
        relation = "another architecture" if not experiment else "another seed" if arm else "another training"
        rate = RATES[attacks[a]] * NEARNESS[relation] * epsilons[e] / max(epsilons) + 0.05 * networks[s][2]
        wrong[a, e, s, t] = generator.random(images) < (0.8 if s == t else rate)
    ends = {
        f"{end}_{part}": (end, [network[place] for network in networks])
        for end in ("source", "target")
        for place, part in enumerate(("experiment", "arm", "seed"))
    }
    dims = ("attack", "epsilon", "source", "image")
    sizes = np.ones((len(attacks), len(epsilons), count, images))
    result = xr.Dataset(
        {
            "wrong": (("attack", "epsilon", "source", "target", "image"), wrong),
            "recognised": (("target", "image"), generator.random((count, images)) < 0.95),
            "wrong_by_chance": (("epsilon", "target", "image"), generator.random((len(epsilons), count, images)) < 0.05),
            "size": (dims, sizes),
            "change": (dims, 0.8 * sizes),
        },
        coords={
            "attack": list(attacks),
            "epsilon": list(epsilons),
            **ends,
            "attack_kind": ("attack", list(attacks)),
            "knowledge": ("attack", [KNOWLEDGE[attack] for attack in attacks]),
            "label": ("image", np.zeros(images, dtype=int)),
        },
    )
    files = {"transfers": folder / f"{name}.csv", "transfer_claims": folder / f"{name}.claims.csv"}
    write_table(transfer_table(result), files["transfers"])
    write_table(transfer_claims(result, np.random.default_rng(0), resamples=400), files["transfer_claims"])
    return {kind: [path] for kind, path in files.items()}
