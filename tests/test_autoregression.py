"""The algebra of autoregressions against sums over past innovations, closed forms and least squares, for every order from 0."""

from __future__ import annotations

import numpy as np
import pytest

from yuragi.autoregression import (
    autocovariance,
    autocovariances,
    check_covariance,
    check_stationary,
    companion,
    spectral_radius,
    state_covariance,
    symmetric_root,
    yule_walker,
)
from yuragi.errors import InputError

WIDTH = 5


def process(order: int, radius: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and noise covariance with neither symmetric coefficients nor white noise; A_l r^l scales every eigenvalue by r."""
    generator = np.random.default_rng(order)
    coefficients = generator.standard_normal((order, WIDTH, WIDTH))
    if order:
        coefficients *= (radius / spectral_radius(coefficients)) ** np.arange(1, order + 1)[:, None, None]
    mixing = generator.standard_normal((WIDTH, WIDTH))
    return coefficients, mixing @ mixing.T


def summed_autocovariance(coefficients: np.ndarray, noise: np.ndarray, lag: int) -> np.ndarray:
    """Brute force: y_t = Σ_k Ψ_k e_{t-k}, so Γ_lag = Σ_k Ψ_{k+lag} Q Ψ_k'."""
    responses = [np.eye(WIDTH)]
    for k in range(1, 800):
        responses.append(sum((a @ responses[k - 1 - j] for j, a in enumerate(coefficients[:k])), np.zeros((WIDTH, WIDTH))))
    return sum(a @ noise @ b.T for a, b in zip(responses[lag:], responses, strict=False))


@pytest.mark.parametrize("order", [0, 1, 2, 4])
@pytest.mark.parametrize("samples", [None, 1, 2, 5])
def test_state_covariance_equals_the_sum_over_innovations(order: int, samples: int | None) -> None:
    coefficients, noise = process(order)
    described = max(order, 1) if samples is None else samples
    joint = state_covariance(coefficients, noise, samples).reshape(described, WIDTH, described, WIDTH)
    for later in range(described):
        for earlier in range(later, described):
            expected = summed_autocovariance(coefficients, noise, earlier - later)
            np.testing.assert_allclose(joint[later, :, earlier], expected, atol=1e-9)
            np.testing.assert_allclose(joint[earlier, :, later], expected.T, atol=1e-9)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_autocovariances_equal_the_sum_over_innovations(order: int) -> None:
    coefficients, noise = process(order)
    gamma = autocovariances(coefficients, noise, 6)
    assert gamma.shape == (7, WIDTH, WIDTH)
    for lag in range(7):
        expected = summed_autocovariance(coefficients, noise, lag)
        np.testing.assert_allclose(gamma[lag], expected, atol=1e-9)
        np.testing.assert_array_equal(autocovariance(coefficients, noise, -lag), gamma[lag].T)
    another = autocovariances(0.9 * coefficients, noise, 6)
    assert order == 0 or np.abs(another - gamma).max() > 0.1, "another process must not pass"


@pytest.mark.parametrize("order", [0, 1, 3])
def test_yule_walker_gives_the_process_back(order: int) -> None:
    coefficients, noise = process(order)
    found, found_noise = yule_walker(autocovariances(coefficients, noise, order))
    np.testing.assert_allclose(found, coefficients, atol=1e-8)
    np.testing.assert_allclose(found_noise, noise, atol=1e-8)


def test_yule_walker_is_least_squares_on_a_long_run() -> None:
    """A lower order than the true one: the best prediction from a short past, here by regression on a simulated run."""
    coefficients, noise = process(2, radius=0.7)
    generator = np.random.default_rng(0)
    shocks = generator.standard_normal((60_000, WIDTH)) @ symmetric_root(noise)
    run = np.zeros_like(shocks)
    for t in range(2, len(run)):
        run[t] = coefficients[0] @ run[t - 1] + coefficients[1] @ run[t - 2] + shocks[t]
    expected = np.linalg.lstsq(run[:-1], run[1:], rcond=None)[0].T
    found, _ = yule_walker(autocovariances(coefficients, noise, 1))
    np.testing.assert_allclose(found[0], expected, atol=0.04)
    assert np.abs(coefficients[0] - expected).max() > 0.1, "the first of two true coefficients must not pass"


def test_no_lags_are_one_lag_that_does_nothing() -> None:
    nothing = np.zeros((0, WIDTH, WIDTH))
    np.testing.assert_array_equal(companion(nothing), np.zeros((WIDTH, WIDTH)))
    assert spectral_radius(nothing) == 0


def test_the_companion_of_one_variable_has_the_roots_of_its_polynomial() -> None:
    roots = np.array([0.9, -0.5, 0.2])
    coefficients = -np.poly(roots)[1:, None, None]
    np.testing.assert_allclose(np.sort(np.linalg.eigvals(companion(coefficients))), np.sort(roots), atol=1e-12)
    assert spectral_radius(coefficients) == pytest.approx(0.9)


def test_symmetric_root_squares_to_the_covariance() -> None:
    factor = np.random.default_rng(0).standard_normal((6, 3))
    singular = factor @ factor.T
    root = symmetric_root(singular)
    np.testing.assert_allclose(root @ root, singular, atol=1e-12)
    np.testing.assert_allclose(root, root.T)


@pytest.mark.parametrize("radius", [1.0, 1.1])
def test_a_process_that_does_not_settle_is_refused(radius: float) -> None:
    coefficients = radius * np.eye(WIDTH)[None]
    for refused in (
        lambda: check_stationary(coefficients),
        lambda: state_covariance(coefficients, np.eye(WIDTH)),
        lambda: autocovariances(coefficients, np.eye(WIDTH), 1),
    ):
        with pytest.raises(InputError, match=rf"^coefficients have spectral radius {radius:.4f}; below 1 is needed.*fit fewer"):
            refused()


def test_what_is_no_covariance_is_refused_and_rounding_is_not() -> None:
    check_covariance("noise", np.diag([1.0, 0.0]))
    check_covariance("noise", np.array([[1.0, 1e-7], [0.0, -1e-7]]))
    with pytest.raises(InputError, match=r"^noise has the negative eigenvalue -1;"):
        check_covariance("noise", np.diag([1.0, -1.0]))
    with pytest.raises(InputError, match=r"^noise is not symmetric;"):
        check_covariance("noise", np.array([[1.0, 0.1], [0.0, 1.0]]))
