"""Corrupt test images at random and score one network on them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PositiveInt, field_validator

from yuragi.attacks.corruptions.base import ROOM, Corruption, every_corruption
from yuragi.jobs.base import InputPath, OutputPath
from yuragi.plugins import any_of
from yuragi.settings import Name, Settings


class Description(Settings):
    """Random corruptions of the test images."""

    corruptions: dict[Name, any_of(ROOM, Corruption)] | None = Field(
        None, description="the corruptions, under names of your own; null for all; those of colours alone are left out where images are grey"
    )
    severities: tuple[Annotated[int, Field(ge=0, le=5)], ...] = Field(
        (1, 2, 3, 4, 5), min_length=1, description="how strong they are, 0 to 5; the severity of a corruption itself is not used"
    )
    test_images: PositiveInt = Field(500, description="test images that are corrupted, the first ones in the set's order")
    draws: PositiveInt = Field(50, description="noise draws that score every image of a stochastic network")


class Spec(Description):
    chunk: PositiveInt = Field(4096, description="most images times draws times time steps that go through a network at once")
    seed: int = Field(0, ge=0, description="seed of the corruptions and of all noise draws, the same for all networks")

    @field_validator("corruptions", mode="before")
    @classmethod
    def _every_one(cls, value: Any) -> Any:
        # Named one by one, so that what a result depends on knows the code of each.
        return every_corruption() if value is None else value


def run(images: InputPath, network: InputPath, results: OutputPath, *, spec: Spec, device: str = "auto") -> None:
    """Evaluate the network on the first test images; write what happened to each of them."""
    import sys

    import torch

    from yuragi.datasets.splits import split
    from yuragi.files import read_netcdf, write_netcdf
    from yuragi.robustness.corruptions import evaluate_corruptions
    from yuragi.training.checkpoint import load_network
    from yuragi.training.devices import deterministic, resolve_device

    pixels, labels = (torch.from_numpy(array) for array in split(read_netcdf(images, "images"), "test", spec.test_images))
    chosen = {name: corruption for name, corruption in spec.corruptions.items() if corruption.applies(pixels)}
    for name in sorted(spec.corruptions.keys() - chosen.keys()):
        print(f"corruption '{name}' left out: it changes colours alone and the images are grey", file=sys.stderr)
    where = resolve_device(device)
    # The corruptions' seed is drawn from it; on the processor, it is the same on every device.
    generator = torch.Generator().manual_seed(spec.seed)
    with deterministic():
        result = evaluate_corruptions(
            load_network(network).to(where), pixels, labels, chosen, spec.severities, generator, draws=spec.draws, chunk=spec.chunk
        )
    write_netcdf(result, results)
