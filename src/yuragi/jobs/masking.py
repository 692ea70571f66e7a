"""Probe one network for masked gradients, climb the draws that its attacks average over, and map its loss around a few images."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from yuragi.attacks.balls import Norm, checked_eps
from yuragi.attacks.base import BoundedAttack
from yuragi.attacks.pgd import PGD
from yuragi.jobs.base import InputPath, OutputPath
from yuragi.plugins import any_of
from yuragi.settings import Settings


class Description(Settings):
    """What is looked at in a network to find gradients that mislead."""

    eps: PositiveFloat = Field(description="ε of the probes, in units of the pixel range")
    norm: Norm = Field("linf", description="how a change is measured")
    attack: any_of("yuragi.attacks", BoundedAttack) = Field(
        PGD(steps=20), description="the iterated attack of the ladder; ε and norm are those above"
    )
    images: PositiveInt = Field(100, description="test images that are probed, the first ones in the set's order")
    steps: PositiveInt = Field(20, description="gradient steps of the iterated probe; another takes twice as many")
    draws: PositiveInt = Field(16, description="draws of a stochastic network's noise per gradient of the probes")
    queries: int = Field(500, ge=0, description="answers that the gradient-free probe may ask for an image; 0 leaves the probe out")
    ladder: tuple[PositiveInt, ...] = Field((1, 5, 20, 50), min_length=1, description="draws per gradient of the ladder, rising")
    tolerance: PositiveFloat = Field(0.02, description="most accuracy that a further rung of a flat ladder takes")
    scoring_draws: int = Field(50, ge=50, description="fresh noise draws that score every image of a stochastic network")
    surface_images: PositiveInt = Field(4, description="images whose loss is mapped")
    surface_points: int = Field(21, ge=3, description="points along each side of a map, an odd number")

    @field_validator("ladder")
    @classmethod
    def _rises(cls, ladder: tuple[int, ...]) -> tuple[int, ...]:
        if list(ladder) != sorted(set(ladder)):
            raise ValueError(f"ladder = {list(ladder)}: give numbers of draws that rise")
        return ladder

    @field_validator("surface_points")
    @classmethod
    def _has_a_middle(cls, points: int) -> int:
        if points % 2 == 0:
            raise ValueError(f"surface_points = {points}: give an odd number, so that the image itself is a point of the map")
        return points

    @model_validator(mode="after")
    def _is_a_budget(self) -> Description:
        checked_eps(self.eps, self.norm)
        return self


class Spec(Description):
    chunk: PositiveInt = Field(4096, description="most images times draws times time steps held at once")
    seed: int = Field(0, ge=0, description="seed of the attacks' starts and of all noise draws, the same for all networks")


def run(
    images: InputPath, network: InputPath, table: OutputPath, draws: OutputPath, surface: OutputPath, *, spec: Spec, device: str = "auto"
) -> None:
    """Write the probes with their verdict, the ladder with its verdict, and the maps of the loss."""
    import torch

    from yuragi.datasets.splits import split
    from yuragi.files import read_netcdf, write_table
    from yuragi.robustness.draw_ladder import draw_ladder
    from yuragi.robustness.loss_surface import loss_surface
    from yuragi.robustness.masking import default_attacks, masking_probes, verdict
    from yuragi.training.checkpoint import load_network
    from yuragi.training.devices import deterministic, resolve_device, seeded_generator

    where = resolve_device(device)
    pixels, labels = (torch.from_numpy(array).to(where) for array in split(read_netcdf(images, "images"), "test", spec.images))
    probed = load_network(network).to(where)

    def noise() -> torch.Generator:
        return seeded_generator(spec.seed, where)

    with deterministic():
        attacks = default_attacks(spec.steps, spec.draws, spec.queries)
        probes = masking_probes(
            probed, pixels, labels, spec.eps, noise(), norm=spec.norm, attacks=attacks, scoring_draws=spec.scoring_draws, chunk=spec.chunk
        )
        write_table(probes.assign(verdict=verdict(probes)), table)
        climbed = draw_ladder(
            probed,
            pixels,
            labels,
            spec.attack.at(spec.eps, spec.norm),
            noise(),
            draws=spec.ladder,
            tolerance=spec.tolerance,
            scoring_draws=spec.scoring_draws,
            chunk=spec.chunk,
        )
        write_table(climbed.table.assign(verdict=str(climbed)), draws)
        few = slice(spec.surface_images)
        around = loss_surface(
            probed,
            pixels[few],
            labels[few],
            noise(),
            extent=2 * spec.eps if spec.norm == "l2" else min(1.0, 2 * spec.eps),
            norm=spec.norm,
            points=spec.surface_points,
            draws=spec.draws,
            chunk=spec.chunk,
        )
        write_table(around, surface)
