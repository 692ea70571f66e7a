"""Verdicts name the arm, the finding and the seeds."""

from __future__ import annotations

import xarray as xr

from yuragi.robustness.verdicts import arm_verdicts


def _network(arm: str, seed: int, clean: float, **guards: str) -> xr.Dataset:
    values = {"clean_fraction_correct": ("image", [clean, clean])}
    return xr.Dataset(values, attrs={f"guard_{name}": text for name, text in guards.items()}).assign_coords(arm=arm, seed=seed)


def test_all_is_well() -> None:
    table = arm_verdicts([_network("plain", 0, 0.9, logits="ok"), _network("white", 0, 0.8, logits="ok")])
    assert table.to_dict("list") == {"arm": ["plain", "white"], "verdict": ["ok", "ok"]}


def test_findings_are_gathered_over_seeds() -> None:
    networks = [_network("plain", seed, 0.9, gradients="suspicious: all zero" if seed else "ok") for seed in (0, 1, 2)]
    assert arm_verdicts(networks)["verdict"].item() == "gradients, suspicious: all zero (seed 1, 2)"


def test_a_network_that_did_not_learn_is_told() -> None:
    table = arm_verdicts([_network("plain", 0, 0.9), _network("spectral", 0, 0.1), _network("spectral", 1, 0.9)]).set_index("arm")
    assert table.loc["plain", "verdict"] == "ok"
    assert table.loc["spectral", "verdict"].startswith("learning, suspicious")
    assert table.loc["spectral", "verdict"].endswith("(seed 0)")
