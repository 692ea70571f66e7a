"""Train one network of an arm on random labels, one for each fraction of them, and write how fast it learns them by rote."""

from __future__ import annotations

from pydantic import Field, PositiveInt, field_validator, model_validator

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.jobs.train import Arm, checkpoint_key, chosen_training, target_of
from yuragi.models.base import Architecture
from yuragi.plugins import any_of
from yuragi.settings import Settings
from yuragi.training.settings import TrainingSettings


class Memorisation(Settings):
    """The test of memorisation."""

    images: PositiveInt = Field(2000, description="training images whose labels are to be learned by rote, drawn from all of them")
    fractions: tuple[float, ...] = Field(
        (0.5, 1.0), min_length=1, description="of labels that are drawn at random, each in (0, 1]; a network is trained anew for each"
    )
    epochs: PositiveInt = Field(100, description="passes over these images; learning by rote takes longer than learning")
    batch: PositiveInt | None = Field(None, description="images in a mini-batch; null: as in the ordinary training, at most all of them")
    draws: PositiveInt = Field(8, description="draws of a stochastic network's noise that accuracy is averaged over after every epoch")

    @field_validator("fractions")
    @classmethod
    def _are_fractions(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        for fraction in fractions:
            if not 0 < fraction <= 1:
                raise ValueError(f"{fraction:g} is no fraction of labels; give numbers above 0, at most 1")
        return fractions

    def by_rote(self, training: TrainingSettings) -> TrainingSettings:
        """The settings of the training on random labels, from those of the ordinary one."""
        own = {"epochs": self.epochs, "batch": min(self.batch or training.batch, self.images)}
        without = {"validation_fraction": 0.0, "patience": None, "stop_on": "loss"}
        return TrainingSettings.model_validate(training.model_dump() | own | without)


class Spec(Memorisation):
    network: any_of("yuragi.models", Architecture) = Field(description="the architecture")
    training: TrainingSettings = Field(
        TrainingSettings(),
        description="how it is trained, but for the epochs of this test, a batch of at most its images, and no image held aside to stop early",
    )
    arm: Arm = Field(Arm(), description="the constraints that it carries")
    place: PositiveInt = Field(1, description="1 takes the best of the learning rates in --choice, 2 the second best …")
    seed: int = Field(0, ge=0, description="seed of the parameters, of the choice of images, of the random labels and of the noise")
    chunk: PositiveInt = Field(2048, description="most images that go through the network at once where activity is measured")

    @model_validator(mode="after")
    def _training_fits(self) -> Spec:
        self.by_rote(self.training)
        return self


def run(
    images: InputPath,
    table: OutputPath,
    *,
    spec: Spec,
    target: InputPath | None = None,
    choice: InputPath | None = None,
    scratch: str = ".snakemake/yuragi",
    device: str = "auto",
) -> None:
    """Write one row a fraction and epoch, and only then remove the checkpoints."""
    import numpy as np

    from yuragi.datasets.splits import number_of_classes, split
    from yuragi.errors import InputError
    from yuragi.files import read_netcdf, write_table
    from yuragi.randomness import derive_seed
    from yuragi.training.build import build_network
    from yuragi.training.memorisation import memorise, remove_progress

    brain = target_of(spec.arm, target)
    data = read_netcdf(images, "images")
    training_images, training_labels = split(data, "train")
    if spec.images > len(training_labels):
        raise InputError(f"images = {spec.images}: the set has {len(training_labels)} training images; lower it to at most that")
    # Arms of one seed learn the same images.
    generator = np.random.default_rng(derive_seed(spec.seed, "memorised images"))
    chosen = np.sort(generator.choice(len(training_labels), size=spec.images, replace=False))
    held_out_images, held_out_labels = split(data, "test")
    # As many held-out images as training images, and not all of them, or most of the time would go there.
    held_out = held_out_images[: spec.images], held_out_labels[: spec.images]
    n_classes = number_of_classes(data)
    key = checkpoint_key("memorise", spec, images, target, choice)
    architecture = spec.arm.architecture(spec.network)
    curves = memorise(
        lambda: build_network(architecture, training_images.shape[1:], n_classes, seed=spec.seed, noise=spec.arm.noise, target=brain),
        training_images[chosen],
        training_labels[chosen],
        spec.by_rote(chosen_training(spec.training, choice, spec.place)),
        seed=spec.seed,
        fractions=spec.fractions,
        penalty=spec.arm.penalty,
        target=brain,
        adversarial=spec.arm.adversarial,
        held_out=held_out,
        draws=spec.draws,
        scratch=scratch,
        key=key,
        device=device,
        chunk=spec.chunk,
    )
    write_table(curves, table)
    remove_progress(scratch, key, spec.fractions)
