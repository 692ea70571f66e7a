"""The noise against its exact stationary moments, with controls that must fail."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yuragi.errors import InputError
from yuragi.noise import SpontaneousNoise
from yuragi.targets import SpontaneousModel

WIDTH, STEPS, TRIALS = 12, 6, 30_000
VARIANCE = 1.5


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def directions(seed: int, width: int = WIDTH, components: int = 5) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((width, components)))[0]


def noise_of(model: SpontaneousModel, *, steps: int = STEPS, seed: int = 0, relative_variance: float = 0.4) -> SpontaneousNoise:
    noise = SpontaneousNoise(
        WIDTH,
        model.coefficients,
        model.innovation_covariance,
        directions=directions(seed),
        relative_variance=relative_variance,
        steps=steps,
    )
    noise.stimulus_variance.fill_(VARIANCE)
    return noise


def drawn(noise: SpontaneousNoise, seed: int = 1) -> np.ndarray:
    """(step, trial, unit), in double precision."""
    return noise.sample(TRIALS, seeded(seed))[:, 0].double().numpy()


def deviation(one: np.ndarray, other: np.ndarray, expected: np.ndarray, variances: np.ndarray) -> float:
    """The largest difference between an empirical cross-covariance and the expected one, in standard errors."""
    errors = np.sqrt((np.outer(variances, variances) + expected**2) / len(one))
    return float((np.abs(one.T @ other / len(one) - expected) / errors).max())


@pytest.fixture(scope="module")
def samples(model: SpontaneousModel) -> np.ndarray:
    return drawn(noise_of(model))


def expected_covariance(model: SpontaneousModel, lag: int, seed: int = 0) -> np.ndarray:
    u = directions(seed)
    return 0.4 * VARIANCE * u @ model.autocovariance(lag) @ u.T


@pytest.mark.parametrize("step", range(STEPS))
def test_covariance_is_stationary_from_the_first_step(samples: np.ndarray, model: SpontaneousModel, step: int) -> None:
    expected = expected_covariance(model, 0)
    assert deviation(samples[step], samples[step], expected, np.diag(expected)) < 5


@pytest.mark.parametrize(("step", "lag"), [(1, 1), (3, 1), (5, 1), (2, 2), (5, 2), (4, 3), (5, 5)])
def test_autocovariance_is_the_models(samples: np.ndarray, model: SpontaneousModel, step: int, lag: int) -> None:
    expected = expected_covariance(model, lag)
    assert deviation(samples[step], samples[step - lag], expected, np.diag(expected_covariance(model, 0))) < 5


def test_total_variance_is_relative_to_the_stimulus_variance(samples: np.ndarray, model: SpontaneousModel) -> None:
    total = samples.var(axis=1).sum(axis=1)
    error = 0.4 * VARIANCE * np.sqrt(2 * (model.eigenvalues**2).sum() / TRIALS)
    assert np.abs(total - 0.4 * VARIANCE).max() < 5 * error


def test_shuffled_time_loses_the_autocovariance(samples: np.ndarray, model: SpontaneousModel) -> None:
    rng = np.random.default_rng(0)
    shuffled = np.take_along_axis(samples, rng.permuted(np.tile(np.arange(STEPS)[:, None], TRIALS), axis=0)[:, :, None], axis=0)
    expected, variances = expected_covariance(model, 1), np.diag(expected_covariance(model, 0))
    assert deviation(shuffled[3], shuffled[2], expected, variances) > 20


def test_other_directions_have_another_covariance(samples: np.ndarray, model: SpontaneousModel) -> None:
    expected = expected_covariance(model, 0, seed=1)
    assert deviation(samples[0], samples[0], expected, np.diag(expected)) > 20


def test_images_and_draws_are_independent(model: SpontaneousModel) -> None:
    values = noise_of(model).sample(2, seeded(), draws=TRIALS // 2).double().numpy()
    variances = np.diag(expected_covariance(model, 0))
    first, second = values[0, :, 0], values[0, :, 1]
    assert deviation(first, second, np.zeros((WIDTH, WIDTH)), variances) < 5
    assert deviation(first[:-1], first[1:], np.zeros((WIDTH, WIDTH)), variances) < 5


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_number_of_steps_changes_no_moment(model: SpontaneousModel, steps: int) -> None:
    values = drawn(noise_of(model, steps=steps))
    expected = expected_covariance(model, steps - 1)
    assert deviation(values[-1], values[0], expected, np.diag(expected_covariance(model, 0))) < 5


def test_isotropic_noise_is_white_in_space_and_time() -> None:
    noise = SpontaneousNoise(WIDTH, np.zeros((0, 1, 1)), np.array([[3.0]]), relative_variance=0.4, steps=3)
    noise.stimulus_variance.fill_(VARIANCE)
    values = drawn(noise)
    each = 0.4 * VARIANCE / WIDTH
    assert deviation(values[0], values[0], each * np.eye(WIDTH), np.full(WIDTH, each)) < 5
    assert deviation(values[0], values[1], np.zeros((WIDTH, WIDTH)), np.full(WIDTH, each)) < 5


def test_isotropic_noise_may_have_a_time_course() -> None:
    noise = SpontaneousNoise(WIDTH, np.array([[[0.8]]]), np.array([[1.0]]), relative_variance=0.4, steps=4)
    noise.stimulus_variance.fill_(VARIANCE)
    values = drawn(noise)
    each = 0.4 * VARIANCE / WIDTH
    assert deviation(values[3], values[1], 0.8**2 * each * np.eye(WIDTH), np.full(WIDTH, each)) < 5


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_start_is_the_joint_distribution_of_the_first_steps(model: SpontaneousModel, steps: int) -> None:
    """Brute force: z_t = Σ_k Ψ_k ε_(t-k), so cov(z_t, z_(t-h)) = Σ_k Ψ_(k+h) Q Ψ_kᵀ; oldest first, as many as there are lags."""
    first, second = model.coefficients
    responses = [np.eye(5), first]
    while len(responses) < 800:
        responses.append(first @ responses[-1] + second @ responses[-2])
    factor = noise_of(model, steps=steps).stationary_factor.double().numpy()
    start = min(steps, 2)
    joint = (factor @ factor).reshape(start, 5, start, 5)
    for later in range(start):
        for earlier in range(later + 1):
            lagged = responses[later - earlier :]
            expected = sum(a @ model.innovation_covariance @ b.T for a, b in zip(lagged, responses, strict=False))
            np.testing.assert_allclose(joint[later, :, earlier], expected, atol=1e-6)
            np.testing.assert_allclose(joint[earlier, :, later], expected.T, atol=1e-6)


def test_calibration_is_the_summed_variance_over_images(model: SpontaneousModel) -> None:
    activity = 100 + torch.randn(500, 3, 2, 2, generator=seeded()) * torch.arange(1.0, 4).reshape(3, 1, 1)
    noise = noise_of(model)
    noise.calibrate(activity)
    expected = activity.double().flatten(1).var(0).sum().item()
    assert noise.stimulus_variance.item() == pytest.approx(expected, rel=1e-6)
    noise.calibrate(iter(activity.split(130)))
    assert noise.stimulus_variance.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("isotropic", [True, False])
def test_added_to_the_activity_in_its_own_shape(model: SpontaneousModel, isotropic: bool) -> None:
    activity = torch.randn(4, 3, 2, 2, generator=seeded())
    noise = SpontaneousNoise(WIDTH, np.zeros((0, 1, 1)), np.eye(1), relative_variance=0.4, steps=STEPS) if isotropic else noise_of(model)
    noise.stimulus_variance.fill_(VARIANCE)
    expected = noise.sample(4, seeded(5), 2).reshape(STEPS, 2, *activity.shape)
    noisy = noise(activity, seeded(5), draws=2)
    torch.testing.assert_close(noisy.reshape(expected.shape), activity + expected)
    again = noise(noisy, seeded(5), draws=2, n_images=4)
    torch.testing.assert_close(again.reshape(expected.shape), activity + 2 * expected)


def test_same_seed_same_bytes(model: SpontaneousModel) -> None:
    assert torch.equal(noise_of(model).sample(7, seeded(3), 2), noise_of(model).sample(7, seeded(3), 2))
    assert not torch.equal(noise_of(model).sample(7, seeded(3), 2), noise_of(model).sample(7, seeded(4), 2))


def test_state_dict_holds_the_whole_noise(model: SpontaneousModel) -> None:
    kept = noise_of(model).state_dict()
    other = SpontaneousNoise(WIDTH, np.zeros((2, 5, 5)), np.eye(5), directions=directions(9), relative_variance=3.0, steps=STEPS)
    other.load_state_dict(kept)
    assert torch.equal(other.sample(7, seeded(3)), noise_of(model).sample(7, seeded(3)))


def test_double_precision_follows_the_module(model: SpontaneousModel) -> None:
    assert noise_of(model).double().sample(3, seeded()).dtype == torch.float64


def test_uncalibrated_noise_is_refused(model: SpontaneousModel) -> None:
    noise = SpontaneousNoise(WIDTH, model.coefficients, model.innovation_covariance, directions=directions(0), relative_variance=0.1)
    with pytest.raises(InputError, match="calibrate"):
        noise(torch.zeros(3, WIDTH), seeded())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps = 0"),
        ({"relative_variance": -1.0}, "relative_variance = -1.0"),
        ({"directions": directions(0, 11)}, "directions: shape"),
        ({"directions": 2 * directions(0)}, "not orthonormal"),
        ({"directions": None}, "univariate"),
        ({"coefficients": 1.1 * np.eye(5)[None]}, "spectral radius 1.1"),
        ({"coefficients": np.zeros((1, 4, 4))}, "coefficients: shape"),
        ({"innovation_covariance": np.zeros((5, 5))}, "total variance 0"),
        ({"innovation_covariance": -np.eye(5)}, "negative"),
        ({"innovation_covariance": np.ones((5, 4))}, "innovation_covariance: shape"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(changes: dict[str, object], message: str) -> None:
    arguments = {
        "width": WIDTH,
        "coefficients": np.zeros((1, 5, 5)),
        "innovation_covariance": np.eye(5),
        "directions": directions(0),
        "relative_variance": 0.1,
    }
    with pytest.raises(InputError, match=message) as raised:
        SpontaneousNoise(**(arguments | changes))
    assert "\n" not in str(raised.value)


def test_activity_that_does_not_fit_is_refused(model: SpontaneousModel) -> None:
    noise = noise_of(model)
    with pytest.raises(InputError, match="11 units"):
        noise(torch.zeros(3, 11), seeded())
    with pytest.raises(InputError, match="too few"):
        noise.calibrate(torch.zeros(1, WIDTH))
    with pytest.raises(InputError, match="0 images"):
        noise.calibrate(torch.zeros(0, WIDTH))
    with pytest.raises(InputError, match="diverg"):
        noise.calibrate(torch.full((4, WIDTH), torch.nan))
