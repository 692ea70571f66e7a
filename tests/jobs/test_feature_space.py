"""The job of the feature-space attack: every attack that its specification asks for, on images that the network gets right."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from yuragi.datasets import load
from yuragi.datasets.splits import split
from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf
from yuragi.jobs.feature_space import Spec, run
from yuragi.models import Perceptron
from yuragi.training.checkpoint import load_network, save_network

SPEC = {
    "images": 12,
    "examples": 2,
    "optimisation": {"steps": 2},
    "generation": {"epochs": 1, "width": 1},
    "kappas": [0, 1],
    "starts": ["noise", "image"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("job")
    write_netcdf(load("digits"), folder / "images.nc")
    architecture = Perceptron(hidden=(20, 10))
    network = architecture.build((1, 8, 8), 10, torch.Generator().manual_seed(0))
    save_network(network, {"network": architecture.model_dump(mode="json")}, folder / "plain-seed0.safetensors")
    return folder


def done(folder: Path, to: Path, **changes: object) -> pd.DataFrame:
    to.mkdir(exist_ok=True)
    run(folder / "images.nc", folder / "plain-seed0.safetensors", to / "table.csv", to / "examples.nc", spec=Spec(**SPEC | changes), device="cpu")
    return pd.read_csv(to / "table.csv")


def test_every_attack_on_images_that_are_recognised(folder: Path, tmp_path: Path) -> None:
    table = done(folder, tmp_path)
    attacks = table.groupby(["method", "start", "layer", "kappa"]).size()
    assert len(attacks) == 2 * 2 * 2 + 2
    assert set(attacks) == {12}
    assert set(table[table["method"] == "feature_space_generator"]["layer"]) == {"hidden2"}
    assert table["recognised"].all()
    pixels, labels = (torch.from_numpy(array) for array in split(read_netcdf(folder / "images.nc"), "test"))
    right = (load_network(folder / "plain-seed0.safetensors")(pixels).argmax(1) == labels).nonzero()[:12, 0]
    assert sorted(set(table["image"])) == right.tolist()
    assert (labels.numpy()[table["image"]] == table["label"]).all()
    pictures = read_netcdf(tmp_path / "examples.nc", "attacked")
    assert pictures.sizes["attack"] == 10
    assert torch.equal(torch.from_numpy(pictures["original"].values), pixels[right[:2]])


def test_the_same_seed_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        done(folder, tmp_path / name, methods=["feature_space"])
    for name in ("table.csv", "examples.nc"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_layer_that_does_not_exist(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="layer 'hidden7' does not exist"):
        done(folder, tmp_path, layers=["hidden7"])
    assert not list(tmp_path.iterdir())
