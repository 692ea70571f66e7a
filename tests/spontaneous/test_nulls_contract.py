"""What every null model promises: discovered, so that a new one is tested by being there."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from yuragi.errors import InputError
from yuragi.spontaneous.nulls.autoregressive import Autoregressive
from yuragi.spontaneous.nulls.base import null_models
from yuragi.spontaneous.nulls.phase import Phase

MODELS = [model() for model in null_models().values()] + [Autoregressive(order="bic", components=4, innovations="permuted"), Phase(shared=False)]


def named(model):
    return ",".join([model.kind, *(f"{key}={value}" for key, value in model.model_dump(exclude_defaults=True).items())])


@pytest.fixture
def recording(plant) -> xr.DataArray:
    recording = plant(units=6, frames=600, radius=0.7)[0]
    return recording.assign_coords(area=("unit", list("aabbcc")), x=("unit", np.arange(6.0)), frame=("time", np.arange(600.0)))


@pytest.fixture(params=MODELS, ids=named)
def model(request):
    return request.param


def test_all_that_the_design_names_are_there():
    assert set(null_models()) >= {"phase", "autoregressive", "spectral_covariance", "static"}


def test_a_surrogate_is_labelled_like_the_recording_and_shares_no_memory_with_it(model, recording):
    before = recording.copy(deep=True)
    prepared = model.prepare(recording)
    surrogate = prepared.draw(np.random.default_rng(0))
    assert surrogate.dims == ("time", "unit")
    assert surrogate.copy(data=recording.values).identical(recording), "name, dimensions, coordinates and attributes are kept"
    assert np.isfinite(surrogate.values).all()
    kept = surrogate.copy(deep=True)
    surrogate.values[:] = np.nan
    surrogate["x"].values[:] = -1
    surrogate.attrs["source"] = "changed"
    assert recording.identical(before)
    assert prepared.draw(np.random.default_rng(0)).identical(kept), "the caller's changes reach no other surrogate"


def test_draws_differ_and_follow_their_generator(model, recording):
    prepared, generator = model.prepare(recording), np.random.default_rng(3)
    first, second = prepared.draw(generator), prepared.draw(generator)
    assert not np.allclose(first.values, second.values)
    assert model.prepare(recording).draw(np.random.default_rng(3)).identical(first)
    correlation = np.corrcoef(first.values.ravel() - 3, second.values.ravel() - 3)[0, 1]
    assert abs(correlation) < 0.15, "draws are independent"


def test_the_mean_and_the_covariance_are_kept_in_expectation(model, recording):
    """The mean within 5 of its standard errors, the covariance within 10 % of its size, over 100 draws."""
    prepared, generator = model.prepare(recording), np.random.default_rng(1)
    draws = [prepared.draw(generator).values for _ in range(100)]
    means = np.array([draw.mean(axis=0) for draw in draws])
    error = means.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(means.mean(axis=0) - recording.values.mean(axis=0)) <= 5 * error + 1e-9).all()
    expected = np.cov(recording.values.T)
    if model == Phase(shared=False):
        expected = np.diag(np.diag(expected))
    covariance = np.mean([np.cov(draw.T) for draw in draws], axis=0)
    assert np.linalg.norm(covariance - expected) < 0.1 * np.linalg.norm(expected)


def test_order_of_dimensions_type_and_missing_coordinates_do_not_matter(model, recording):
    bare = xr.DataArray(recording.values, dims=("time", "unit"))
    surrogate = model.prepare(bare.T).draw(np.random.default_rng(0))
    np.testing.assert_allclose(surrogate.values, model.prepare(recording).draw(np.random.default_rng(0)).values, atol=1e-9)
    single = model.prepare(bare.astype(np.float32)).draw(np.random.default_rng(0))
    assert single.dtype == np.float64


def test_a_recording_with_a_gap_is_refused(model, recording):
    broken = recording.copy()
    broken[5, 2] = np.nan
    with pytest.raises(InputError, match=r"recording: 1 values are not finite, in 1 of 6 units \(u2\)"):
        model.prepare(broken)


def test_a_model_survives_its_serialisation(model):
    assert type(model).model_validate_json(model.model_dump_json()) == model
    assert model.title().endswith(".")
