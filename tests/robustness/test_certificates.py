"""Certificates against linear networks, of which probability and radius are known in closed form, and against attacks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, norm
from statsmodels.stats.proportion import proportion_confint
from torch import nn

from yuragi.attacks import PGD
from yuragi.errors import InputError
from yuragi.models import Network, Perceptron
from yuragi.noise import SpontaneousNoise, WhiteNoise
from yuragi.robustness.certificates import ABSTAINED, certified_accuracy, certify, feature_radius, lower_bound, noise_distance, predict, votes

SIGMA = 0.3


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear_network(scale: float = 1.0) -> tuple[Network, torch.Tensor, float]:
    """Two classes that one hyperplane w'x + b = 0 divides, ‖w‖ = 1."""
    normal = torch.randn(16, generator=seeded(4))
    normal /= normal.norm()
    readout = nn.Linear(16, 2)
    with torch.no_grad():
        readout.weight.copy_(scale * torch.stack([normal, -normal]))
        readout.bias.copy_(scale * torch.tensor([-0.5, 0.5]) * normal.sum())
    network = Network({"output": nn.Sequential(nn.Flatten(), readout)}, 2, ((0.0,), (1.0,)), image_shape=(1, 4, 4))
    return network.eval(), normal, -0.5 * float(normal.sum())


def images(n: int = 40) -> torch.Tensor:
    return torch.rand(n, 1, 4, 4, generator=seeded(1))


def signed_distance(x: torch.Tensor) -> torch.Tensor:
    _, normal, offset = linear_network()
    return x.flatten(1) @ normal + offset


def labels_of(x: torch.Tensor) -> torch.Tensor:
    return (signed_distance(x) < 0).long()


def test_a_linear_network_is_certified_up_to_its_boundary_and_never_beyond() -> None:
    """p = Φ(distance / σ), so that the radius of the true p is the distance itself; a lower bound of p leaves a part of it."""
    network, _, _ = linear_network()
    x = images()
    found = certify(network, x, labels_of(x), seeded(), SIGMA, n=4000)
    distance = signed_distance(x).abs().numpy()
    told = found["predicted"].values != ABSTAINED
    assert (found["predicted"].values[told] == labels_of(x).numpy()[told]).all()
    assert (found["radius"].values <= distance).all()
    np.testing.assert_allclose(found["count"] / 4000, norm.cdf(distance / SIGMA), atol=4 * 0.5 / math.sqrt(4000))
    far = distance > 0.15
    assert (found["radius"].values[far] > 0.7 * distance[far]).all()
    assert (found["radius"].values[~told] == 0).all()


def test_certificates_are_wrong_as_rarely_as_promised() -> None:
    """At a large alpha errors occur, and no more of them than alpha."""
    network, _, _ = linear_network()
    x = images(8)[:1].repeat(3000, 1, 1, 1)
    found = certify(network, x, labels_of(x), seeded(2), SIGMA, n0=20, n=50, alpha=0.1)
    beyond = (found["radius"].values > signed_distance(x).abs().numpy()).mean()
    assert 0.02 < beyond <= 0.1 + 3 * math.sqrt(0.09 / 3000)


def test_bounds_equal_an_independent_implementation() -> None:
    count = np.array([0, 1, 57, 99, 100])
    expected = [proportion_confint(int(k), 100, alpha=0.002, method="beta")[0] for k in count]
    np.testing.assert_allclose(lower_bound(count, 100, 0.001), expected, atol=1e-12)
    assert SIGMA * norm.ppf(lower_bound(np.array([100_000]), 100_000, 0.001))[0] == pytest.approx(3.81 * SIGMA, rel=2e-3)


def test_predictions_abstain_by_the_binomial_test() -> None:
    network, _, _ = linear_network()
    x = images()
    found = predict(network, x, seeded(), SIGMA, n=100)
    counted = np.sort(votes(network, x, seeded(), SIGMA, 100), axis=1)
    expected = [binomtest(int(most), int(most + second), 0.5).pvalue <= 0.001 for second, most in counted]
    assert ((found != ABSTAINED) == expected).all()
    assert 0 < (found == ABSTAINED).sum() < 40
    assert (found[found != ABSTAINED] == labels_of(x).numpy()[found != ABSTAINED]).all()


