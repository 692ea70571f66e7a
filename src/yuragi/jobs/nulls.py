"""Compare the statistics and the co-activation patterns of one spontaneous recording with those of surrogates of null models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.plugins import any_of
from yuragi.settings import Name, Settings
from yuragi.spontaneous.nulls.base import NullModel

if TYPE_CHECKING:
    from yuragi.spontaneous.descriptors import Descriptors


class Description(Settings):
    """Which numbers describe a recording; they are compared with those of surrogates."""

    window: int = Field(83, ge=3, description="frames of a window in which connectivity is measured; 83 of HCP's volumes are a minute")
    step: PositiveInt = Field(10, description="frames from one window to the next")
    patterns: int = Field(8, ge=2, description="co-activation patterns: clusters of frames")

    def descriptors(self) -> Descriptors:
        """The function that describes a recording."""
        from yuragi.spontaneous.descriptors import Descriptors

        return Descriptors(window=self.window, step=self.step, patterns=self.patterns)


class Comparison(Description):
    """Null models, and what a recording is compared with them in."""

    nulls: dict[Name, any_of("yuragi.spontaneous.nulls", NullModel)] = Field(description="the null models, under names of your own", min_length=1)
    surrogates: int = Field(199, ge=19, description="surrogates of each null model, and one more of each of these, which shows the bias of fitting")


class Spec(Comparison):
    seed: int = Field(0, ge=0, description="seed of the surrogates")


def run(recording: InputPath, comparison: OutputPath, similarity: OutputPath, *, spec: Spec) -> None:
    """Write a row a null model and statistic; beside it a row a null model: how well its surrogates show the recording's patterns."""
    import numpy as np

    from yuragi.files import read_netcdf, write_table
    from yuragi.randomness import derive_seed
    from yuragi.spontaneous.null_comparison import compare_with_nulls
    from yuragi.spontaneous.similarity import pattern_similarity

    data = read_netcdf(recording, "recording")["recording"]
    generator = np.random.default_rng(derive_seed(spec.seed, "surrogates"))
    compared = compare_with_nulls(data, spec.nulls, spec.descriptors(), surrogates=spec.surrogates, generator=generator)
    generator = np.random.default_rng(derive_seed(spec.seed, "patterns"))
    matched = pattern_similarity(data, spec.nulls, patterns=spec.patterns, generator=generator)
    write_table(compared, comparison)
    write_table(matched, similarity)
