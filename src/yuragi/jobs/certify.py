"""Certify one network by randomised smoothing at the pixels: the radius around each image within which the vote over noise cannot change."""

from __future__ import annotations

from pydantic import Field, PositiveInt, field_validator

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Description(Settings):
    """Certificates by randomised smoothing at the pixels."""

    sigmas: tuple[float, ...] = Field(
        (0.12, 0.25, 0.5),
        min_length=1,
        description="standard deviations of the noise at the pixels, in units of the pixel range; one certificate each",
    )
    test_images: PositiveInt = Field(100, description="test images that are certified")
    n0: PositiveInt = Field(100, description="noise draws that choose the class of an image")
    n: PositiveInt = Field(10_000, description="further noise draws that count how often it is chosen; 100,000 as published")
    alpha: float = Field(0.001, gt=0, lt=0.5, description="probability with which the certificate of an image may be wrong")

    @field_validator("sigmas")
    @classmethod
    def _are_deviations(cls, sigmas: tuple[float, ...]) -> tuple[float, ...]:
        if min(sigmas) <= 0 or len(set(sigmas)) < len(sigmas):
            raise ValueError(f"sigmas = {list(sigmas)}: give numbers above 0, each once")
        return sigmas


class Spec(Description):
    chunk: PositiveInt = Field(4096, description="most images times draws times time steps held at once")
    seed: int = Field(0, ge=0, description="seed of the noise draws")


def run(images: InputPath, network: InputPath, table: OutputPath, *, spec: Spec, device: str = "auto") -> None:
    """Write one row an image and σ; a network with noise of its own is certified with that noise in it."""
    import pandas as pd
    import torch

    from yuragi.datasets.splits import split
    from yuragi.files import read_netcdf, write_table
    from yuragi.progress import track
    from yuragi.randomness import derive_seed
    from yuragi.robustness.certificates import certify
    from yuragi.training.checkpoint import load_network
    from yuragi.training.devices import deterministic, resolve_device

    where = resolve_device(device)
    pixels, labels = (torch.from_numpy(array).to(where) for array in split(read_netcdf(images, "images"), "test", spec.test_images))
    certified = load_network(network).to(where)
    tables = []
    for sigma in track(spec.sigmas, "certificates, σ"):
        generator = torch.Generator(where).manual_seed(derive_seed(spec.seed, "certify", sigma))
        with deterministic():
            found = certify(certified, pixels, labels, generator, sigma, n0=spec.n0, n=spec.n, alpha=spec.alpha, chunk=spec.chunk)
        tables.append(found.to_dataframe().reset_index().assign(sigma=sigma, n=spec.n, alpha=spec.alpha))
    columns = ["sigma", "image", "label", "predicted", "radius", "count", "p_lower", "n", "alpha"]
    write_table(pd.concat(tables, ignore_index=True)[columns], table)
