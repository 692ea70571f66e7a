"""The figures of the feature-space attack show what the job's files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.attacks.feature_space import FeatureSpace as Attack
from yuragi.attacks.feature_space_generator import FeatureSpaceGenerator
from yuragi.figures.feature_space import FeatureSpace
from yuragi.figures.feature_space_examples import FeatureSpaceExamples
from yuragi.figures.style import save
from yuragi.files import write_netcdf, write_table
from yuragi.models import Perceptron
from yuragi.robustness.feature_space import example_pictures, feature_space_table

SHAPE = (3, 8, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feature_space")
    images = torch.rand(10, *SHAPE, generator=torch.Generator().manual_seed(0))
    for seed in (0, 1):
        network = Perceptron(hidden=(12, 6)).build(SHAPE, 3, torch.Generator().manual_seed(seed)).requires_grad_(False)
        attacks = [
            *(
                Attack(layer=layer, steps=3, kappa=kappa, start=start)
                for layer in ("hidden1", "hidden2")
                for kappa in (0, 1)
                for start in ("noise", "image")
            ),
            FeatureSpaceGenerator(layer="hidden2", epochs=1, width=1, held_out=4),
        ]
        labels = torch.arange(10) % 3
        found = list(feature_space_table(network, images, labels, attacks, torch.Generator().manual_seed(0)))
        write_table(pd.concat([rows for *_, rows in found]), folder / f"tables/noise/plain-seed{seed}.csv")
        write_netcdf(
            example_pictures(images[:4], labels[:4], [(attack, made[:4], rows[:4]) for attack, made, rows in found]),
            folder / f"pictures/noise/plain-seed{seed}.examples.nc",
        )
    return folder


def test_the_shares_are_those_of_the_rows(folder: Path, tmp_path: Path) -> None:
    paths = sorted((folder / "tables").rglob("*.csv"))
    table = FeatureSpace().table({"feature_space": paths})
    assert len(table) == 2 * (8 + 2)
    row = table[(table["seed"] == 1) & (table["layer"] == "hidden1") & (table["start"] == "image") & (table["kappa"] == 1)].iloc[0]
    rows = pd.read_csv(paths[1])
    rows = rows[(rows["layer"] == "hidden1") & (rows["start"] == "image") & (rows["kappa"] == 1)]
    assert row["images"] == len(rows) == 10
    assert row["success"] == rows["success"].mean()
    assert row["layer_ratio_median"] == pytest.approx(rows["layer_ratio"].median())
    assert set(table[table["start"] == "generator"]["held_out"]) == {False, True}
    save(FeatureSpace(kappas=(1.0,)).draw(table), tmp_path / "drawing.svg")
    save(FeatureSpace(kappas=(7.0,)).draw(table), tmp_path / "nothing.svg")


def test_every_pixel_is_in_the_table(folder: Path) -> None:
    paths = sorted((folder / "pictures").rglob("*.nc"))
    table = FeatureSpaceExamples(images=2).table({"feature_space_examples": paths})
    assert set(table["seed"]) == {0}
    assert len(table) == 2 * (1 + 5) * 64
    first = table[(table["image"] == 1) & (table["start"] == "original")]
    expected = np.round(255 * torch.rand(10, *SHAPE, generator=torch.Generator().manual_seed(0))[1].numpy())
    assert np.array_equal(first[["red", "green", "blue"]].to_numpy().T.reshape(3, 8, 8), expected)
    assert first["layer"].isna().all()
    other = FeatureSpaceExamples(images=2, kappa=1).table({"feature_space_examples": paths})
    assert set(other["kappa"]) == {1}
