"""Held-out prediction: the model that made a recording predicts it best, and what is reported is what prediction is."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from tests.spontaneous.conftest import labelled, planted_coefficients, run_process
from tests.spontaneous.test_hidden_states import switching_recording

from yuragi.errors import InputError
from yuragi.spontaneous.prediction import paired_differences, predict_held_out
from yuragi.spontaneous.predictive import AutoregressiveModel, MeanModel, SwitchingModel

MODELS = {
    "mean": MeanModel(),
    "own_past": AutoregressiveModel(structure="diagonal", max_order=2),
    "autoregression": AutoregressiveModel(max_order=2),
    "sparse": AutoregressiveModel(structure="sparse", max_order=2),
    "hidden_states": SwitchingModel(states=3, restarts=1),
}


def coupled(frames=1200, seed=0):
    generator = np.random.default_rng(seed)
    return labelled(run_process(planted_coefficients(5, 0.9, generator), frames, generator))


def test_the_autoregression_wins_where_it_is_true():
    table = predict_held_out(coupled(900), MODELS, generator=np.random.default_rng(0), folds=3)
    assert len(table) == 3 * len(MODELS)
    scores = table.groupby("model")[["log_density", "r_squared_mean"]].mean()
    for measure in scores:
        assert scores[measure].drop("sparse").idxmax() == "autoregression"
    pairs = paired_differences(table).set_index(["model", "other"])
    assert pairs.loc[("autoregression", "hidden_states"), "low"] > 0
    assert pairs.loc[("autoregression", "hidden_states"), "folds_won"] == 3
    assert scores.loc["mean", "r_squared_mean"] == pytest.approx(0, abs=0.05)


def test_the_states_win_where_they_are_true():
    recording, _ = switching_recording(frames=900, stay=0.95)
    table = predict_held_out(recording, MODELS, generator=np.random.default_rng(0), folds=5)
    scores = table.groupby("model")[["log_density", "r_squared_mean"]].mean()
    assert scores["log_density"].idxmax() == "hidden_states"
    assert scores["r_squared_mean"].idxmax() == "hidden_states"
    pairs = paired_differences(table).set_index(["model", "other"])
    assert pairs.loc[("autoregression", "hidden_states"), "high"] < 0


def test_r_squared_and_density_are_those_of_their_definition():
    recording = coupled(frames=500)
    table = predict_held_out(
        recording, {"one": AutoregressiveModel(order=1)}, generator=np.random.default_rng(0), folds=2, gap_frames=7, components=None
    )
    values = recording.values
    training, held_out = values[257:], values[:250]
    past = np.column_stack([np.ones(len(training) - 1), training[:-1]])
    weights = np.linalg.lstsq(past, training[1:], rcond=None)[0]
    residuals = training[1:] - past @ weights
    noise = residuals.T @ residuals / (len(residuals) - 6)
    errors = held_out[10:] - np.column_stack([np.ones(240), held_out[9:-1]]) @ weights
    r_squared = 1 - (errors**2).sum(axis=0) / ((held_out[10:] - training.mean(axis=0)) ** 2).sum(axis=0)
    density = -0.5 * (np.einsum("ti,ij,tj->t", errors, np.linalg.inv(noise), errors) + np.linalg.slogdet(2 * np.pi * noise).logabsdet)
    row = table.iloc[0]
    assert row["r_squared_mean"] == pytest.approx(r_squared.mean(), abs=1e-9)
    assert row["r_squared_median"] == pytest.approx(np.median(r_squared), abs=1e-9)
    assert row["log_density"] == pytest.approx(density.mean(), abs=1e-9)
    assert (row["n_parameters"], row["order"], row["frames"], row["variables"], row["space"]) == (25 + 5 + 15, 1, 240, 5, "unit")


def test_gaps_in_seconds_are_gaps_in_frames():
    recording = coupled(frames=400)  # half a second between frames
    models = {"own": AutoregressiveModel(order=1, structure="diagonal")}
    in_frames = predict_held_out(recording, models, generator=np.random.default_rng(0), gap_frames=20)
    in_seconds = predict_held_out(recording, models, generator=np.random.default_rng(0), gap_seconds=10.0)
    other = predict_held_out(recording, models, generator=np.random.default_rng(0), gap_frames=0)
    assert in_frames.equals(in_seconds)
    assert not in_frames.equals(other)


def test_components_are_judged_in_units_with_what_they_leave_out():
    few = coupled(frames=900)
    generator = np.random.default_rng(0)
    values = few.values @ generator.standard_normal((5, 80))
    noisy = labelled(values + values.std() * generator.standard_normal(values.shape))
    models = {"autoregression": AutoregressiveModel(order=1)}
    clean = predict_held_out(labelled(values + 1e-3 * generator.standard_normal(values.shape)), models, generator=generator, components=5)
    half = predict_held_out(noisy, models, generator=generator, components=5)
    assert (clean["space"] == "component").all()
    assert (clean["variables"] == 5).all()
    assert half["r_squared_mean"].mean() == pytest.approx(clean["r_squared_mean"].mean() / 2, abs=0.08)


def test_bad_options_are_told():
    recording, generator = coupled(frames=300), np.random.default_rng(0)
    one = {"one": AutoregressiveModel(order=3)}
    for options, message in (
        ({"folds": 1}, "folds=1: give 2 or more"),
        ({"gap_frames": -1}, "gap=-1: give 0 frames or more"),
        ({"gap_frames": 290}, "leave nothing to fit"),
        ({"context_frames": 2}, "context_frames=2: model 'one' looks 3 frames back; give at least 3"),
        ({"context_frames": 0}, "context_frames=0"),
        ({"gap_seconds": -1.0}, "gap_seconds=-1"),
    ):
        with pytest.raises(InputError, match=message):
            predict_held_out(recording, one, generator=generator, **options)
    with pytest.raises(InputError, match="models is empty"):
        predict_held_out(recording, {}, generator=generator)
    twice = xr.concat([recording, recording.isel(unit=[0])], "unit").drop_vars("unit")
    with pytest.raises(InputError, match=f"singular covariance: unit {recording.sizes['unit']} at lag 0"):
        predict_held_out(twice, {"mean": MeanModel()}, generator=generator, components=None)
    unknown_rate = recording.drop_attrs()
    with pytest.raises(InputError, match="has no sampling interval; give gap_frames"):
        predict_held_out(unknown_rate, one, generator=generator, gap_seconds=2.0)
    table = predict_held_out(recording, one, generator=generator)
    with pytest.raises(InputError, match="measure 'r' does not exist"):
        paired_differences(table, "r")
    with pytest.raises(InputError, match="1 folds"):
        paired_differences(table[table["fold"] == 0])
