"""Measure what could explain a network's robustness without its spectrum, in every network of an experiment, on held-out images."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Spec(Settings):
    layers: tuple[str, ...] | None = Field(None, description="layers that are measured; null for all that a network has")
    images: PositiveInt = Field(500, description="held-out images that are measured, the first ones in the set's order")
    draws: PositiveInt = Field(8, description="draws of a stochastic network's noise that are averaged over")
    chunk: PositiveInt = Field(1024, description="most images (times noise draws and time steps) that go through a network at once")
    seed: int = Field(0, ge=0, description="seed of the noise and of random directions, the same for all networks")


def run(images: InputPath, table: OutputPath, networks: list[InputPath], *, spec: Spec, device: str = "auto") -> None:
    """Write one row a network, layer and property; the networks' files are named ``<arm>-seed<seed>``."""
    import pandas as pd
    import torch

    from yuragi.datasets.splits import split
    from yuragi.files import read_netcdf, write_table
    from yuragi.jobs.results import arm_and_seed
    from yuragi.progress import track
    from yuragi.robustness.properties import network_properties
    from yuragi.training.checkpoint import load_network
    from yuragi.training.devices import deterministic, resolve_device, seeded_generator

    where = resolve_device(device)
    pixels, labels = split(read_netcdf(images, "images"), "test")
    held_out = torch.from_numpy(pixels[: spec.images]).to(where), torch.from_numpy(labels[: spec.images]).to(where)
    tables = []
    for path in track(networks, "properties, networks"):
        arm, seed = arm_and_seed(path)
        network = load_network(path).to(where)
        generator = seeded_generator(spec.seed, where)
        layers = network.layer_names if spec.layers is None else spec.layers
        with deterministic():
            found = network_properties(network, *held_out, generator, layers=layers, draws=spec.draws, chunk=spec.chunk)
        found.insert(0, "arm", arm)
        found.insert(1, "seed", seed)
        tables.append(found)
    write_table(pd.concat(tables, ignore_index=True), table)
