"""Which model predicts held-out frames best."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import scipy.stats
import xarray as xr

from yuragi.errors import InputError, unknown
from yuragi.progress import track
from yuragi.spontaneous.blocks import Fold, blocked_folds
from yuragi.spontaneous.predictive import AutoregressiveModel, MeanModel, PredictiveModel, SwitchingModel
from yuragi.spontaneous.recordings import checked_recording, sampling_interval_of
from yuragi.spontaneous.reduction import leading_components

MEASURES = ("r_squared_mean", "r_squared_median", "log_density")
# Components that "auto" keeps carry an autoregression of this order.
CARRIED_ORDER = 5


def usual_models(max_order: int = 5, max_states: int = 6) -> dict[str, PredictiveModel]:
    """The models that are compared where nothing else is said, by name.

    max_order
        largest order of the autoregressions, which BIC chooses
    max_states
        most states of the hidden Markov model, which BIC chooses
    """
    return {
        "mean": MeanModel(),
        "own_past": AutoregressiveModel(max_order=max_order, structure="diagonal"),
        "autoregression": AutoregressiveModel(max_order=max_order),
        "sparse_autoregression": AutoregressiveModel(max_order=max_order, structure="sparse"),
        "hidden_states": SwitchingModel(max_states=max_states),
    }


def predict_held_out(
    recording: xr.DataArray,
    models: Mapping[str, PredictiveModel] | None = None,
    *,
    generator: np.random.Generator,
    folds: int = 5,
    gap_frames: int = 10,
    gap_seconds: float | None = None,
    context_frames: int = 10,
    components: str | int | None = "auto",
) -> pd.DataFrame:
    """Fit each model to a recording without one block of consecutive frames, and predict each frame of the block from those before it.

    The recording is cut into ``folds`` blocks of consecutive frames. Each is held out once; the rest, less the gap on either side, is fitted. The
    first ``context_frames`` of a held-out block serve as past alone, for all models, so that all are judged on the same frames:

    - R²_i = 1 - Σ_t (y_ti - ŷ_ti)² / Σ_t (y_ti - ȳ_i)², ȳ the mean of the fitted frames, of every unit; `r_squared_mean` and `r_squared_median` are
      over units. Where components are fitted, ŷ_t = ȳ + W' (their prediction), so what they leave out counts as not predicted
    - `log_density`, nats per frame: the mean of ln p(y_t | past) in the fitted space, which is the same for all models of a fold

    recording
        y (time, unit), equally spaced in time, without missing values
    models
        name → model with ``fit``: `MeanModel`, `AutoregressiveModel`, `SwitchingModel` of `yuragi.spontaneous.predictive`, or one of your own. None:
        the mean, each unit's own past, full and sparse autoregressions, and hidden states, their orders and numbers by BIC on the fitted frames
    generator
        of random starts
    folds
        blocks, 2 or more
    gap_frames
        frames on both sides of a held-out block that are not fitted, so that the memory of the process tells nothing
    gap_seconds
        the same in seconds, which then counts; needs a sampling interval
    context_frames
        as many as the longest memory of a model, or more
    components
        None: units; a number: leading principal components of the fitted frames; "auto": units where T ≥ 50 N, otherwise the leading T // 50
        components or fewer if fewer explain 95 % of the variance (T frames fitted)

    Returns a row for each model and fold: model, fold, r_squared_mean, r_squared_median, log_density, n_parameters, order, frames (judged),
    variables, space ("unit" or "component").

    >>> generator = np.random.default_rng(0)
    >>> slow = np.zeros((600, 2))
    >>> for t in range(1, 600):
    ...     slow[t] = 0.9 * slow[t - 1] + generator.standard_normal(2)
    >>> models = {"mean": MeanModel(), "own_past": AutoregressiveModel(order=1, structure="diagonal")}
    >>> table = predict_held_out(xr.DataArray(slow, dims=("time", "unit")), models, generator=generator)
    >>> table.groupby("model")["r_squared_mean"].mean().round(1).to_dict()
    {'mean': 0.0, 'own_past': 0.8}
    """
    models = usual_models() if models is None else models
    if not models:
        raise InputError("models is empty; name at least one, or leave it out for the usual ones")
    recording = checked_recording(recording)
    if context_frames < 1:
        raise InputError(f"context_frames={context_frames}: give at least 1")
    gap = _gap(gap_frames, gap_seconds, sampling_interval_of(recording))
    rows = []
    parts = blocked_folds([recording.values], folds, gap, shortest=context_frames)
    for (number, fold), (name, model) in track(list(itertools.product(enumerate(parts), models.items())), "held-out predictions"):
        rows.append({"model": name, "fold": number} | _judged(fold, model, name, recording["unit"].values, components, context_frames, generator))
    return pd.DataFrame(rows)


def paired_differences(table: pd.DataFrame, measure: str = "log_density") -> pd.DataFrame:
    """What `predict_held_out` found, for every pair of models: the difference over the same folds.

    table
        rows of model, fold and the measure; further columns are ignored
    measure
        "log_density", "r_squared_mean" or "r_squared_median"

    Returns a row for each pair: model, other, measure, folds, difference (mean of model - other over folds), standard_error, low and high (its 95 %
    interval, Student's t over folds), folds_won. Folds share frames to fit, so that intervals are rough for one recording; over subjects, take
    the mean of each subject's folds first.

    >>> table = pd.DataFrame({"model": ["a", "a", "b", "b"], "fold": [0, 1, 0, 1], "log_density": [1.0, 2.0, 0.0, 1.5]})
    >>> paired_differences(table)[["model", "other", "difference", "folds_won"]].values.tolist()
    [['a', 'b', 0.75, 2]]
    """
    if measure not in MEASURES:
        raise unknown("measure", measure, MEASURES)
    wide = table.pivot(index="fold", columns="model", values=measure)[list(dict.fromkeys(table["model"]))]
    if len(wide) < 2 or wide.isna().any(axis=None):
        raise InputError(f"table: {len(wide)} folds, some without a value of every model; give 2 folds or more, the same for all models")
    rows = []
    for first, second in itertools.combinations(wide.columns, 2):
        difference = (wide[first] - wide[second]).to_numpy()
        error = difference.std(ddof=1) / math.sqrt(len(difference))
        reach = float(scipy.stats.t.ppf(0.975, len(difference) - 1)) * error
        mean = difference.mean()
        pair = {"model": first, "other": second, "measure": measure, "folds": len(difference), "difference": mean, "standard_error": error}
        rows.append(pair | {"low": mean - reach, "high": mean + reach, "folds_won": int((difference > 0).sum())})
    return pd.DataFrame(rows)


def _judged(
    fold: Fold, model: PredictiveModel, name: str, units: np.ndarray, components: str | int | None, context: int, generator: np.random.Generator
) -> dict[str, object]:
    training, held_out = fold.training, fold.held_out
    whole = np.concatenate(training)
    mean = whole.mean(axis=0)
    kept = leading_components(xr.DataArray(whole, dims=("time", "unit"), coords={"unit": units}), components, CARRIED_ORDER)
    if kept is None:
        space, labels = "unit", units
    else:
        space, labels = "component", kept.loadings["component"].values
        training = [(values - mean) @ kept.loadings.values.T for values in training]
        held_out = (held_out - mean) @ kept.loadings.values.T
    fitted = model.fit(training, [f"{space} {label}" for label in labels], generator)
    if fitted.order > context:
        raise InputError(f"context_frames={context}: model '{name}' looks {fitted.order} frames back; give at least {fitted.order}")
    expected, log_density = fitted.predict(held_out, context)
    expected = expected if kept is None else expected @ kept.loadings.values + mean
    truth = fold.held_out[context:]
    r_squared = 1 - np.square(truth - expected).sum(axis=0) / np.square(truth - mean).sum(axis=0)
    return {
        "r_squared_mean": float(r_squared.mean()),
        "r_squared_median": float(np.median(r_squared)),
        "log_density": float(log_density.mean()),
        "n_parameters": fitted.n_parameters,
        "order": fitted.order,
        "frames": len(truth),
        "variables": len(labels),
        "space": space,
    }


def _gap(frames: int, seconds: float | None, interval: float) -> int:
    if seconds is None:
        return frames
    if math.isnan(interval):
        raise InputError(f"gap_seconds={seconds:g}: the recording has no sampling interval; give gap_frames")
    if not seconds >= 0:
        raise InputError(f"gap_seconds={seconds:g}: give 0 or more")
    return math.ceil(seconds / interval)
