"""Attack every network and show the images to all others: which of them are fooled too?"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field, PositiveFloat, PositiveInt

from yuragi.attacks.base import BoundedAttack
from yuragi.jobs.base import InputPath, OutputPath
from yuragi.plugins import any_of
from yuragi.robustness.threat import ThreatModel
from yuragi.settings import EachOnce, Name, Settings


class Description(Settings):
    """Do images that fool the network they were made for fool others?"""

    arms: EachOnce[Name] = Field(("plain",), min_length=1, description="the arms whose networks take part, as sources and as targets, by name")
    attacks: EachOnce[Name] | None = Field(None, min_length=1, description="the attacks, by name; null takes all")
    epsilons: EachOnce[PositiveFloat] = Field(
        (0.1,), min_length=1, description="the largest sizes of the change, above 0, in units of the pixel range"
    )
    test_images: PositiveInt = Field(500, description="test images that are attacked, the first ones in the set's order")
    draws: PositiveInt = Field(50, description="noise draws that score every image of a stochastic network")


class Spec(Settings):
    attacks: dict[Name, any_of("yuragi.attacks", BoundedAttack)] = Field(min_length=1, description="the attacks, under names of your own")
    threat: ThreatModel = Field(description="what the adversary may do to the images; it knows the source and not the target")
    test_images: PositiveInt = Field(500, description="test images that are attacked, the first ones in the set's order")
    draws: PositiveInt = Field(50, description="noise draws that score every image of a stochastic network")
    chunk: PositiveInt = Field(4096, description="most images times draws times time steps held at once")
    resamples: PositiveInt = Field(4000, description="bootstrap resamples of networks and images behind intervals and tests")
    seed: int = Field(0, ge=0, description="seed of the attacks' starts, of all noise draws and of the resamples")


def run(images: InputPath, table: OutputPath, claims: OutputPath, networks: list[InputPath], *, spec: Spec, device: str = "auto") -> None:
    """Write one row a pair, attack and ε, and the claims; the networks' files are named ``<experiment>/<arm>-seed<seed>``."""
    import numpy as np
    import torch

    from yuragi.datasets.splits import number_of_classes, split
    from yuragi.errors import InputError
    from yuragi.files import read_netcdf, write_table
    from yuragi.jobs.results import arm_and_seed
    from yuragi.randomness import derive_seed
    from yuragi.robustness.transferability import TrainedNetwork, attack_and_transfer, transfer_table
    from yuragi.robustness.transferability_claims import transfer_claims
    from yuragi.training.checkpoint import load_network
    from yuragi.training.devices import deterministic, resolve_device, seeded_generator

    data = read_netcdf(images, "images")
    pixels, labels = (torch.from_numpy(array) for array in split(data, "test", spec.test_images))
    classes = number_of_classes(data)
    where = resolve_device(device)
    found = []
    for path in networks:
        arm, seed = arm_and_seed(path)
        network = load_network(path)
        if network.image_shape != tuple(pixels.shape[1:]) or network.n_classes != classes:
            raise InputError(
                f"{path}: the network takes images {_said(network.image_shape)} in {network.n_classes} classes, but {images} holds images "
                f"{_said(pixels.shape[1:])} in {classes}; give networks and images that belong together"
            )
        found.append(TrainedNetwork(path.parent.name, arm, seed, network.to(where)))
    with deterministic():
        result = attack_and_transfer(
            found,
            pixels,
            labels,
            spec.attacks,
            spec.threat.budgets,
            seeded_generator(spec.seed, where),
            norm=spec.threat.norm,
            draws=spec.draws,
            chunk=spec.chunk,
        )
    write_table(transfer_table(result), table)
    write_table(transfer_claims(result, np.random.default_rng(derive_seed(spec.seed, "claims")), resamples=spec.resamples), claims)


def _said(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))
