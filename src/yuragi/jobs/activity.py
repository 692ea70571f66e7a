"""Measure the covariance spectra of hidden activity in every network of an experiment, on held-out images."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Spec(Settings):
    layers: dict[str, str | float | None] = Field(
        {"hidden1": None}, description="layers whose activity is measured, each with the stage or the exponent that a penalty asks of it, or null"
    )
    ranks: tuple[int, int | None] = Field((11, None), description="ranks over which exponents are compared: those that the penalty acts on")
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
        layers = [layer_spectrum(network, held_out, layer, chunk=spec.chunk) for layer in spec.layers]
        measured.append(xr.concat(layers, dim=xr.Variable("layer", list(spec.layers)), join="outer", combine_attrs="drop"))
    arms, seeds = zip(*(arm_and_seed(path) for path in networks), strict=True)
    result = xr.concat(measured, dim="network", join="outer", combine_attrs="drop").to_dataset(name="spectrum")
    result["noise_at_readout"] = ("network", noise)
    asked = ["" if value is None else str(value) for value in spec.layers.values()]
    result = result.assign_coords(arm=("network", list(arms)), seed=("network", list(seeds)), asked=("layer", asked))
    first, last = spec.ranks
    result.attrs = {
        "held_out_images": len(held_out),
        "description": "eigenvalues of the covariance of noise-free activity over held-out images",
        "first_rank": first,
        **({} if last is None else {"last_rank": last}),
    }
    write_netcdf(result, spectra)
