"""Learn to draw pictures from labels and to recall stored ones, and ask a network that learned labels how sure it is."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.sampling.memory_settings import Cue, GenerativeSettings, StorageSettings
from yuragi.sampling.settings import BinaryImagesSettings, Rule
from yuragi.settings import EachOnce, Settings


class Description(Settings):
    """What networks draw, recall and know that they do not know."""

    generative: GenerativeSettings = Field(GenerativeSettings(), description="the network that draws pictures of labels")
    storage: StorageSettings = Field(StorageSettings(), description="the network that stores a few pictures")
    pictures: PositiveInt = Field(50, description="pictures drawn of every class")
    cues: EachOnce[Cue] = Field((0.1, 0.25, 0.5, 0.75), min_length=1, description="shares of pixels that are known in recall")
    recall_sweeps: int = Field(60, ge=3, description="sweeps over the units for every sample of the synapses in recall")
    draws: PositiveInt = Field(4, description="hidden states drawn for each sample and image where uncertainty is asked for")


class Spec(Description):
    data: BinaryImagesSettings = Field(description="which images, and when a pixel is a 1")
    rule: Rule = Field("one_hot", description="how the outputs of the network that learned labels say a class")
    resamples: int = Field(1000, ge=200, description="bootstrap resamples of the images behind intervals")
    seed: int = Field(0, ge=0, description="seed of both networks, of all draws and of the resamples")


def run(images: InputPath, table: OutputPath, examples: OutputPath, *, spec: Spec, posterior: InputPath | None = None) -> None:
    """Write a row a number, and pictures to look at; ``posterior`` is of a network that learned labels: without it, nothing of uncertainty."""
    import numpy as np
    import pandas as pd

    from yuragi.errors import InputError
    from yuragi.files import read_netcdf, write_netcdf, write_table
    from yuragi.randomness import derive_seed
    from yuragi.sampling.images import binary_images
    from yuragi.sampling.memory import example_pictures, generation_table, recall_table
    from yuragi.sampling.store import read_posterior
    from yuragi.sampling.uncertainty import uncertainty_table

    def generator(name: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(spec.seed, "memory", name))

    parts = binary_images(read_netcdf(images, "images"), **spec.data.model_dump())
    # Before the networks learn, which takes the most of the time.
    for cue in spec.cues:
        if not 0 < round(cue * parts.pixels) < parts.pixels:
            raise InputError(f"--cues: {cue:g} is {round(cue * parts.pixels)} of {parts.pixels} pixels; a cue leaves out some pixels and has some")
    if spec.storage.stored > len(parts.train.bits):
        raise InputError(f"--storage: stored = {spec.storage.stored}: there are data.train_images = {len(parts.train.bits)}; lower it")
    told = None if posterior is None else read_posterior(posterior, pixels=parts.pixels, classes=parts.classes)
    drawing = spec.generative.learn(parts.train, parts.classes, generator("generative"))
    storing, stored = spec.storage.learn(parts.train, generator("storage"))
    common = {"resamples": spec.resamples}
    tables = [
        generation_table(drawing, parts.train, parts.test, generator("drawn"), pictures=spec.pictures, **common),
        recall_table(storing, stored, parts.test, generator("recalled"), cues=spec.cues, sweeps=spec.recall_sweeps, **common),
    ]
    if told is not None:
        tables.append(uncertainty_table(told, parts.test, parts.train, generator("uncertainty"), draws=spec.draws, rule=spec.rule, **common))
    pictures = example_pictures(drawing, storing, stored, parts, generator("examples"), cues=spec.cues, sweeps=spec.recall_sweeps)
    write_table(pd.concat(tables, ignore_index=True), table)
    write_netcdf(pictures, examples)
