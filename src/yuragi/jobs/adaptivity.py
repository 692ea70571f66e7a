"""Attack one network by attackers that adapt to noise at the input, in a layer, at both or at neither, and defend it by each of them in turn."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from yuragi.attacks.base import Attack
from yuragi.jobs.base import InputPath, OutputPath
from yuragi.plugins import any_of
from yuragi.settings import EachOnce, Name, Settings


class Description(Settings):
    """Attackers that adapt to noise, and defences by noise."""

    attacks: dict[Name, any_of("yuragi.attacks", Attack)] = Field(min_length=1, description="the attacks, under names of your own")
    layer: str = Field("hidden1", min_length=1, description="the layer where hidden noise acts")
    directions: Literal["random", "responses", "shuffled"] = Field(
        "random", description="of the spontaneous noise, as the noise `spontaneous` has them"
    )
    steps: PositiveInt = Field(1, description="time steps of a draw, over which logits are averaged")
    rectified: bool | None = Field(None, description="whether hidden activity below 0 is set to 0 after the noise; null: where the layer has none")
    matchings: EachOnce[Literal["accuracy", "energy"]] = Field(
        ("accuracy", "energy"), min_length=1, description="what defences have in common: the clean accuracy they cost, the relative variance they add"
    )
    drop: float = Field(0.02, gt=0, lt=1, description="clean accuracy of single draws that every defence costs where accuracy is matched")
    relative_variance: float | None = Field(
        None,
        gt=0,
        description="noise variance over stimulus variance where energy is matched; null: that of the hidden white noise at matched accuracy",
    )
    test_images: PositiveInt = Field(100, description="test images that are attacked")
    calibration_images: PositiveInt = Field(500, description="training images, the last ones in the set's order, on which noise is matched")
    matching_draws: PositiveInt = Field(16, description="noise draws per image to match clean accuracy")
    scoring_draws: PositiveInt = Field(100, description="fresh noise draws per image that vote")
    certificate_draws: PositiveInt = Field(1000, description="noise draws per image for the smoothing inequality")


class Spec(Description):
    chunk: PositiveInt = Field(4096, description="most images times draws times time steps held at once")
    seed: int = Field(0, ge=0, description="seed of the attacks' starts, of directions and of all noise draws")


def run(images: InputPath, network: InputPath, results: OutputPath, *, spec: Spec, target: InputPath | None = None, device: str = "auto") -> None:
    """Attack the first test images; write what happened to each of them. Without --target there is no spontaneous noise among the defences."""
    import torch

    from yuragi.datasets.splits import split
    from yuragi.files import read_netcdf, write_netcdf
    from yuragi.robustness.adaptivity import adaptivity_grid
    from yuragi.targets import BrainTarget
    from yuragi.training.checkpoint import load_network
    from yuragi.training.devices import deterministic, resolve_device

    data = read_netcdf(images, "images")
    test = [torch.from_numpy(array) for array in split(data, "test", spec.test_images)]
    calibration = [torch.from_numpy(array[-spec.calibration_images :]) for array in split(data, "train")]
    where = resolve_device(device)
    attacked = load_network(network).to(where)
    with deterministic():
        result = adaptivity_grid(
            attacked,
            *test,
            (calibration[0], calibration[1]),
            spec.attacks,
            torch.Generator(where).manual_seed(spec.seed),
            layer=spec.layer,
            target=None if target is None else BrainTarget.read(target),
            directions=spec.directions,
            steps=spec.steps,
            rectified=spec.rectified,
            matchings=spec.matchings,
            drop=spec.drop,
            relative_variance=spec.relative_variance,
            matching_draws=spec.matching_draws,
            scoring_draws=spec.scoring_draws,
            certificate_draws=spec.certificate_draws,
            chunk=spec.chunk,
        )
    write_netcdf(result, results)
