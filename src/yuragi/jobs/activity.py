"""Measure the covariance spectra of hidden activity in every network of an experiment, on held-out images."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.models.units import Units
from yuragi.settings import Settings


class Measure(Settings):
    """How the spectrum of one layer is measured."""

    asked: tuple[str | float, ...] = Field((), description="the stages or exponents that penalties ask of it")
    ranks: tuple[int, int | None] = Field((11, None), description="ranks over which exponents are compared: those that every penalty acts on")
    units: Units = Field("both", description="units of a convolutional layer")


class Spec(Settings):
    layers: dict[str, Measure] = Field({"hidden1": Measure()}, description="layers whose activity is measured")
    chunk: PositiveInt = Field(4096, description="most images (times noise draws and time steps) that go through a network at once")
    seed: int = Field(0, ge=0, description="seed of the noise whose share of the logits is measured")


def run(images: InputPath, spectra: OutputPath, networks: list[InputPath], *, spec: Spec) -> None:
    """Write the eigenvalues by network, layer and rank; the networks' files are named ``<arm>-seed<seed>``."""
    import torch
    import xarray as xr

    from yuragi.datasets.splits import split
    from yuragi.files import read_netcdf, write_netcdf
    from yuragi.jobs.results import arm_and_seed
    from yuragi.training.checkpoint import load_network
    from yuragi.training.readout import noise_at_readout
    from yuragi.training.spectra import layer_spectrum

    held_out = torch.from_numpy(split(read_netcdf(images, "images"), "test")[0])
    measured, noise = [], []
    for path in networks:
        network = load_network(path)
        noise.append(noise_at_readout(network, held_out, torch.Generator().manual_seed(spec.seed), chunk=spec.chunk))
        layers = [layer_spectrum(network, held_out, layer, units=measure.units, chunk=spec.chunk) for layer, measure in spec.layers.items()]
        measured.append(xr.concat(layers, dim=xr.Variable("layer", list(spec.layers)), join="outer", combine_attrs="drop"))
    arms, seeds = zip(*(arm_and_seed(path) for path in networks), strict=True)
    result = xr.concat(measured, dim="network", join="outer", combine_attrs="drop").to_dataset(name="spectrum")
    result["noise_at_readout"] = ("network", noise)
    measures = spec.layers.values()
    result = result.assign_coords(
        arm=("network", list(arms)),
        seed=("network", list(seeds)),
        asked=("layer", [", ".join(map(str, measure.asked)) for measure in measures]),
        units=("layer", [measure.units for measure in measures]),
        first_rank=("layer", [measure.ranks[0] for measure in measures]),
        last_rank=("layer", [measure.ranks[1] or 0 for measure in measures]),
    )
    result["last_rank"].attrs["description"] = "0 stands for the layer's last"
    result.attrs = {
        "held_out_images": len(held_out),
        "description": "eigenvalues of the covariance of noise-free activity over held-out images",
    }
    write_netcdf(result, spectra)