def test_certified_balls_hold_against_attack() -> None:
    """The smoothed network is attacked through the mean over its noise inside 0.95 of every radius: no vote changes."""
    network = Perceptron(hidden=(12,)).build((1, 4, 4), 3, seeded(7)).eval()
    x = images(20)
    smoothed = network.with_noise({"input": _pixel_noise(network, SIGMA)})
    y = torch.from_numpy(votes(network, x, seeded(), SIGMA, 400).argmax(1))
    found = certify(network, x, y, seeded(3), SIGMA, n=4000)
    certified = np.flatnonzero(found["radius"].values > 0)
    assert len(certified) >= 10
    for place in certified[:8]:
        radius = float(found["radius"][place])
        attack = PGD(norm="l2", eps=0.95 * radius, steps=15, draws=64, random_start=False)
        attacked = attack(smoothed, x[place : place + 1], y[place : place + 1], seeded(5))
        assert (attacked - x[place]).norm() > 0.5 * radius
        counted = votes(network, attacked, seeded(6), SIGMA, 4000)[0]
        assert counted.argmax() == y[place]


def _pixel_noise(network: Network, sigma: float) -> SpontaneousNoise:
    noise = WhiteNoise(layer="input", relative_variance=1.0).build(network.width("input"), None, seeded())
    noise.stimulus_variance.fill_(network.width("input") * sigma**2)
    return noise


def test_neither_chunks_nor_modes_change_certificates_of_a_noisy_network() -> None:
    network = Perceptron(hidden=(12,)).build((1, 4, 4), 3, seeded(7), [WhiteNoise(relative_variance=0.5)]).train()
    network.calibrate(images())
    x, y = images(10), torch.zeros(10).long()
    whole, parts = (certify(network, x, y, seeded(), SIGMA, n0=10, n=60, chunk=chunk) for chunk in (10_000, 7))
    assert whole.identical(parts)
    assert network.training
    assert whole.identical(certify(network, x, y, seeded(), SIGMA, n0=10, n=60))
    assert not whole.identical(certify(network.noise_free(), x, y, seeded(), SIGMA, n0=10, n=60))


def test_a_random_base_is_certified_by_its_probabilities() -> None:
    """f flips its answer with probability 0.2: p = 0.8 Φ(d/σ) + 0.2 Φ(-d/σ), whose radius is shorter than the distance."""

    class Flipping(nn.Module):
        stochastic = True

        def __init__(self) -> None:
            super().__init__()
            self.inner = linear_network()[0]

        def sample_logits(self, pixels: torch.Tensor, generator: torch.Generator, draws: int) -> torch.Tensor:
            logits = self.inner(pixels).expand(draws, -1, -1)
            flip = torch.rand(draws, len(pixels), 1, generator=generator) < 0.2
            return torch.where(flip, -logits, logits)

    x = images(10)
    y = labels_of(x).numpy()
    distance = signed_distance(x).abs().numpy()
    p = 0.8 * norm.cdf(distance / SIGMA) + 0.2 * norm.cdf(-distance / SIGMA)
    np.testing.assert_allclose(votes(Flipping(), x, seeded(), SIGMA, 4000)[np.arange(10), y] / 4000, p, atol=0.035)
    found = certify(Flipping(), x, labels_of(x), seeded(1), SIGMA, n=4000)
    assert (found["radius"].values > 0).any()
    assert (found["radius"].values <= SIGMA * np.maximum(norm.ppf(p), 0) + 1e-9).all()


def test_accuracy_falls_with_the_radius_from_that_of_the_vote() -> None:
    network, _, _ = linear_network()
    x = images()
    found = certify(network, x, labels_of(x), seeded(), SIGMA, n=500)
    radii = np.linspace(0, 1, 11)
    accuracy = certified_accuracy(found, radii)
    assert (np.diff(accuracy) <= 0).all()
    assert accuracy[0] == (found["predicted"].values == labels_of(x).numpy()).mean()
    wrong = found.assign_coords(label=("image", 1 - labels_of(x).numpy()))
    assert (certified_accuracy(wrong, radii) == 0).all()


