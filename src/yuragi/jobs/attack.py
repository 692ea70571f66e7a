"""Attack one network and score every image on fresh draws of its noise."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.attacks.base import BoundedAttack
from yuragi.jobs.base import InputPath, OutputPath
from yuragi.plugins import any_of
from yuragi.robustness.threat import ThreatModel
from yuragi.settings import Name, Settings


class Evaluation(Settings):
    """How attacked networks are scored."""

    scoring_draws: PositiveInt = Field(50, description="fresh noise draws that score every image of a stochastic network")
    selection_draws: PositiveInt = Field(16, description="noise draws, apart from those, that choose the strongest of several adversarial images")


class Spec(Settings):
    attacks: dict[Name, any_of("yuragi.attacks", BoundedAttack)] = Field(description="the attacks, under names of your own")
    threat: ThreatModel = Field(description="what the adversary may do")
    test_images: PositiveInt = Field(500, description="test images that are attacked")
    evaluation: Evaluation = Field(Evaluation(), description="how attacked networks are scored")
    chunk: PositiveInt = Field(4096, description="most images times draws times time steps held at once")
    seed: int = Field(0, ge=0, description="seed of the attacks' starts and of all noise draws")


def run(images: InputPath, network: InputPath, results: OutputPath, *, spec: Spec, device: str = "auto") -> None:
    """Evaluate the network on the first test images; write what happened to each of them."""
    import torch

    from yuragi.datasets.splits import split
    from yuragi.files import read_netcdf, write_netcdf
    from yuragi.robustness.evaluate import evaluate
    from yuragi.training.checkpoint import load_network
    from yuragi.training.devices import deterministic, resolve_device

    data = read_netcdf(images, "images")
    test_images, test_labels = (torch.from_numpy(array) for array in split(data, "test", spec.test_images))
    where = resolve_device(device)
    attacked = load_network(network).to(where)
    with deterministic():
        result = evaluate(
            attacked,
            test_images,
            test_labels,
            spec.attacks,
            spec.threat,
            torch.Generator(where).manual_seed(spec.seed),
            scoring_draws=spec.evaluation.scoring_draws,
            selection_draws=spec.evaluation.selection_draws,
            chunk=spec.chunk,
        )
    write_netcdf(result, results)
