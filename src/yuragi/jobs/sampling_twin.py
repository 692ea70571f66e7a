"""Train the twin of a network that learns by sampling: the same layers and binary images, by gradients."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.sampling.settings import BinaryImagesSettings
from yuragi.settings import Settings
from yuragi.training.settings import TrainingSettings


class Description(Settings):
    """The gradient-trained twin of a network that learns by sampling."""

    training: TrainingSettings = Field(TrainingSettings(epochs=60, batch=100), description="how it is trained")


class Spec(Settings):
    data: BinaryImagesSettings = Field(BinaryImagesSettings(), description="which images, and when a pixel is a 1")
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (200,), min_length=1, description="units of the hidden layers, as of the sampling network"
    )
    training: TrainingSettings = Field(TrainingSettings(epochs=60, batch=100), description="how it is trained")
    seed: int = Field(0, ge=0, description="seed of the parameters and of the order of images")
    chunk: PositiveInt = Field(2048, description="most images that go through the network at once where accuracy is measured")


def run(
    images: InputPath,
    network: OutputPath,
    history: OutputPath,
    *,
    spec: Spec,
    scratch: str = ".snakemake/yuragi",
    device: str = "auto",
    live: str = "",
) -> None:
    """Train on the images that the sampling network learns, watch the validation images, write network and history."""
    from yuragi.datasets.splits import number_of_classes, split
    from yuragi.errors import InputError
    from yuragi.files import read_netcdf, write_table
    from yuragi.jobs.train import checkpoint_key
    from yuragi.models.front_ends.binarise import Binarise
    from yuragi.models.perceptron import Perceptron
    from yuragi.training.build import build_network
    from yuragi.training.checkpoint import save_network
    from yuragi.training.standard import remove_checkpoint, train

    data = read_netcdf(images, "images")
    pixels, labels = split(data, "train")
    learned, wanted = spec.data.train_images, spec.data.train_images + spec.data.validation_images
    if wanted > len(labels):
        raise InputError(f"train_images + validation_images = {wanted}: {images} has {len(labels)} training images; lower one of them")
    architecture = Perceptron(hidden=spec.hidden, activation="sigmoid", front_end=Binarise(threshold=spec.data.threshold))
    built = build_network(architecture, pixels.shape[1:], number_of_classes(data), seed=spec.seed)
    key = checkpoint_key("sampling_twin", spec, images)
    table = train(
        built,
        pixels[:learned],
        labels[:learned],
        spec.training,
        seed=spec.seed,
        validation=(pixels[learned:wanted], labels[learned:wanted]),
        scratch=scratch,
        key=key,
        device=device,
        chunk=spec.chunk,
        live=live or None,
        description=f"training {network.stem}, epochs",
    )
    write_table(table, history)
    save_network(built, spec.canonical() | {"network": architecture.model_dump(mode="json")}, network)
    remove_checkpoint(scratch, key)
