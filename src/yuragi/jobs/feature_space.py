"""Attack one network in the space of its layers, and tell how far the attacked images are in pixels, layer and output."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from yuragi.attacks.feature_space import Start
from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import EachOnce, Settings


class Optimisation(Settings):
    """The attack image by image."""

    steps: PositiveInt = Field(300, description="number of Adam's steps")
    learning_rate: PositiveFloat = Field(0.05, description="rate of Adam's steps, in units of the pixel range")
    logit_weight: PositiveFloat = Field(0.25, description="first weight of the hinge on the logits; every image then finds its own")


class Generation(Settings):
    """The generator of the published attack."""

    epochs: PositiveInt = Field(1500, description="passes over the attacked images")
    batch: int = Field(32, ge=2, description="images a step")
    width: PositiveInt = Field(64, description="channels of the first convolution")
    rates: tuple[PositiveFloat, PositiveFloat] = Field((1e-4, 4e-4), description="Adam's rates for generator and discriminator")
    logit_weight: NonNegativeFloat = Field(0.25, description="weight of the hinge on the logits")
    adversarial_weight: NonNegativeFloat = Field(0.25, description="weight of the discriminator's verdict")
    held_out: NonNegativeInt = Field(0, description="images at the end that the generator is not fitted to")
    layers: tuple[str, ...] | None = Field(None, description="layers that the generator attacks; null for the last before the output")
    kappas: tuple[NonNegativeFloat, ...] | None = Field(None, description="margins of the generator; null for those of the other attack")


class Description(Settings):
    """Attacks in the space of a network's layers."""

    layers: EachOnce[str] | None = Field(None, description="layers near whose activity images are sought; null for all before the output")
    starts: EachOnce[Start] = Field(("noise", "other_class", "image"), description="where the search begins")
    methods: EachOnce[Literal["feature_space", "feature_space_generator"]] = Field(
        ("feature_space", "feature_space_generator"), min_length=1, description="image by image, by the published generator, or both"
    )
    kappas: EachOnce[NonNegativeFloat] = Field((0.0, 1.0, 3.0), min_length=1, description="margins of the attack, in logits; 0 as published")
    images: int = Field(100, ge=2, description="test images that are attacked: the first that the network gets right")
    examples: PositiveInt = Field(4, description="images whose attacked versions are kept as pictures")
    optimisation: Optimisation = Field(Optimisation(), description="the attack image by image")
    generation: Generation = Field(Generation(), description="the generator")

    @model_validator(mode="after")
    def _some_are_fitted_to(self) -> Description:
        if "feature_space_generator" in self.methods and self.generation.held_out > self.images - 2:
            raise ValueError(
                f"generation.held_out = {self.generation.held_out}: of {self.images} images two or more must be fitted to; hold out fewer"
            )
        return self


class Spec(Description):
    chunk: PositiveInt = Field(1024, description="most images that go through a network at once")
    seed: int = Field(0, ge=0, description="seed of the starts and of the generator's first weights")


def run(images: InputPath, network: InputPath, table: OutputPath, examples: OutputPath, *, spec: Spec, device: str = "auto") -> None:
    """Write one row an attack and image, and a few of the pictures."""
    import pandas as pd
    import torch

    from yuragi.attacks.feature_space import FeatureSpace
    from yuragi.attacks.feature_space_generator import FeatureSpaceGenerator
    from yuragi.datasets.splits import split
    from yuragi.files import read_netcdf, write_netcdf, write_table
    from yuragi.robustness.feature_space import example_pictures, feature_space_table, recognised_images
    from yuragi.training.checkpoint import load_network
    from yuragi.training.devices import deterministic, resolve_device, seeded_generator

    where = resolve_device(device)
    attacked_network = load_network(network).to(where).noise_free()
    hidden = attacked_network.layer_names[:-1]
    layers = hidden if spec.layers is None else spec.layers
    attacks: list[FeatureSpace | FeatureSpaceGenerator] = []
    if "feature_space" in spec.methods:
        given = spec.optimisation.model_dump()
        attacks += [
            FeatureSpace(layer=layer, start=start, kappa=kappa, **given) for layer in layers for start in spec.starts for kappa in spec.kappas
        ]
    if "feature_space_generator" in spec.methods:
        given = spec.generation.model_dump(exclude={"layers", "kappas"})
        chosen = hidden[-1:] if spec.generation.layers is None else spec.generation.layers
        margins = spec.kappas if spec.generation.kappas is None else spec.generation.kappas
        attacks += [FeatureSpaceGenerator(layer=layer, kappa=kappa, **given) for layer in chosen for kappa in margins]
    test = (torch.from_numpy(array).to(where) for array in split(read_netcdf(images, "images"), "test"))
    pixels, labels, places = recognised_images(attacked_network, *test, spec.images, chunk=spec.chunk)
    tables, kept = [], []
    with deterministic():
        for attack, attacked, rows in feature_space_table(
            attacked_network, pixels, labels, attacks, seeded_generator(spec.seed, where), chunk=spec.chunk
        ):
            kept.append((attack, attacked[: spec.examples], rows.iloc[: spec.examples]))
            tables.append(rows.assign(image=places.cpu().numpy()[rows["image"]]))
    write_table(pd.concat(tables, ignore_index=True), table)
    write_netcdf(example_pictures(pixels[: spec.examples], labels[: spec.examples], kept), examples)
