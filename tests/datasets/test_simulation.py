"""The planted truths are in the simulated data: sample covariances, Lyapunov equations and the planted lags agree with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yuragi.datasets.catalogue import load
from yuragi.datasets.simulation import power_law_responses, random_directions, vector_autoregression
from yuragi.errors import InputError


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def slope(eigenvalues: np.ndarray) -> float:
    ranks = np.arange(1, eigenvalues.size + 1)
    return float(-np.polyfit(np.log(ranks), np.log(eigenvalues), 1)[0])


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5])
def test_signal_spectrum(alpha: float) -> None:
    truth = power_law_responses(stimuli=20_000, units=30, repeats=1, alpha=alpha, noise="none", noise_to_signal=0.0, generator=generator())
    measured = np.linalg.eigvalsh(np.cov(truth.responses[0].T))[::-1]
    np.testing.assert_allclose(measured, truth.eigenvalues, rtol=0.1)
    assert slope(measured) == pytest.approx(alpha, abs=0.03)
    assert slope(truth.eigenvalues) == pytest.approx(alpha, abs=1e-9)
    along = truth.responses[0] @ truth.directions
    np.testing.assert_allclose(along.var(axis=0), truth.eigenvalues, rtol=0.1)


@pytest.mark.parametrize("noise", ["white", "half", "signal"])
@pytest.mark.parametrize("ratio", [0.25, 4.0])
def test_noise_has_the_planted_variance_and_covariance(noise: str, ratio: float) -> None:
    truth = power_law_responses(stimuli=20_000, units=20, repeats=2, alpha=1.0, noise=noise, noise_to_signal=ratio, generator=generator(1))
    first, second = truth.responses
    signal = np.cov(first.T, second.T)[:20, 20:]
    difference = np.cov((first - second).T) / 2
    assert np.trace(signal) == pytest.approx(20.0, rel=0.1)
    assert np.trace(difference) / 20.0 == pytest.approx(ratio, rel=0.03)
    measured = np.diag(truth.directions.T @ difference @ truth.directions)
    exponent = {"white": 0.0, "half": 0.5, "signal": 1.0}[noise]
    expected = np.arange(1.0, 21) ** -exponent
    expected *= ratio * 20 / expected.sum()
    np.testing.assert_allclose(measured, expected, rtol=0.1)


@pytest.mark.parametrize("noise", ["white", "half", "signal"])
def test_units_recorded_from_a_population(noise: str) -> None:
    options = {"stimuli": 4000, "units": 10, "repeats": 2, "alpha": 1.0, "noise": noise, "noise_to_signal": 1.0, "population": 200}
    truth = power_law_responses(**options, generator=generator(4))
    assert truth.responses.shape == (2, 4000, 10)
    assert truth.eigenvalues.shape == (200,)
    np.testing.assert_allclose(truth.directions @ truth.directions.T, np.eye(10), atol=1e-12)
    expected = (truth.directions * truth.eigenvalues) @ truth.directions.T
    signal = np.cov(truth.responses[0].T, truth.responses[1].T)[:10, 10:]
    np.testing.assert_allclose(signal, expected, atol=0.15)
    # A recorded unit has the population's average variance.
    draws = [power_law_responses(**options | {"stimuli": 2}, generator=generator(seed)).directions for seed in range(50)]
    assert np.mean([(directions**2 @ truth.eigenvalues).mean() for directions in draws]) == pytest.approx(1.0, rel=0.1)
    with pytest.raises(InputError, match="population: 5 is fewer than the 10 units"):
        power_law_responses(**options | {"population": 5}, generator=generator())


def test_no_noise_repeats_exactly() -> None:
    truth = power_law_responses(stimuli=5, units=4, repeats=3, alpha=1.0, noise="none", noise_to_signal=1.0, generator=generator())
    np.testing.assert_array_equal(truth.responses[0], truth.responses[2])


@given(seed=st.integers(0, 1000), units=st.integers(1, 20))
def test_directions_are_orthonormal(seed: int, units: int) -> None:
    basis = random_directions(units, generator(seed))
    np.testing.assert_allclose(basis.T @ basis, np.eye(units), atol=1e-12)


def companion(coefficients: np.ndarray) -> np.ndarray:
    lags, units, _ = coefficients.shape
    matrix = np.eye(lags * units, k=-units)
    matrix[:units] = np.concatenate(coefficients, axis=1)
    return matrix


@settings(max_examples=30)
@given(order=st.integers(1, 5), radius=st.floats(0.05, 0.99), alpha=st.floats(0.0, 2.0), seed=st.integers(0, 99))
def test_spectral_radius_and_stationary_covariance_are_exact(order: int, radius: float, alpha: float, seed: int) -> None:
    truth = vector_autoregression(units=6, frames=1, order=order, spectral_radius=radius, alpha=alpha, generator=generator(seed))
    matrix = companion(truth.coefficients)
    assert np.abs(np.linalg.eigvals(matrix)).max() == pytest.approx(radius, rel=1e-6)
    # The Lyapunov equation as one linear system, unlike the component-wise solution that is tested.
    shocks = np.zeros_like(matrix)
    shocks[:6, :6] = truth.innovation_covariance
    stationary = np.linalg.solve(np.eye(matrix.size) - np.kron(matrix, matrix), shocks.ravel()).reshape(matrix.shape)[:6, :6]
    expected = (truth.directions * truth.eigenvalues) @ truth.directions.T
    np.testing.assert_allclose(stationary, expected, atol=1e-6 * truth.eigenvalues[0])


def test_recording_follows_its_own_equation() -> None:
    truth = vector_autoregression(units=8, frames=20_000, order=2, spectral_radius=0.9, alpha=1.0, generator=generator(3))
    x = truth.recording
    past = np.concatenate([x[1:-1], x[:-2]], axis=1)
    fitted = np.linalg.lstsq(past, x[2:], rcond=None)[0].T
    np.testing.assert_allclose(fitted, np.concatenate(truth.coefficients, axis=1), atol=0.06)
    residuals = x[2:] - past @ np.concatenate(truth.coefficients, axis=1).T
    np.testing.assert_allclose(np.cov(residuals.T), truth.innovation_covariance, atol=0.05 * truth.innovation_covariance.max())


def test_recording_starts_in_the_stationary_state() -> None:
    first = []
    for seed in range(1000):
        truth = vector_autoregression(units=2, frames=1, order=2, spectral_radius=0.95, alpha=1.0, generator=generator(seed))
        first.append(truth.recording[0] @ truth.directions)
    np.testing.assert_allclose(np.var(first, axis=0), truth.eigenvalues, rtol=0.2)


def test_slow_components_are_the_strong_ones() -> None:
    truth = vector_autoregression(units=10, frames=20_000, order=1, spectral_radius=0.95, alpha=1.0, generator=generator(5))
    scores = truth.recording @ truth.directions
    persistence = (scores[1:] * scores[:-1]).mean(axis=0) / (scores**2).mean(axis=0)
    assert persistence[0] == pytest.approx(0.95, abs=0.02)
    assert persistence[-1] == pytest.approx(0.95 / 4, abs=0.02)
    np.testing.assert_allclose(scores.var(axis=0), truth.eigenvalues, rtol=0.25)


def test_simulated_responses_as_data() -> None:
    data = load("simulated_responses", stimuli=50, units=10, repeats=3, alpha=1.2, noise="signal", noise_to_signal=2.0)
    assert data["responses"].dims == ("repeat", "stimulus", "unit")
    assert data["responses"].shape == (3, 50, 10)
    attributes = data["responses"].attrs
    assert (attributes["truth_alpha"], attributes["truth_noise"], attributes["truth_noise_to_signal"]) == (1.2, "signal", 2.0)
    assert load("simulated_responses", noise="none").attrs["truth_noise_to_signal"] == 0.0


def test_simulated_spontaneous_as_data() -> None:
    data = load("simulated_spontaneous", units=7, frames=100, order=2, spectral_radius=0.8, sampling_interval=0.5)
    assert data["recording"].dims == ("time", "unit")
    assert data["recording"].shape == (100, 7)
    assert data["time"].values[:3].tolist() == [0.0, 0.5, 1.0]
    assert data["recording"].attrs["truth_spectral_radius"] == 0.8
    assert data["coefficients"].dims == ("lag", "unit", "source")
    assert np.abs(np.linalg.eigvals(companion(data["coefficients"].values))).max() == pytest.approx(0.8)


@pytest.mark.parametrize("name", ["simulated_responses", "simulated_spontaneous"])
def test_seeds(name: str) -> None:
    assert load(name, seed=1).identical(load(name, seed=1))
    assert not load(name, seed=1).identical(load(name, seed=2))
