"""Simulated responses and recordings whose spectrum, noise and time course are known."""

from __future__ import annotations

from typing import Literal, NamedTuple

import lazy_loader as lazy

from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")

NoiseShape = Literal["none", "white", "half", "signal"]
"""Covariance of trial-to-trial noise, by its exponent: 0 (``"white"``), half of the signal's (``"half"``) or the signal's (``"signal"``)."""
SLOW_TO_FAST = 4.0
"""Largest over smallest leading pole of `vector_autoregression`."""
SIDE_POLES = 0.6
"""Radius of a component's other poles over its leading pole."""


class SimulatedResponses(NamedTuple):
    """Responses and the truth behind them; the population has P units, of which some or all are recorded."""

    responses: jaxtyping.Float[np.ndarray, "repeat stimulus unit"]
    eigenvalues: jaxtyping.Float[np.ndarray, " rank"]
    """Signal variance along each of the P directions of the population, descending; their mean is 1."""
    directions: jaxtyping.Float[np.ndarray, "unit rank"]
    """One direction a column; of each, the part that the recorded units see."""


def power_law_responses(
    *,
    stimuli: int,
    units: int,
    repeats: int,
    alpha: float,
    noise: NoiseShape,
    noise_to_signal: float,
    generator: np.random.Generator,
    population: int | None = None,
) -> SimulatedResponses:
    """Gaussian responses whose signal covariance follows a power law.

    X_r = Z Λ^{1/2} Vᵀ + E_r, with λ_n ∝ n^-alpha, random orthonormal V, and Z and E Gaussian; Z is shared by the repeats and E is not.

    stimuli, units, repeats
        how many of each
    alpha
        exponent of the signal's covariance spectrum
    noise
        covariance of E_r: ``"white"`` (∝ I), ``"signal"`` (∝ V Λ Vᵀ), ``"half"`` between the two (∝ V Λ^{1/2} Vᵀ, of exponent alpha / 2), or
        ``"none"``
    noise_to_signal
        variance of the noise over that of the signal, each summed over units
    generator
        source of randomness
    population
        P, units of the population that the power law holds in and the ``units`` are a random sample of; None: all are recorded

    >>> import numpy as np
    >>> truth = power_law_responses(
    ...     stimuli=50, units=20, repeats=2, alpha=1.0, noise="none", noise_to_signal=0.0, generator=np.random.default_rng(0)
    ... )
    >>> truth.responses.shape, round(float(truth.eigenvalues[0] / truth.eigenvalues[9]), 9)
    ((2, 50, 20), 10.0)
    """
    population = units if population is None else population
    if population < units:
        raise InputError(f"population: {population} is fewer than the {units} units recorded from it; give at least as many, or None")
    eigenvalues = power_law(population, alpha)
    # The rows of a random orthonormal basis that belong to the recorded units are themselves random orthonormal vectors.
    directions = random_directions(units, generator) if population == units else _random_frame(population, units, generator)
    to_units = np.sqrt(eigenvalues)[:, None] * directions.T
    signal = generator.standard_normal((stimuli, population)) @ to_units
    shape = (repeats, stimuli, units)
    if noise == "none":
        responses = np.broadcast_to(signal, shape).copy()
    elif noise == "white":
        responses = signal + np.sqrt(noise_to_signal) * generator.standard_normal(shape)
    else:
        if noise == "half":
            to_units = np.sqrt(power_law(population, alpha / 2))[:, None] * directions.T
        responses = signal + np.sqrt(noise_to_signal) * (generator.standard_normal((repeats, stimuli, population)) @ to_units)
    return SimulatedResponses(responses, eigenvalues, directions)


class SimulatedRecording(NamedTuple):
    """A recording and the autoregression that made it."""

    recording: jaxtyping.Float[np.ndarray, "time unit"]
    coefficients: jaxtyping.Float[np.ndarray, "lag unit unit"]
    innovation_covariance: jaxtyping.Float[np.ndarray, "unit unit"]
    eigenvalues: jaxtyping.Float[np.ndarray, " unit"]
    """Stationary variance along each direction, descending; their mean is 1."""
    directions: jaxtyping.Float[np.ndarray, "unit unit"]
    """One direction a column."""


