"""Compare models of spontaneous activity by how well they predict frames of one recording that were held out."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.settings import Settings


class Prediction(Settings):
    """Which frames are held out, and how large the models may be."""

    folds: int = Field(5, ge=2, description="contiguous parts of the recording that are held out in turn")
    gap: int = Field(20, ge=0, description="frames on both sides of a held-out part that are not fitted, so that their memory tells nothing")
    max_order: PositiveInt = Field(3, description="largest order of the autoregressions, chosen on the frames that are not held out")
    max_states: PositiveInt = Field(8, description="most states of the switching model, chosen on the frames that are not held out")


class Spec(Prediction):
    seed: int = Field(0, ge=0, description="seed of the models' starts")


def run(recording: InputPath, prediction: OutputPath, *, spec: Spec) -> None:
    """Write a row a model and held-out part."""
    import numpy as np

    from yuragi.files import read_netcdf, write_table
    from yuragi.randomness import derive_seed
    from yuragi.spontaneous.prediction import predict_held_out, usual_models

    data = read_netcdf(recording, "recording")["recording"]
    models = usual_models(spec.max_order, spec.max_states)
    generator = np.random.default_rng(derive_seed(spec.seed, "prediction"))
    # As many frames as the longest memory serve as past alone.
    context = max(10, spec.max_order)
    table = predict_held_out(data, models, folds=spec.folds, gap_frames=spec.gap, context_frames=context, generator=generator)
    write_table(table, prediction)
