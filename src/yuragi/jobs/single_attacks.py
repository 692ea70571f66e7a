"""Attack one network by each attack by itself and score it, so that a rise of the accuracy shows."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, PositiveInt

from yuragi.attacks.base import BoundedAttack
from yuragi.jobs.base import InputPath, OutputPath
from yuragi.plugins import any_of
from yuragi.robustness.threat import ThreatModel
from yuragi.settings import EachOnce, Name, Settings


class Description(Settings):
    """Attacks each by itself, to look for label leaking and to compare adversarial training with ordinary training."""

    attacks: EachOnce[Name] | None = Field(None, min_length=1, description="the attacks, by the names they have under `attacks`; null takes all")
    epsilons: EachOnce[PositiveFloat] | None = Field(
        None, min_length=1, description="sizes of the change, in units of the pixel range; null: those of the experiment, without 0"
    )
    test_images: PositiveInt = Field(500, description="test images that are attacked, the first ones in the set's order")
    draws: PositiveInt = Field(50, description="fresh noise draws that score every image of a stochastic network")


class Spec(Settings):
    attacks: dict[Name, any_of("yuragi.attacks", BoundedAttack)] = Field(min_length=1, description="the attacks, under names of your own")
    threat: ThreatModel = Field(description="what the adversary may do; ε = 0 is left out")
    test_images: PositiveInt = Field(500, description="test images that are attacked, the first ones in the set's order")
    draws: PositiveInt = Field(50, description="fresh noise draws that score every image of a stochastic network")
    chunk: PositiveInt = Field(4096, description="most images times draws times time steps held at once")
    seed: int = Field(0, ge=0, description="seed of the attacks' starts and of all noise draws")


def run(images: InputPath, network: InputPath, results: OutputPath, *, spec: Spec, device: str = "auto") -> None:
    """Attack the first test images; write what each attack by itself did to each of them."""
    import torch

    from yuragi.datasets.splits import split
    from yuragi.files import read_netcdf, write_netcdf
    from yuragi.robustness.single_attacks import evaluate_single_attacks
    from yuragi.training.checkpoint import load_network
    from yuragi.training.devices import deterministic, resolve_device, seeded_generator

    pixels, labels = (torch.from_numpy(array) for array in split(read_netcdf(images, "images"), "test", spec.test_images))
    where = resolve_device(device)
    attacked = load_network(network).to(where)
    with deterministic():
        result = evaluate_single_attacks(
            attacked, pixels, labels, spec.attacks, spec.threat, seeded_generator(spec.seed, where), draws=spec.draws, chunk=spec.chunk
        )
    write_netcdf(result, results)
