"""Write the activity of one layer of a network over held-out images as responses."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Spec(Settings):
    layer: str = Field("hidden1", description="name of the layer")
    chunk: PositiveInt = Field(4096, description="images that go through the network at once")


def run(images: InputPath, network: InputPath, responses: OutputPath, *, spec: Spec) -> None:
    """Write one repeat of every held-out image."""
    import torch

    from yuragi.datasets.splits import split
    from yuragi.files import read_netcdf, write_netcdf
    from yuragi.training.checkpoint import load_network
    from yuragi.training.responses import layer_responses

    held_out = torch.from_numpy(split(read_netcdf(images, "images"), "test")[0])
    found = layer_responses(load_network(network), held_out, spec.layer, chunk=spec.chunk)
    write_netcdf(found.to_dataset(name="responses"), responses)
