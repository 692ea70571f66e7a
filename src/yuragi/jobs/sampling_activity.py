"""Measure in sampled networks what brains do: variability and its quenching, spectra, and spontaneous activity that resembles evoked activity."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.sampling.activity_settings import ResemblanceSettings, SpectrumSettings, VariabilitySettings
from yuragi.sampling.settings import BinaryImagesSettings
from yuragi.settings import Settings


class Description(Settings):
    """The networks' own activity, before and after learning."""

    variability: VariabilitySettings = Field(VariabilitySettings(), description="trial-to-trial variability, correlations and tuning")
    spectrum: SpectrumSettings = Field(SpectrumSettings(), description="spectrum of hidden activity that images drive")
    spontaneous: ResemblanceSettings = Field(ResemblanceSettings(), description="spontaneous beside evoked activity")


class Spec(Description):
    data: BinaryImagesSettings = Field(BinaryImagesSettings(), description="images and how they become bits")
    seed: int = Field(0, ge=0, description="seed of all draws")

    @model_validator(mode="after")
    def _has_the_images(self) -> Self:
        for name in Description.model_fields:
            shown, there = getattr(self, name).stimuli, self.data.test_images
            if shown > there:
                raise ValueError(f"{name}.stimuli = {shown}: there are {there} test images; give at most that, or raise data.test_images")
        return self


def run(
    images: InputPath,
    variability: OutputPath,
    spectrum: OutputPath,
    spontaneous: OutputPath,
    posteriors: list[InputPath],
    *,
    twins: list[InputPath] | None = None,
    spec: Spec,
) -> None:
    """Write the three tables; posteriors and gradient-trained twins are files named ``<arm>-seed<seed>``."""
    import numpy as np

    from yuragi.datasets.splits import split
    from yuragi.files import read_netcdf, write_table
    from yuragi.jobs.results import arm_and_seed
    from yuragi.randomness import derive_seed
    from yuragi.sampling.images import binary_images
    from yuragi.sampling.resemblance_table import learn_images, resemblance_table
    from yuragi.sampling.spectrum_table import spectrum_table
    from yuragi.sampling.store import read_posterior
    from yuragi.sampling.variability_table import variability_table

    dataset = read_netcdf(images, "images")
    data = binary_images(dataset, **spec.data.model_dump())
    # Each trial has a sample of the synapses of its own.
    trials, wanted_by = max((getattr(spec, name).trials, f"{name}.trials") for name in Description.model_fields)
    fits = {"pixels": data.pixels, "classes": data.classes, "fewest": trials, "wanted_by": wanted_by}
    networks = {arm_and_seed(path)[1]: read_posterior(path, **fits) for path in posteriors}
    activations = {}
    if twins:
        from yuragi.sampling.hidden_spectrum import hidden_activations
        from yuragi.sampling.twin import read_twin

        pixels = split(dataset, "test", spec.spectrum.stimuli)[0]
        for path in twins:
            twin = read_twin(path, data.image_shape, spec.data.threshold, data.classes)
            activations[arm_and_seed(path)[1]] = hidden_activations(twin, pixels)
    # All before the first is written: an error leaves nothing behind.
    tables = [
        variability_table(networks, data.test, spec.variability, spec.seed),
        spectrum_table(networks, activations, data.test, spec.spectrum, spec.seed),
    ]
    latent = spec.spontaneous.latent
    learned = {}
    if latent is not None:
        streams = {seed: np.random.default_rng(derive_seed(spec.seed, "latent", seed)) for seed in networks}
        learned = {seed: learn_images(data.train, latent, stream) for seed, stream in streams.items()}
    tables.append(resemblance_table(networks, learned, data.test, spec.spontaneous, spec.seed))
    for table, path in zip(tables, (variability, spectrum, spontaneous), strict=True):
        write_table(table, path)