def vector_autoregression(
    *, units: int, frames: int, order: int, spectral_radius: float, alpha: float, generator: np.random.Generator
) -> SimulatedRecording:
    """A stationary vector autoregression with a planted spatial spectrum and a planted spectral radius.

    x_t = Σ_l A_l x_{t-l} + e_t with A_l = V diag(a_l) Vᵀ, so that each spatial component is an autoregression of its own. Component k has the
    stationary variance λ_k ∝ k^-alpha and the lag polynomial 1 − r_k L, for orders above 1 times 1 + (0.6 r_k L)^{order−1}; r_1 is the spectral
    radius and r_k falls linearly to a quarter of it. The strongest components are the slowest, so both truths show in a recording of a few
    thousand frames. The first frames come from the stationary distribution: there is no transient.

    units, frames
        size of the recording
    order
        number of lags, at least 1
    spectral_radius
        largest modulus of the eigenvalues of the companion matrix, below 1
    alpha
        exponent of the stationary covariance spectrum
    generator
        source of randomness

    >>> import numpy as np
    >>> truth = vector_autoregression(units=5, frames=100, order=1, spectral_radius=0.9, alpha=1.0, generator=np.random.default_rng(0))
    >>> round(float(np.abs(np.linalg.eigvals(truth.coefficients[0])).max()), 12)
    0.9
    """
    eigenvalues = power_law(units, alpha)
    directions = random_directions(units, generator)
    leading = spectral_radius * np.linspace(1.0, 1.0 / SLOW_TO_FAST, units)
    coefficients = _component_coefficients(leading, order)
    innovations, start = _stationary(coefficients, eigenvalues)
    scores = np.empty((order + frames, units))
    scores[:order] = np.einsum("kij,jk->ik", start, generator.standard_normal((order, units)))
    shocks = np.sqrt(innovations) * generator.standard_normal((frames, units))
    for time in range(order, order + frames):
        scores[time] = shocks[time - order] + (coefficients * scores[time - order : time][::-1]).sum(axis=0)
    return SimulatedRecording(
        recording=scores[order:] @ directions.T,
        coefficients=np.einsum("ik,lk,jk->lij", directions, coefficients, directions),
        innovation_covariance=(directions * innovations) @ directions.T,
        eigenvalues=eigenvalues,
        directions=directions,
    )


def power_law(count: int, alpha: float) -> jaxtyping.Float[np.ndarray, " rank"]:
    """λ_n ∝ n^-alpha for n = 1 … count, with mean 1.

    >>> power_law(2, 1.0).round(4).tolist()
    [1.3333, 0.6667]
    """
    values = np.arange(1, count + 1, dtype=np.float64) ** -alpha
    return values / values.mean()


def random_directions(units: int, generator: np.random.Generator) -> jaxtyping.Float[np.ndarray, "unit unit"]:
    """An orthonormal basis, uniformly distributed over all of them."""
    basis, triangle = np.linalg.qr(generator.standard_normal((units, units)))
    # Without the signs of the triangle's diagonal the basis depends on the library's convention (Mezzadri 2007, Notices of the AMS 54:592).
    return basis * np.sign(np.diagonal(triangle))


def _random_frame(population: int, units: int, generator: np.random.Generator) -> jaxtyping.Float[np.ndarray, "unit rank"]:
    """The first rows of a uniformly distributed orthonormal basis."""
    columns, triangle = np.linalg.qr(generator.standard_normal((population, units)))
    return (columns * np.sign(np.diagonal(triangle))).T


def _component_coefficients(leading: jaxtyping.Float[np.ndarray, " unit"], order: int) -> jaxtyping.Float[np.ndarray, "lag unit"]:
    """The polynomial (1 − r L)(1 + (0.6 r L)^{order−1}) as coefficients of the lags 1 … order."""
    coefficients = np.zeros((order, leading.size))
    coefficients[0] = leading
    if order > 1:
        side = (SIDE_POLES * leading) ** (order - 1)
        coefficients[order - 2] -= side
        coefficients[order - 1] += leading * side
    return coefficients


def _stationary(
    coefficients: jaxtyping.Float[np.ndarray, "lag unit"], variances: jaxtyping.Float[np.ndarray, " unit"]
) -> tuple[jaxtyping.Float[np.ndarray, " unit"], jaxtyping.Float[np.ndarray, "unit lag lag"]]:
    """Innovation variances that give each component its stationary variance, and Cholesky factors of ``order`` successive frames."""
    from yuragi.autoregression import state_covariance

    order, units = coefficients.shape
    innovations, factors = np.empty(units), np.empty((units, order, order))
    for component in range(units):
        covariance = state_covariance(coefficients[:, component, None, None], np.ones((1, 1)))
        innovations[component] = variances[component] / covariance[0, 0]
        factors[component] = np.linalg.cholesky(innovations[component] * covariance)
    return innovations, factors
