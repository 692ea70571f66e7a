"""The job that probes a network for masked gradients, from the command line to its files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from yuragi.__main__ import main
from yuragi.files import read_netcdf
from yuragi.models import Perceptron
from yuragi.noise import WhiteNoise
from yuragi.training.checkpoint import save_network

SPEC = {
    "eps": 0.1,
    "images": 20,
    "steps": 2,
    "draws": 2,
    "queries": 5,
    "attack": {"kind": "pgd", "steps": 2},
    "ladder": [1, 2],
    "tolerance": 0.5,
    "surface_images": 2,
    "surface_points": 3,
    "seed": 4,
}
NAMES = ("plain-seed0.csv", "plain-seed0.draws.csv", "plain-seed0.surface.csv")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("masking")
    assert main(["ingest", str(folder / "digits.nc"), "--dataset", "{kind: digits}"]) == 0
    architecture, noise = Perceptron(hidden=(20,)), WhiteNoise(layer="hidden1", relative_variance=1.0)
    network = architecture.build((1, 8, 8), 10, torch.Generator().manual_seed(0), noise=[noise])
    images = torch.from_numpy(read_netcdf(folder / "digits.nc")["images"].to_numpy()[:100]).float()
    network.calibrate(images)
    save_network(network, {"network": architecture.model_dump()}, folder / "plain-seed0.safetensors")
    return folder / "digits.nc", folder / "plain-seed0.safetensors"


def test_three_tables_the_same_bytes_for_the_same_seed(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    written = []
    for run in ("one", "two"):
        files = [str(tmp_path / run / name) for name in NAMES]
        assert main(["masking", *map(str, inputs), *files, "--spec", json.dumps(SPEC), "--device", "cpu"]) == 0
        written.append([Path(path).read_bytes() for path in files])
    assert written[0] == written[1]
    probes, ladder, surface = (pd.read_csv(tmp_path / "one" / name) for name in NAMES)
    assert {"clean", "gradient_free", "transfer", "frozen"} <= set(probes["probe"])
    assert probes["verdict"].nunique() == 1
    assert probes["verdict"].iloc[0].startswith(("ok: ", "suspicious: "))
    assert ladder["attack"].value_counts()["rung"] == 2
    assert ladder["verdict"].iloc[0].startswith("ok: flat at 2 draws")
    assert len(surface) == 2 * 3 * 3
