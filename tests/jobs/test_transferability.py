"""The job that attacks networks and shows the images to others, from the command line to its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.__main__ import main
from yuragi.models import Perceptron
from yuragi.noise import WhiteNoise
from yuragi.robustness.transferability import COLUMNS
from yuragi.robustness.transferability_claims import CLAIMS
from yuragi.training.checkpoint import save_network

SPEC = {
    "attacks": {"fgsm": {"kind": "fgsm", "draws": 2}, "iterated": {"kind": "basic_iterative", "steps": 3, "step_size": 0.1, "draws": 2}},
    "threat": {"epsilons": [0.1, 0.3]},
    "test_images": 30,
    "draws": 5,
    "resamples": 200,
    "seed": 4,
}


def write_network(path: Path, width: int, seed: int, shape: tuple[int, int, int] = (1, 8, 8), classes: int = 10, noisy: bool = False) -> str:
    architecture = Perceptron(hidden=(width,))
    noise = [WhiteNoise(layer="hidden1", relative_variance=0.5)] if noisy else []
    network = architecture.build(shape, classes, torch.Generator().manual_seed(seed), noise=noise)
    if noisy:
        network.calibrate(torch.rand(50, *shape, generator=torch.Generator().manual_seed(1)))
    save_network(network, {"network": architecture.model_dump(mode="json")}, path)
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("transferability")
    assert main(["ingest", str(where / "digits.nc"), "--dataset", "{kind: digits}"]) == 0
    return where


@pytest.fixture(scope="module")
def networks(folder: Path) -> list[str]:
    return [
        write_network(folder / "narrow/plain-seed0.safetensors", 20, 0),
        write_network(folder / "narrow/plain-seed1.safetensors", 20, 1),
        write_network(folder / "narrow/white-seed0.safetensors", 20, 0, noisy=True),
        write_network(folder / "wide/plain-seed0.safetensors", 60, 0),
    ]


def called(folder: Path, out: Path, networks: list[str], spec: dict[str, object] = SPEC) -> int:
    files = [str(out / name) for name in ("all.csv", "all.claims.csv")]
    return main(["transferability", str(folder / "digits.nc"), *files, *networks, "--spec", json.dumps(spec), "--device", "cpu"])


def test_both_tables_the_same_bytes_for_the_same_seed(folder: Path, networks: list[str], tmp_path: Path):
    for run in ("one", "two"):
        assert called(folder, tmp_path / run, networks) == 0
    for name in ("all.csv", "all.claims.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    table, claims = pd.read_csv(tmp_path / "one/all.csv"), pd.read_csv(tmp_path / "one/all.claims.csv")
    assert tuple(table) == COLUMNS
    assert tuple(claims) == CLAIMS
    assert len(table) == 4 * 3 * 2 * 2
    assert table["relation"].value_counts().to_dict() == {"another architecture": 24, "another training": 16, "another seed": 8}
    assert table["epsilon"].unique().tolist() == [0.1, 0.3]
    known = table[table["fooled"] > 0]
    assert len(known)
    np.testing.assert_allclose(known["rate"], known["transferred"] / known["fooled"])
    assert (known["recognised"] >= known["fooled"]).all()
    assert (known["mean_size"] <= 1 + 1e-6).all()
    assert len(claims) == 3 * 2 * (2 + 2 + 1)
    assert claims["minus"].value_counts().to_dict() == {"chance": 12, "iterated": 6}


def test_networks_that_do_not_fit_are_refused_in_one_line(folder: Path, networks: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    larger = write_network(tmp_path / "wide/plain-seed5.safetensors", 20, 0, shape=(1, 9, 9))
    fewer = write_network(tmp_path / "wide/plain-seed6.safetensors", 20, 0, classes=4)
    for chosen, told in (
        (networks[:1], "two or more"),
        ([networks[0], larger], "takes images 1 x 9 x 9 in 10 classes"),
        ([networks[0], fewer], "in 4 classes"),
        ([networks[0], networks[0]], "given twice"),
    ):
        assert called(folder, tmp_path, chosen) == 2
        error = capsys.readouterr().err.strip()
        assert told in error.splitlines()[-1]
        assert not (tmp_path / "all.csv").exists()
