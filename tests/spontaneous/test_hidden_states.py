"""The hidden Markov model against brute force over all paths, planted states, and hmmlearn's own counts."""

from __future__ import annotations

import itertools
import logging

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from tests.spontaneous.conftest import labelled, run_process

from yuragi.errors import InputError
from yuragi.spontaneous.hidden_states import fit_hidden_markov
from yuragi.spontaneous.markov import GaussianStates, count_parameters, gaussian_log_density
from yuragi.spontaneous.nulls.switching import Switching

MODEL = GaussianStates(
    start=np.array([0.3, 0.7]),
    transition=np.array([[0.9, 0.1], [0.3, 0.7]]),
    means=np.array([[0.0, 0.5], [1.0, -1.0]]),
    covariances=np.array([[[1.0, 0.2], [0.2, 0.5]], [[0.4, 0.0], [0.0, 2.0]]]),
)


def switching_recording(frames=1500, states=3, units=4, stay=0.95, seed=0, distance=2.0):
    """A recording whose states differ in mean and covariance, and their path."""
    generator = np.random.default_rng(seed)
    means = distance * generator.standard_normal((states, units))
    mixing = generator.standard_normal((states, units, units)) / np.sqrt(units) + np.eye(units)
    path = np.zeros(frames, dtype=int)
    for t in range(1, frames):
        path[t] = path[t - 1] if generator.random() < stay else (path[t - 1] + generator.integers(1, states)) % states
    values = means[path] + np.einsum("tij,tj->ti", mixing[path], generator.standard_normal((frames, units)))
    return labelled(values), path


def test_filtering_equals_the_sum_over_all_paths():
    values = np.random.default_rng(0).standard_normal((7, 2))
    densities = np.exp(MODEL.log_likelihoods(values))
    for state in range(2):
        reference = scipy.stats.multivariate_normal(MODEL.means[state], MODEL.covariances[state])
        np.testing.assert_allclose(densities[:, state], reference.pdf(values))

    def joint(length, last=None):
        total = 0.0
        for path in itertools.product(range(2), repeat=length):
            if last is not None and path[-1] != last:
                continue
            weight = MODEL.start[path[0]]
            for before, after in itertools.pairwise(path):
                weight *= MODEL.transition[before, after]
            # The last frame's own density is left out where the state is predicted.
            seen = length if last is None else length - 1
            total += weight * np.prod([densities[t, path[t]] for t in range(seen)])
        return total

    expected, log_density = MODEL.filtered(values, MODEL.start)
    for t in range(7):
        past = joint(t) if t else 1.0
        np.testing.assert_allclose(log_density[t], np.log(joint(t + 1) / past), atol=1e-12)
        np.testing.assert_allclose(expected[t], [joint(t + 1, last) / past for last in range(2)], atol=1e-12)


def test_frames_out_of_reach_of_float64_are_filtered():
    values = np.array([[0.0, 0.5], [900.0, -900.0], [0.0, 0.5]])
    certain = MODEL._replace(transition=np.eye(2), start=np.array([1.0, 0.0]))
    expected, log_density = certain.filtered(values, certain.start)
    assert np.isfinite(log_density).all()
    np.testing.assert_allclose(expected.sum(axis=1), 1)
    assert log_density[1] == pytest.approx(certain.log_likelihoods(values)[1, 0])


@pytest.mark.parametrize("covariance", ["full", "diag", "tied", "spherical"])
def test_parameters_bic_and_likelihood_are_those_of_hmmlearn(covariance):
    from hmmlearn.hmm import GaussianHMM

    recording, _ = switching_recording(frames=400, states=2)
    fit = fit_hidden_markov(recording, states=2, covariance=covariance, restarts=2, generator=np.random.default_rng(0))
    reference = GaussianHMM(2, covariance_type=covariance)
    reference.startprob_, reference.transmat_ = fit.start.values, fit.transition.values
    reference.n_features = 4
    reference.means_ = fit.means.values
    full = fit.covariances.values
    diagonal = np.diagonal(full, axis1=1, axis2=2)
    reference.covars_ = {"full": full, "diag": diagonal, "tied": full[0], "spherical": diagonal[:, 0]}[covariance]
    if covariance == "spherical":
        # One variance in scaled units is one for each variable in their own.
        assert count_parameters(2, 4, covariance) == 1 + 2 + 8 + 2
        return
    np.testing.assert_allclose(fit.log_likelihood, reference.score(recording.values), rtol=1e-6)
    np.testing.assert_allclose(float(fit.criterion[0]), reference.bic(recording.values), rtol=1e-6)
    np.testing.assert_array_equal(fit.labels(recording).values, reference.predict(recording.values))


def test_planted_states_are_recovered():
    recording, path = switching_recording(frames=1000, distance=8.0)
    fit = fit_hidden_markov(recording, max_states=4, restarts=2, generator=np.random.default_rng(0))
    assert fit.n_states == 3
    assert (fit.variable, fit.converged) == ("unit", True)
    labels = fit.labels(recording).values
    # Each found state is one planted state.
    agreement = sum(np.bincount(path[labels == state]).max() for state in range(3)) / len(path)
    assert agreement > 0.99
    for state in range(3):
        planted = np.bincount(path[labels == state]).argmax()
        here = path[:-1] == planted
        assert fit.dwell.values[state] == pytest.approx(1 / np.mean(path[1:][here] != planted), rel=1e-3)
    assert (np.diff(fit.occupancy.values) <= 0).all()
    np.testing.assert_allclose(fit.occupancy.values @ fit.transition.values, fit.occupancy.values, atol=1e-10)
    assert "3 states, 4 units" in repr(fit)


