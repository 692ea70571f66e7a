"""The jobs of the adaptivity grid and of certificates: files in, files out, and the figures that are made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.datasets import load
from yuragi.errors import InputError
from yuragi.figures.adaptivity import Adaptivity
from yuragi.figures.adaptivity_claims import AdaptivityClaims
from yuragi.figures.certificates import Certificates
from yuragi.figures.style import save
from yuragi.files import read_netcdf, write_netcdf
from yuragi.jobs import adaptivity, adaptivity_summary, certify
from yuragi.models import Perceptron
from yuragi.settings import validate
from yuragi.targets import BrainTarget, SpontaneousModel
from yuragi.training.checkpoint import save_network

GRID = {
    "attacks": {"pgd": {"kind": "pgd", "eps": 0.1, "steps": 3, "draws": 2}},
    "drop": 0.1,
    "test_images": 30,
    "calibration_images": 60,
    "matching_draws": 4,
    "scoring_draws": 10,
    "certificate_draws": 50,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Digits, two readers of their pixels (by least squares, behind random features), and a target."""
    folder = tmp_path_factory.mktemp("files")
    data = load("digits")
    write_netcdf(data, folder / "images.nc")
    training = data["split"].values == "train"
    pixels = torch.from_numpy(data["images"].values[training]).float()
    wanted = torch.nn.functional.one_hot(torch.from_numpy(data["labels"].values[training]), 10).float() - 0.1
    architecture = Perceptron(hidden=(150,), activation="relu")
    for seed in (0, 1):
        network = architecture.build(tuple(pixels.shape[1:]), 10, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            hidden = network.activities(pixels, ["hidden1"])["hidden1"]
            readout = torch.linalg.solve(hidden.T @ hidden + 0.1 * torch.eye(150), hidden.T @ wanted)
            network.layers["output"].weight.copy_(10 * readout.T)
            network.layers["output"].bias.zero_()
        save_network(network, {"network": architecture.model_dump(mode="json")}, folder / f"plain-seed{seed}.safetensors")
    model = SpontaneousModel.from_autoregression(np.diag([0.8, 0.4])[None], np.diag([0.6, 0.2]))
    BrainTarget(spontaneous=model).write(folder / "target.nc")
    return {"folder": folder, "images": folder / "images.nc", "target": folder / "target.nc"}


@pytest.fixture(scope="module")
def grids(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("grids")
    spec = validate(adaptivity.Spec, GRID, "spec")
    written = []
    for seed in (0, 1):
        written.append(folder / f"plain-seed{seed}.nc")
        adaptivity.run(
            files["images"], files["folder"] / f"plain-seed{seed}.safetensors", written[-1], spec=spec, target=files["target"], device="cpu"
        )
    return written


def test_the_grid_is_written_summarised_and_drawn(grids: list[Path], tmp_path: Path) -> None:
    result = read_netcdf(grids[0], "majority_correct")
    assert dict(result.sizes) == {"matching": 2, "attack": 1, "attacker": 4, "defence": 5, "image": 30, "place": 2}
    assert result["recognised"].mean() > 0.8
    table, claims = tmp_path / "digits.csv", tmp_path / "digits.claims.csv"
    adaptivity_summary.run(table, claims, grids, spec=adaptivity_summary.Spec(resamples=400))
    found = pd.read_csv(table)
    assert len(found) == 2 * 4 * 5
    assert (found["seeds"] == 2).all()
    assert found.loc[found["defence"] == "none", "defended"].eq(0).all()
    assert len(pd.read_csv(claims)) == 2 * 4 * 4
    for figure, kind, path in ((Adaptivity(), "adaptivity", table), (AdaptivityClaims(), "adaptivity_claims", claims)):
        rows = figure.table({kind: [path]})
        assert set(rows["experiment"]) == {"digits"}
        save(figure.draw(rows), tmp_path / f"{kind}.svg")
        assert (tmp_path / f"{kind}.svg").stat().st_size > 5000


def test_the_same_specification_writes_the_same_bytes(files: dict[str, Path], grids: list[Path], tmp_path: Path) -> None:
    spec = validate(adaptivity.Spec, GRID, "spec")
    adaptivity.run(
        files["images"], files["folder"] / "plain-seed0.safetensors", tmp_path / "again.nc", spec=spec, target=files["target"], device="cpu"
    )
    assert (tmp_path / "again.nc").read_bytes() == grids[0].read_bytes()


def test_certificates_are_written_and_drawn(files: dict[str, Path], tmp_path: Path) -> None:
    spec = certify.Spec(sigmas=(0.1, 0.3), test_images=20, n0=20, n=200)
    paths = []
    for seed in (0, 1):
        paths.append(tmp_path / f"digits/plain-seed{seed}.csv")
        certify.run(files["images"], files["folder"] / f"plain-seed{seed}.safetensors", paths[-1], spec=spec, device="cpu")
    told = pd.read_csv(paths[0])
    assert len(told) == 40
    assert told["radius"].max() <= 0.3 * 2.5
    table = Certificates(points=5).table({"certificates": paths})
    assert len(table) == 2 * 2 * 5
    start = table[table["radius_pixel_units"] == 0]
    right = (told["predicted"] == told["label"]).groupby(told["sigma"]).mean()
    assert start.loc[start["seed"] == 0, "certified_accuracy"].tolist() == pytest.approx(right.tolist())
    save(Certificates().draw(table), tmp_path / "certificates.svg")


def test_bad_specifications_are_refused() -> None:
    with pytest.raises(InputError, match="sigmas"):
        validate(certify.Spec, {"sigmas": [0.1, 0.1]}, "spec")
    with pytest.raises(InputError, match="attacks"):
        validate(adaptivity.Spec, {"attacks": {}}, "spec")
    with pytest.raises(InputError, match="matchings"):
        validate(adaptivity.Spec, {**GRID, "matchings": ["size"]}, "spec")
