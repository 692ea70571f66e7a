"""Attacks in feature space, written as the job writes them: really made, on untrained networks of a few units."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from yuragi.attacks.feature_space import FeatureSpace
from yuragi.attacks.feature_space_generator import FeatureSpaceGenerator
from yuragi.files import write_netcdf, write_table
from yuragi.models.perceptron import Perceptron
from yuragi.robustness.feature_space import example_pictures, feature_space_table


def write_feature_space(
    folder: Path,
    seeds: tuple[int, ...] = (0, 1),
    shape: tuple[int, int, int] = (3, 8, 8),
    attacks: list[FeatureSpace | FeatureSpaceGenerator] | None = None,
) -> dict[str, list[Path]]:
    """Tables and pictures of networks with two hidden layers."""
    attacks = attacks or [
        *(
            FeatureSpace(layer=layer, steps=3, kappa=kappa, start=start)
            for layer in ("hidden1", "hidden2")
            for kappa in (0, 1)
            for start in ("noise", "image")
        ),
        FeatureSpaceGenerator(layer="hidden2", epochs=1, width=1, held_out=4),
    ]
    images, labels = torch.rand(10, *shape, generator=torch.Generator().manual_seed(0)), torch.arange(10) % 3
    tables, pictures = [], []
    for seed in seeds:
        network = Perceptron(hidden=(12, 6)).build(shape, 3, torch.Generator().manual_seed(seed)).requires_grad_(False)
        found = list(feature_space_table(network, images, labels, attacks, torch.Generator().manual_seed(0)))
        tables.append(folder / f"plain-seed{seed}.csv")
        write_table(pd.concat([rows for *_, rows in found]), tables[-1])
        pictures.append(folder / f"plain-seed{seed}.examples.nc")
        write_netcdf(example_pictures(images[:4], labels[:4], [(attack, made[:4], rows[:4]) for attack, made, rows in found]), pictures[-1])
    return {"feature_space": tables, "feature_space_examples": pictures}
