"""Choose the learning rate and the number of epochs on validation images, with the plain network, before anything is compared."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.models.base import Architecture
from yuragi.plugins import any_of
from yuragi.settings import Settings
from yuragi.training.settings import TrainingSettings


class Candidates(Settings):
    """What is chosen from."""

    learning_rates: tuple[PositiveFloat, ...] = Field(min_length=1, description="learning rates to compare")
    epochs: tuple[PositiveInt, ...] = Field(
        min_length=1, description="numbers of epochs to compare; unless the schedule is cosine, the largest tells all smaller ones too"
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((100, 101, 102), min_length=1, description="networks that each candidate is judged by")
    validation_fraction: float = Field(0.1, gt=0, lt=1, description="fraction of the training images that they are judged on")

    def candidates(self, training: TrainingSettings) -> list[TrainingSettings]:
        """The settings that are compared, which are those of the ordinary training but for the learning rate and the epochs."""
        if training.validation_fraction:
            raise ValueError(f"training.validation_fraction = {training.validation_fraction}: a choice holds images aside itself; leave it out")
        epochs = self.epochs if training.schedule == "cosine" else (max(self.epochs),)
        pairs = [{"learning_rate": rate, "epochs": count} for rate in self.learning_rates for count in epochs]
        return [TrainingSettings.model_validate(training.model_dump() | pair) for pair in pairs]


class Spec(Candidates):
    network: any_of("yuragi.models", Architecture) = Field(description="the architecture")
    training: TrainingSettings = Field(TrainingSettings(), description="how it is trained, but for the learning rate and the epochs")
    chunk: PositiveInt = Field(2048, description="most images that go through the network at once where accuracy is measured")

    @model_validator(mode="after")
    def _candidates_can_be_trained(self) -> Spec:
        self.candidates(self.training)
        return self


def run(images: InputPath, table: OutputPath, *, spec: Spec, device: str = "auto") -> None:
    """Write the validation accuracy of each candidate, seed and epoch; no test image is looked at."""
    from yuragi.datasets.splits import number_of_classes, split
    from yuragi.files import read_netcdf, write_table
    from yuragi.training.build import build_network
    from yuragi.training.sweep import choose_settings

    data = read_netcdf(images, "images")
    pixels, labels = split(data, "train")
    found = choose_settings(
        lambda seed: build_network(spec.network, pixels.shape[1:], number_of_classes(data), seed=seed),
        pixels,
        labels,
        spec.candidates(spec.training),
        spec.seeds,
        validation_fraction=spec.validation_fraction,
        device=device,
        chunk=spec.chunk,
    )
    write_table(found, table)
