"""Choose the drive of a network that learns by sampling on validation images."""

from __future__ import annotations

from pydantic import Field

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.sampling.settings import BinaryImagesSettings, Chain, NetworkSettings, Positive
from yuragi.settings import Settings


class Description(Settings):
    """Candidates that are compared on validation images before any test image is looked at."""

    drives: tuple[Positive | tuple[Positive, ...], ...] = Field(min_length=1, description="drives to compare, each a number or one for each layer")
    chain: Chain = Field(Chain(sweeps=300, burn_in=150), description="how long each candidate fluctuates")


class Spec(Description):
    data: BinaryImagesSettings = Field(BinaryImagesSettings(), description="which images, and when a pixel is a 1")
    network: NetworkSettings = Field(NetworkSettings(), description="the network, but for its drive")
    seed: int = Field(0, ge=0, description="seed of every candidate")


def run(images: InputPath, table: OutputPath, *, spec: Spec) -> None:
    """Write the validation accuracy of each drive."""
    from yuragi.files import read_netcdf, write_table
    from yuragi.sampling.classification import compare_drives
    from yuragi.sampling.images import binary_images

    data = binary_images(read_netcdf(images, "images"), **spec.data.model_dump())
    write_table(compare_drives(data, spec.network, spec.drives, spec.chain, spec.seed), table)
