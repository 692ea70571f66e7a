"""Let a network that has learned by sampling go on fluctuating, and measure its function and the turnover of its synapses."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.sampling.settings import BinaryImagesSettings, Rule
from yuragi.settings import EachOnce, Name, Settings


class Continuation(Settings):
    """For how long a network goes on, and what is measured of it."""

    periods: PositiveFloat = Field(10.0, description="for how long, in lengths of learning; so many times what learning takes is the cost")
    samples: int | None = Field(None, ge=2, description="samples of the synapses in every window; null: as many as learning kept")
    draws: PositiveInt = Field(1, description="hidden states drawn for each sample and image")
    singles: PositiveInt = Field(5, description="samples of a window whose accuracy by themselves is averaged")


class Description(Continuation):
    """Does the function of networks last while their synapses turn over?"""

    arms: EachOnce[Name] = Field(("sampled",), min_length=1, description="ways of learning whose networks go on, by name")
    tolerance: PositiveFloat = Field(0.02, description="deviation of the accuracy that counts as none")


class Spec(Continuation):
    data: BinaryImagesSettings = Field(description="which images, and when a pixel is a 1")
    unit_sweeps: PositiveInt = Field(1, description="sweeps over the units for every sweep over the synapses")
    rule: Rule = Field("one_hot", description="how the outputs say a class")
    resamples: int = Field(2000, ge=200, description="bootstrap resamples of the images behind intervals")
    seed: int = Field(0, ge=0, description="seed of the fluctuation, of the controls and of the resamples")


def run(images: InputPath, posterior: InputPath, table: OutputPath, lags: OutputPath, results: OutputPath, *, spec: Spec) -> None:
    """Write a row a window, a row a lag, and what each window did to each test image."""
    import json

    import numpy as np

    from yuragi.files import read_netcdf, write_netcdf, write_table
    from yuragi.randomness import derive_seed
    from yuragi.sampling.fluctuation import continued
    from yuragi.sampling.fluctuation_tables import fluctuation_table, lag_table
    from yuragi.sampling.images import binary_images
    from yuragi.sampling.store import read_posterior

    parts = binary_images(read_netcdf(images, "images"), **spec.data.model_dump())
    wanted_by = f"samples = {json.dumps(spec.samples)}"
    found = continued(
        read_posterior(posterior, pixels=parts.pixels, classes=parts.classes, fewest=spec.samples or 2, wanted_by=wanted_by),
        parts.train.bits,
        parts.train.labels,
        parts.test.bits,
        parts.test.labels,
        np.random.default_rng(derive_seed(spec.seed, "fluctuation", posterior.stem)),
        periods=spec.periods,
        samples=spec.samples,
        draws=spec.draws,
        singles=spec.singles,
        unit_sweeps=spec.unit_sweeps,
        rule=spec.rule,
    )
    windows = fluctuation_table(found, np.random.default_rng(derive_seed(spec.seed, "resamples")), resamples=spec.resamples)
    by_lag = lag_table(found)
    write_table(windows, table)
    write_table(by_lag, lags)
    write_netcdf(found, results)
