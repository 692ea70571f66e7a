"""Attack one network that learned by sampling, or its gradient-trained twin, by every route, and score the posterior mean and the single draws."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field, PositiveFloat, PositiveInt

from yuragi.attacks.base import BoundedAttack
from yuragi.jobs.base import InputPath, OutputPath
from yuragi.plugins import any_of
from yuragi.robustness.threat import ThreatModel
from yuragi.sampling.settings import BinaryImagesSettings, Rule
from yuragi.settings import EachOnce, Name, Settings

if TYPE_CHECKING:
    import torch


class Scoring(Settings):
    """Which images are attacked, and by how many samples and draws."""

    test_images: PositiveInt = Field(200, description="test images that are attacked, the first ones in the set's order")
    samples: PositiveInt = Field(50, description="samples of the synapses that answer, evenly spread over the posterior; all, where there are fewer")
    surrogate_samples: PositiveInt = Field(10, description="of those, samples that the smooth stand-in averages")
    scoring_draws: PositiveInt = Field(100, description="fresh draws of synapses and hidden units that score every image")
    selection_draws: PositiveInt = Field(50, description="draws, apart from those, that choose the strongest of several adversarial images")


class Description(Scoring):
    """Attacks on networks that learned by sampling, and on their gradient-trained twins."""

    arms: EachOnce[Name] = Field(("sampled",), min_length=1, description="the networks that are attacked beside the twin, by name")
    attacks: EachOnce[Name] | None = Field(None, min_length=1, description="the attacks, by the names they have under `attacks`; null takes all")
    epsilons: EachOnce[PositiveFloat] = Field(
        (0.1, 0.2, 0.3, 0.4, 0.5),
        min_length=1,
        description="largest changes of a pixel before it is binarised, in units of the pixel range; at 0.5 every pixel can cross a threshold of 0.5",
    )


class Spec(Scoring):
    data: BinaryImagesSettings = Field(BinaryImagesSettings(), description="which images, and when a pixel is a 1")
    attacks: dict[Name, any_of("yuragi.attacks", BoundedAttack)] = Field(min_length=1, description="the attacks, under names of your own")
    threat: ThreatModel = Field(description="what the adversary may do to pixels before they are binarised")
    rule: Rule = Field("one_hot", description="how the outputs say a class, as in `yuragi.sampling.predict`")
    chunk: PositiveInt = Field(4096, description="most images times draws held at once")
    seed: int = Field(0, ge=0, description="seed of the attacks' starts and of all draws")


def run(images: InputPath, network: InputPath, results: OutputPath, *, spec: Spec, partner: InputPath | None = None, device: str = "auto") -> None:
    """Attack the first test images; ``network`` and ``partner`` are a posterior (.nc) or a twin (.safetensors), one of each kind for a transfer."""
    import torch

    from yuragi.datasets.splits import number_of_classes, split
    from yuragi.files import read_netcdf, write_netcdf
    from yuragi.sampling.attack_routes import evaluate_routes
    from yuragi.training.devices import deterministic, resolve_device, seeded_generator

    data = read_netcdf(images, "images")
    pixels, labels = (torch.from_numpy(array) for array in split(data, "test", spec.test_images))
    where, shape, classes = resolve_device(device), tuple(pixels.shape[1:]), number_of_classes(data)
    attacked, stand_in = _loaded(network, shape, classes, spec)
    other = None if partner is None else _loaded(partner, shape, classes, spec)[1]
    with deterministic():
        result = evaluate_routes(
            attacked.to(where),
            pixels,
            labels,
            spec.attacks,
            spec.threat,
            seeded_generator(spec.seed, where),
            surrogate=stand_in.to(where),
            partner=None if other is None else other.to(where),
            scoring_draws=spec.scoring_draws,
            selection_draws=spec.selection_draws,
            chunk=spec.chunk,
        )
    write_netcdf(result, results)


def _loaded(path: InputPath, shape: tuple[int, ...], classes: int, spec: Spec) -> tuple[torch.nn.Module, torch.nn.Module]:
    """A network and what attackers differentiate in its place: the mean field of a posterior; a twin is its own."""
    from yuragi.sampling.attacked import SampledNetwork
    from yuragi.sampling.store import read_posterior
    from yuragi.sampling.twin import read_twin

    threshold = spec.data.threshold
    if path.suffix == ".nc":
        posterior = read_posterior(path, pixels=math.prod(shape), classes=classes)
        sampled = SampledNetwork(posterior, shape, threshold, samples=min(spec.samples, len(posterior)), rule=spec.rule)
        return sampled, sampled.surrogate(min(spec.surrogate_samples, sampled.samples))
    twin = read_twin(path, shape, threshold, classes)
    return twin, twin