def test_white_activity_has_one_state_and_scale_changes_nothing():
    white = labelled(np.random.default_rng(0).standard_normal((600, 3)))
    assert fit_hidden_markov(white, max_states=3, restarts=2, generator=np.random.default_rng(0)).n_states == 1
    recording, _ = switching_recording(frames=500, states=2)
    plain = fit_hidden_markov(recording, states=2, restarts=2, generator=np.random.default_rng(0))
    scaled = fit_hidden_markov(recording * 1e-6 + 3, states=2, restarts=2, generator=np.random.default_rng(0))
    np.testing.assert_allclose(scaled.transition.values, plain.transition.values, atol=1e-6)
    np.testing.assert_allclose(scaled.means.values, plain.means.values * 1e-6 + 3, rtol=1e-8)
    again = fit_hidden_markov(recording, states=2, restarts=2, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(again.transition.values, plain.transition.values)


def test_a_simulation_has_the_models_moments_and_is_fitted_back():
    recording, _ = switching_recording(frames=800, states=2)
    fit = fit_hidden_markov(recording, states=2, restarts=2, generator=np.random.default_rng(0))
    simulated = fit.simulate(20000, np.random.default_rng(1))
    path = simulated["state"].values
    np.testing.assert_allclose(np.bincount(path) / path.size, fit.occupancy.values, atol=0.05)
    moves = np.array([[np.mean(path[1:][path[:-1] == i] == j) for j in range(2)] for i in range(2)])
    np.testing.assert_allclose(moves, fit.transition.values, atol=0.02)
    for state in range(2):
        np.testing.assert_allclose(np.cov(simulated.values[path == state].T), fit.covariances.values[state], atol=0.2)
    prediction = fit.predict(recording)
    assert prediction["mean"].shape == recording.shape
    np.testing.assert_allclose(prediction["probability"].sum("state"), 1)
    single = gaussian_log_density(recording.values - recording.values.mean(axis=0), np.cov(recording.values.T)).mean()
    assert float(prediction["log_density"].mean()) > single + 0.3


def test_many_units_are_fitted_through_components():
    few, _ = switching_recording(frames=900, states=2, units=3)
    generator = np.random.default_rng(0)
    wide = labelled(few.values @ generator.standard_normal((3, 150)) + 0.1 * generator.standard_normal((900, 150)))
    fit = fit_hidden_markov(wide, states=2, restarts=2, generator=generator)
    assert (fit.variable, fit.means.shape[1]) == ("component", 3)
    assert fit.simulate(20, generator).shape == (20, 150)
    assert fit.explained_variance > 0.95


def test_surrogates_keep_covariance_and_states():
    few, _ = switching_recording(frames=1500, states=2, units=3)
    generator = np.random.default_rng(0)
    wide = labelled(few.values @ generator.standard_normal((3, 60)) + 0.5 * generator.standard_normal((1500, 60)))
    null = Switching(states=2, components=3, restarts=2).prepare(wide)
    first, second = null.draw(np.random.default_rng(1)), null.draw(np.random.default_rng(2))
    assert first.shape == wide.shape
    xr.testing.assert_identical(first["unit"], wide["unit"])
    assert not np.allclose(first, second)
    covariance = np.mean([np.cov(null.draw(generator).values.T) for _ in range(20)], axis=0)
    measured = np.cov(wide.values.T)
    assert np.linalg.norm(covariance - measured) < 0.15 * np.linalg.norm(measured)
    # What the components leave out is there too.
    np.testing.assert_allclose(np.linalg.eigvalsh(covariance)[:40].mean(), np.linalg.eigvalsh(measured)[:40].mean(), rtol=0.1)


def test_hmmlearn_speaks_no_longer_and_its_logger_is_left_as_it_was(caplog):
    level = logging.getLogger("hmmlearn").level
    noise = labelled(run_process(np.full((1, 2, 2), 0.3), 300, np.random.default_rng(0)))
    with caplog.at_level(logging.WARNING):
        fit_hidden_markov(noise, states=3, restarts=3, generator=np.random.default_rng(0))
    assert not caplog.records
    assert logging.getLogger("hmmlearn").level == level


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"states": 0}, "states=0: give a whole number of at least 1 or 'bic'"),
        ({"max_states": 0}, "max_states=0: give a whole number of at least 1"),
        ({"covariance": "round"}, "covariance 'round' does not exist; Known: diag"),
        ({"restarts": 0}, "restarts=0: give at least 1"),
        ({"states": 30, "components": None}, "60 frames are too few for 30 states of 4 variables, 150 are needed; ask for fewer states"),
        ({"components": 9}, "components=9: "),
    ],
)
def test_bad_options_are_told(options, message):
    recording = labelled(np.random.default_rng(0).standard_normal((60, 4)))
    with pytest.raises(InputError, match=message):
        fit_hidden_markov(recording, generator=np.random.default_rng(0), **options)


def test_states_on_a_few_frames_are_no_states():
    """Bursts of four equal frames among noise of twenty variables: a state of their own would have a likelihood without bound."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal((400, 20))
    values[100:104] = values[250:254] = 30 * generator.standard_normal(20)
    fit = fit_hidden_markov(xr.DataArray(values, dims=("time", "unit")), states="bic", max_states=4, components=None, restarts=3, generator=generator)
    assert np.bincount(fit.labels(xr.DataArray(values, dims=("time", "unit"))).values).min() > 20
