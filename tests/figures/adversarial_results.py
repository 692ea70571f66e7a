"""Tables of adversarial training, written as the jobs write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from yuragi.files import write_table


class Arm(NamedTuple):
    """An arm as its description tells it."""

    arm: str
    method: str | None = None
    width: float = 1.0
    batch_norm: str = "mixture"
    constraint: str = "none"
    ordinary: str | None = None
    recipe: str = "none"

    @property
    def leaks_possible(self) -> bool:
        return self.method in LEAKING


LEAKING = ("fgsm", "pgd")
CONSTRAINTS = {"spectral": "spectral_constraint", "spontaneous": "spontaneous", "both": "spectral_constraint + spontaneous"}
ARMS = (
    Arm("plain"),
    Arm("fgsm", "fgsm", ordinary="plain"),
    Arm("step_ll", "step_ll", ordinary="plain"),
    Arm("pgd", "pgd", ordinary="plain"),
    *(Arm(f"plain_{name}", width=width) for name, width in (("half", 0.5), ("double", 2.0))),
    *(Arm(f"step_ll_{name}", "step_ll", width, ordinary=f"plain_{name}") for name, width in (("half", 0.5), ("double", 2.0))),
    Arm("plain_bare", batch_norm="none"),
    Arm("step_ll_bare", "step_ll", batch_norm="none", ordinary="plain_bare"),
    Arm("step_ll_separate", "step_ll", batch_norm="separate", ordinary="plain"),
    *(Arm(name, constraint=constraint) for name, constraint in CONSTRAINTS.items()),
    *(Arm(f"step_ll_{name}", "step_ll", constraint=constraint, ordinary=name) for name, constraint in CONSTRAINTS.items()),
)
ATTACKS = {
    "fgsm": ("fgsm", False, True),
    "step_ll": ("step_ll", False, False),
    "step_rnd": ("step_rnd", False, False),
    "basic_iterative": ("basic_iterative", True, True),
    "iterative_ll": ("iterative_ll", True, False),
    "pgd": ("pgd", True, True),
}
EPSILONS = (0.02, 0.04, 0.08, 0.16)
LEAK = 0.06
"""By how much networks trained on fgsm are better on images of fgsm than on clean ones."""

COUNTS = {"seeds": 3, "images": 200}
HALF = 0.03
"""Half the width of every interval of an accuracy."""


def clean_of(arm: Arm) -> float:
    lost = (0.02 if arm.method else 0.0) + (0.04 if arm.batch_norm == "none" else 0.0) + (0.01 if arm.constraint != "none" else 0.0)
    return 0.9 + 0.02 * np.log2(arm.width) - lost


def accuracy_of(arm: Arm, attack: str, epsilon: float) -> float:
    """The planted accuracy: exponential in ε. Training on one step saves from one step, on many from all; a doubling of width keeps 0.05 more."""
    _, iterated, _ = ATTACKS[attack]
    if arm.method == "fgsm" and attack == "fgsm":
        return clean_of(arm) + LEAK
    kept = {None: 0.05, "pgd": 0.6}.get(arm.method, 0.1 if iterated else 0.75)
    kept += 0.05 * np.log2(arm.width) * (arm.method is not None) + 0.1 * (arm.constraint != "none") - 0.02 * (attack in ("fgsm", "pgd"))
    kept -= 0.2 * (arm.batch_norm == "none") * (arm.method is not None)
    return clean_of(arm) * np.clip(kept, 0.02, 1) ** (epsilon / EPSILONS[-1])


def write_single_attacks(
    folder: Path, experiment: str, arms: Sequence[Arm] = ARMS, attacks: Sequence[str] = tuple(ATTACKS), epsilons: Sequence[float] = EPSILONS
) -> dict[str, list[Path]]:
    """As the job of single attacks does; the tables of gains and of capacity have their header alone where nothing can be compared."""
    by_name = {arm.arm: arm for arm in arms}
    single, gains = [], []
    for arm in arms:
        described = arm._asdict() | {"leaks_possible": arm.leaks_possible}
        clean = clean_of(arm)
        for name in attacks:
            for epsilon in epsilons:
                attack = _described(name, epsilon)
                value = accuracy_of(arm, name, epsilon)
                leaking, p = value - clean, 0.0001 if value > clean else 1.0
                spread = {"minimum": value - 0.02, "maximum": value + 0.02, "sd": 0.02}
                leak = {"leaking": leaking, "leaking_low": leaking - 0.02, "leaking_high": leaking + 0.02, "leaking_p": p, "leaking_p_holm": 4 * p}
                values = _interval("accuracy", value, "") | spread | _interval("clean_accuracy", clean, "clean_") | leak
                single.append(described | attack | values | COUNTS)
                if arm.ordinary is not None:
                    ordinary = by_name[arm.ordinary]
                    before = accuracy_of(ordinary, name, epsilon)
                    gain = {"ordinary_accuracy": before, "accuracy": value, **_interval("gain", value - before, ""), "p": 0.001, "p_holm": 0.004}
                    gains.append(described | attack | gain | _interval("clean_gain", clean - clean_of(ordinary), "clean_") | COUNTS)
    files = {
        "single_attacks": folder / f"{experiment}.csv",
        "adversarial_gains": folder / f"{experiment}.gains.csv",
        "capacity": folder / f"{experiment}.capacity.csv",
    }
    write_table(pd.DataFrame(single), files["single_attacks"])
    write_table(pd.DataFrame(gains, columns=None if gains else GAINS), files["adversarial_gains"])
    write_table(_slopes(arms, attacks, epsilons), files["capacity"])
    return {kind: [path] for kind, path in files.items()}


def _described(name: str, epsilon: float) -> dict[str, object]:
    kind, iterated, uses = ATTACKS[name]
    return {"attack": name, "attack_kind": kind, "iterated": iterated, "uses_true_label": uses, "epsilon": epsilon}


def _interval(name: str, value: float, prefix: str) -> dict[str, float]:
    return {name: value, f"{prefix}low": value - HALF, f"{prefix}high": value + HALF}


def _slopes(arms: Sequence[Arm], attacks: Sequence[str], epsilons: Sequence[float]) -> pd.DataFrame:
    """Least squares against log2 width, for every method that was trained at several widths."""
    by_name = {arm.arm: arm for arm in arms}
    families: dict[tuple[str, str, str, str], list[Arm]] = {}
    for arm in arms:
        if arm.method is not None and arm.ordinary is not None:
            families.setdefault((arm.method, arm.recipe, arm.batch_norm, arm.constraint), []).append(arm)
    rows = []
    for (method, recipe, batch_norm, constraint), members in families.items():
        if len({arm.width for arm in members}) < 2:
            continue
        width = np.log2([arm.width for arm in members])
        for name, epsilon in [("clean", 0.0), *((name, epsilon) for name in attacks for epsilon in epsilons)]:
            of_arm = [clean_of(arm) if name == "clean" else accuracy_of(arm, name, epsilon) for arm in members]
            before = [by_name[str(arm.ordinary)] for arm in members]
            of_ordinary = [clean_of(arm) if name == "clean" else accuracy_of(arm, name, epsilon) for arm in before]
            ordinary, adversarial = (float(np.polyfit(width, values, 1)[0]) for values in (of_ordinary, of_arm))
            row = {"method": method, "recipe": recipe, "batch_norm": batch_norm, "constraint": constraint, "attack": name}
            row |= {"attack_kind": name, "iterated": ATTACKS.get(name, ("", False))[1], "epsilon": epsilon, "widths": len(members)}
            row |= _interval("per_doubling", adversarial - ordinary, "") | {"p": 0.01}
            for of, value in (("ordinary", ordinary), ("adversarial", adversarial)):
                row |= _interval(f"{of}_per_doubling", value, f"{of}_per_doubling_")
            rows.append(row | COUNTS)
    return pd.DataFrame(rows, columns=CAPACITY)


ABOUT = ["arm", "ordinary", "method", "recipe", "leaks_possible", "width", "batch_norm", "constraint"]
GAINS = [*ABOUT, "attack", "attack_kind", "iterated", "uses_true_label", "epsilon", "ordinary_accuracy", "accuracy", "gain", "low", "high"]
GAINS += ["p", "p_holm", "clean_gain", "clean_low", "clean_high", "seeds", "images"]
CAPACITY = [*ABOUT[2:4], *ABOUT[6:], "attack", "attack_kind", "iterated", "epsilon", "widths", "per_doubling", "low", "high", "p"]
CAPACITY += [f"{of}_per_doubling{end}" for of in ("ordinary", "adversarial") for end in ("", "_low", "_high")] + ["seeds", "images"]


def write_adversarial_histories(
    folder: Path, experiment: str, collapses: Mapping[str, Sequence[int | None]], epochs: int = 12, delay: int = 2
) -> list[Path]:
    """As training does, for every arm one network a seed; PGD succeeds from the epoch given, while the attack of the training fails ever more.

    delay
        epochs without adversarial images before the adversarial ones
    """
    files = []
    for arm, of_seeds in collapses.items():
        for seed, collapse in enumerate(of_seeds):
            epoch = np.arange(1, epochs + 1)
            learned = 1 - np.exp(-epoch / 3)
            clean, attacked, pgd = (height * learned - 0.01 * seed for height in (0.9, 0.7, 0.5))
            if collapse is not None:
                after = epoch >= collapse
                attacked, pgd = np.where(after, 0.85, attacked), np.where(after, 0.02, pgd)
            history = {"epoch": epoch, "loss": 2.3 / epoch, "penalty": 0.0, "train_accuracy": clean, "held_out_accuracy": clean - 0.02}
            history |= {"adversarial_train_accuracy": attacked, "watched_clean_accuracy": clean, "watched_attack_accuracy": attacked}
            history |= {"watched_pgd_accuracy": pgd, "adversarial": (epoch > delay).astype(int)}
            files.append(folder / experiment / f"{arm}-seed{seed}.history.csv")
            write_table(pd.DataFrame(history), files[-1])
    return files