def noise_of(coefficients: np.ndarray, covariance: np.ndarray, *, directions: np.ndarray | None = None, steps: int = 1) -> SpontaneousNoise:
    noise = SpontaneousNoise(6, coefficients, covariance, directions=directions, relative_variance=0.5, steps=steps)
    noise.stimulus_variance.fill_(3.0)
    return noise


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("kind", ["isotropic", "isotropic in time", "directions", "directions in time"])
def test_distances_are_those_of_the_samples_covariance(kind: str, steps: int) -> None:
    """d² = shift' cov⁻¹ shift with the covariance of all steps and units measured on many draws; of directions: within their span."""
    rng = np.random.default_rng(0)
    u = np.linalg.qr(rng.standard_normal((6, 2)))[0] if "directions" in kind else None
    n_components = 1 if u is None else 2
    mixing = rng.standard_normal((n_components, n_components)) + 2 * np.eye(n_components)
    coefficients = 0.6 * np.eye(n_components)[None] if "time" in kind else np.zeros((0, n_components, n_components))
    noise = noise_of(coefficients, mixing @ mixing.T, directions=u, steps=steps)
    sample = noise.sample(60_000, seeded())[:, 0].double().numpy()
    basis = np.eye(6) if u is None else u
    stacked = np.einsum("tiu,uk->itk", sample, basis).reshape(60_000, -1)
    shift = rng.standard_normal((1, basis.shape[1]))
    constant = np.tile(shift[0], steps)
    expected = math.sqrt(constant @ np.linalg.solve(np.cov(stacked.T), constant))
    found = noise_distance(noise, torch.from_numpy(shift @ basis.T).float())
    assert float(found) == pytest.approx(expected, rel=0.02)


def test_a_shift_outside_the_noise_is_infinitely_far() -> None:
    u = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 3)))[0]
    noise = noise_of(np.zeros((0, 2, 2)), np.eye(2), directions=u[:, :2])
    shifts = torch.from_numpy(np.stack([u[:, 0], u[:, 2], u[:, 0] + 1e-3 * u[:, 2], np.zeros(6)])).float()
    assert noise_distance(noise, shifts).isinf().tolist() == [False, True, True, False]


@pytest.mark.parametrize("steps", [1, 4])
def test_the_radius_in_a_layer_is_where_a_linear_readout_changes_its_vote(steps: int) -> None:
    """Behind the noise stands one hyperplane: with T steps the mean logit has √T times less noise, and the true p gives the distance back."""
    noise = noise_of(np.zeros((0, 1, 1)), np.eye(1), steps=steps)
    sigma = math.sqrt(0.5 * 3.0 / 6)
    p = norm.cdf(0.2 / (sigma / math.sqrt(steps)))
    assert feature_radius(noise, np.array([p, 0.3])) == pytest.approx([0.2, 0.0], rel=1e-5)


def test_what_has_no_certificate_is_refused() -> None:
    u = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 2)))[0]
    with pytest.raises(InputError, match=r"no one radius.*use noise_distance"):
        feature_radius(noise_of(np.zeros((0, 2, 2)), np.eye(2), directions=u), np.array([0.9]))
    with pytest.raises(InputError, match="time course"):
        feature_radius(noise_of(np.full((1, 1, 1), 0.5), np.eye(1)), np.array([0.9]))
    poisson = WhiteNoise(relative_variance=0.5, scaling="poisson").build(6, None, seeded())
    with pytest.raises(InputError, match="follows the activity"):
        noise_distance(poisson, torch.zeros(1, 6))
    with pytest.raises(InputError, match="5 units an image, but the noise has 6"):
        noise_distance(noise_of(np.zeros((0, 1, 1)), np.eye(1)), torch.zeros(1, 5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma": 0.0}, "sigma = 0.0"),
        ({"alpha": 0.5}, "alpha = 0.5"),
        ({"n": 0}, "n = 0"),
        ({"n0": 0}, "n0 = 0"),
        ({"chunk": 0}, "chunk = 0"),
        ({"images": images() + 1}, r"pixels must be in \[0, 1\]"),
        ({"labels": torch.zeros(3).long()}, "labels: shape"),
    ],
)
def test_bad_input(change: dict[str, object], message: str) -> None:
    x = images()
    with pytest.raises(InputError, match=message):
        certify(**({"model": linear_network()[0], "images": x, "labels": labels_of(x), "generator": seeded(), "sigma": SIGMA} | change))
