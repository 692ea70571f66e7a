"""The spectral constraint against the published penalty in the limit of large batches, finite differences, exact eigenvectors and trained layers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from yuragi.errors import InputError
from yuragi.models import CNN, subspace
from yuragi.models.network import Network
from yuragi.models.perceptron import Perceptron
from yuragi.models.units import samples
from yuragi.regularizers._power_law import exponent, logarithmic_distance
from yuragi.regularizers.base import Asked, State
from yuragi.regularizers.spectral import SpectralPenalty, power_law_distance, projected_variances
from yuragi.regularizers.spectral_constraint import SpectralConstraint, half_variances
from yuragi.spectra import fit_power_law
from yuragi.targets import BrainTarget, Stage
from yuragi.training.settings import TrainingSettings
from yuragi.training.spectra import layer_spectrum
from yuragi.training.standard import train

UNITS = 80
RANKS = (5, 60)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mixing(units: int = UNITS, alpha: float = 1.5) -> torch.Tensor:
    """W whose covariance W W' for white pixels has eigenvalues n^-alpha along random directions."""
    bases = [torch.linalg.qr(torch.randn(units, units, generator=seeded(seed), dtype=torch.float64)).Q for seed in (0, 1)]
    return bases[0] * torch.arange(1, units + 1, dtype=torch.float64) ** (-alpha / 2) @ bases[1].T


def white(count: int, generator: torch.Generator, pixels: int = UNITS) -> torch.Tensor:
    return torch.randn(count, 1, 1, pixels, generator=generator, dtype=torch.float64)


def exact_state(weights: torch.Tensor, alpha: float, weight: float = 1.0, ranks: tuple[int, int | None] = RANKS) -> State:
    variances, directions = torch.linalg.eigh(weights @ weights.T)
    asked = torch.tensor(alpha, dtype=torch.float64)
    return {
        "hidden1/eigenvectors": directions.flip(1)[:, : ranks[1]],
        "hidden1/variances": variances.flip(0)[: ranks[1]],
        "hidden1/alpha": asked,
        "hidden1/along": asked,
        "hidden1/weight": torch.tensor(weight, dtype=torch.float64),
    }


def limit(weights: torch.Tensor, state: State, form: str, alpha: float) -> tuple[float, torch.Tensor]:
    """Value and gradient of the loss for infinitely many images: from the covariance W W' itself."""
    weights = weights.clone().requires_grad_()
    variances = (state["hidden1/eigenvectors"].T @ weights).square().sum(1)
    if form == "logarithmic":
        value = logarithmic_distance(variances, variances, alpha, RANKS, state["hidden1/variances"][-1])
    else:
        value = power_law_distance(variances, alpha, RANKS[0]) / UNITS
    return value.item(), torch.autograd.grad(value, weights)[0]


def gradient_of(penalty: SpectralConstraint | SpectralPenalty, network: Network, images: torch.Tensor, state: State, batch_of: Callable):
    loss = penalty.loss(batch_of(network, images, penalty), state)
    return loss.item(), torch.autograd.grad(loss, network.layers["hidden1"][1].weight)[0]


@pytest.mark.parametrize("distance", ["published", "logarithmic"])
def test_the_gradient_becomes_the_references_in_large_batches(distance: str, linear_network: Callable, batch_of: Callable) -> None:
    weights, alpha = mixing(), 1.2
    network, state = linear_network(weights), exact_state(weights, alpha)
    value, expected = limit(weights, state, distance, alpha)
    penalty = SpectralConstraint(layers={"hidden1": alpha}, ranks=RANKS, distance=distance)
    reference = SpectralPenalty(layers={"hidden1": alpha}, anchor=RANKS[0], last_rank=RANKS[1])
    errors, generator = [], seeded(2)
    for batch, repeats in ((500, 8), (8000, 4)):
        found = [gradient_of(penalty, network, white(batch, generator), state, batch_of)[1] for _ in range(repeats)]
        errors.append(np.mean([float((gradient - expected).norm() / expected.norm()) for gradient in found]))
    # Sixteen times the images, a quarter of the error.
    assert 3.0 < errors[0] / errors[1] < 5.5
    assert errors[1] < 0.2
    many = white(100_000, generator)
    ours, slope = gradient_of(penalty, network, many, state, batch_of)
    assert ours == pytest.approx(value, rel=0.02)
    if distance == "published":
        theirs, reference_slope = gradient_of(reference, network, many, state, batch_of)
        assert ours == pytest.approx(theirs, rel=0.02)
        torch.testing.assert_close(slope, reference_slope, rtol=0, atol=0.03 * float(expected.norm()))


def test_small_batches_leave_the_mean_gradient_and_bend_the_published_one(linear_network: Callable, batch_of: Callable) -> None:
    # Fewer images than units; the nearer the spectrum is to what is asked for, the more a sorted spectrum of few images is off.
    weights, alpha, batch, count = mixing(), 1.3, 64, 800
    network, state = linear_network(weights), exact_state(weights, alpha)
    off = {}
    for name, penalty in {
        "logarithmic": SpectralConstraint(layers={"hidden1": alpha}, ranks=RANKS),
        "published": SpectralConstraint(layers={"hidden1": alpha}, ranks=RANKS, distance="published"),
        "sorted": SpectralPenalty(layers={"hidden1": alpha}, anchor=RANKS[0], last_rank=RANKS[1]),
    }.items():
        value, expected = limit(weights, state, name, alpha)
        generator = seeded(3)
        found = [gradient_of(penalty, network, white(batch, generator), state, batch_of) for _ in range(count)]
        values = np.array([loss for loss, _ in found])
        # Along the true gradient, so that sampling does not hide a bias among thousands of weights.
        slopes = np.array([float((gradient * expected).sum() / expected.square().sum()) for _, gradient in found])
        off[name] = [(numbers.mean() - 1, numbers.std() / count**0.5) for numbers in (values / value, slopes)]
    for name in ("logarithmic", "published"):
        for bias, error in off[name]:
            assert abs(bias) < 4 * error < 0.15, name
    (value_bias, value_error), (slope_bias, slope_error) = off["sorted"]
    assert value_bias - 4 * value_error > 0.1
    assert slope_bias + 4 * slope_error < -0.03


@pytest.mark.parametrize("units", ["dense", "channel", "position", "both"])
def test_variances_of_halves_are_those_of_numpy_and_their_gradient_that_of_finite_differences(units: str) -> None:
    shape = (7, 12) if units == "dense" else (7, 3, 2, 2)
    activity = 2 + torch.randn(shape, generator=seeded(), dtype=torch.float64)
    kind = "both" if units == "dense" else units
    width = samples(activity, kind).shape[1]
    directions = torch.linalg.qr(torch.randn(width, 3, generator=seeded(1), dtype=torch.float64)).Q
    for half, found in zip((activity[:3], activity[3:]), half_variances(activity, directions, kind), strict=True):
        np.testing.assert_allclose(found, np.var((samples(half, kind) @ directions).numpy(), axis=0, ddof=1), rtol=1e-10)
    assert torch.autograd.gradcheck(lambda values: half_variances(values, directions, kind), (activity.requires_grad_(),))


@pytest.mark.parametrize("distance", ["logarithmic", "published"])
@pytest.mark.parametrize("units", ["dense", "channel", "position", "both"])
def test_the_loss_gradient_is_that_of_finite_differences(units: str, distance: str, batch_of: Callable) -> None:
    shape = (8, 6) if units == "dense" else {"channel": (8, 6, 2, 1), "position": (8, 2, 3, 2), "both": (8, 3, 2, 1)}[units]
    activity = torch.randn(shape, generator=seeded(), dtype=torch.float64).requires_grad_()
    penalty = SpectralConstraint(
        layers={"hidden1": 1.0}, ranks=(1, 5), distance=distance, units="both" if units == "dense" else units, tolerance=None, weight=0.7
    )
    state = exact_state(mixing(6), 1.0, weight=0.7, ranks=(1, 5))

    def loss(values: torch.Tensor) -> torch.Tensor:
        return penalty.loss(batch_of(torch.nn.Identity(), torch.zeros(8, 1), hidden1=values), state)

    assert torch.autograd.gradcheck(loss, (activity,))


@pytest.mark.parametrize("distance", ["logarithmic", "published"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["repeated", "low rank", "dead units", "all dead", "tiny", "half dead"])
def test_finite_on_degenerate_activity(case: str, dtype: torch.dtype, distance: str, batch_of: Callable) -> None:
    normal = torch.randn(24, 12, generator=seeded())
    activity = {
        "repeated": torch.eye(12).repeat(2, 1),
        "low rank": normal[:, :2] @ torch.randn(2, 12, generator=seeded(1)),
        "dead units": normal * (torch.arange(12) < 4),
        "all dead": torch.full((24, 12), 0.7),
        "tiny": 1e-21 * normal,
        "half dead": normal * (torch.arange(24) < 12)[:, None],
    }[case].to(dtype)
    penalty = SpectralConstraint(layers={"hidden1": 1.0}, ranks=(2, 10), distance=distance)
    for tracked in (torch.arange(1, 11.0) ** -1, torch.ones(10), torch.zeros(10)):
        state = exact_state(mixing(12), 1.0, ranks=(2, 10)) | {"hidden1/eigenvectors": torch.eye(12)[:, :10], "hidden1/variances": tracked}
        values = activity.clone().requires_grad_()
        loss = penalty.loss(batch_of(torch.nn.Identity(), torch.zeros(24, 1), hidden1=values), state)
        assert loss.isfinite()
        assert torch.autograd.grad(loss, values)[0].isfinite().all()


def test_repeated_eigenvalues_are_measured(linear_network: Callable, batch_of: Callable) -> None:
    network = linear_network(torch.linalg.qr(mixing(30)).Q)
    images = white(400, seeded(), 30)
    penalty = SpectralConstraint(layers={"hidden1": 1.0}, ranks=(2, None))
    state = penalty.prepare(network, images, None, {}, seeded())
    loss, gradient = gradient_of(penalty, network, images[:40], state, batch_of)
    assert math.isfinite(loss)
    assert gradient.isfinite().all()
    assert state["hidden1/found"].isfinite()


@pytest.mark.parametrize(("count", "images"), [(8000, 900), (900, None), (1200, 900)])
def test_the_exponent_does_not_depend_on_how_few_images_it_is_measured_on(count: int, images: int | None, linear_network: Callable) -> None:
    weights = mixing(600, alpha=1.0)
    network, population, ranks = linear_network(weights), white(count, seeded(), 600), (5, 100)
    penalty = SpectralConstraint(layers={"hidden1": 1.0}, ranks=ranks, images=images)
    state = penalty.prepare(network, population, None, {}, seeded(1))
    assert float(state["hidden1/found"]) == pytest.approx(1.0, abs=0.03)
    # Fits to the eigenvalues of 600 images are off, and so are those to the variances of all others along their eigenvectors.
    inside = float(exponent(state["hidden1/variances"], ranks))
    truth = float(exponent((state["hidden1/eigenvectors"].T @ weights).square().sum(1), ranks))
    assert inside < 0.96
    assert truth > 1.03
    # A mini-batch of the training images is asked along these directions for the exponent that a layer with exponent 1 has there.
    along = float(
        exponent(projected_variances(network.activities(population, ["hidden1"])["hidden1"], state["hidden1/eigenvectors"]), ranks).detach()
    )
    assert float(state["hidden1/along"]) == pytest.approx(along, abs=0.04)


def test_tracked_directions_stay_with_the_exact_ones(linear_network: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    units, pixels, (first, last) = 1100, 150, (5, 40)
    generator = seeded(4)
    weights = torch.randn(units, pixels, generator=generator) * torch.arange(1, pixels + 1.0) ** -0.7
    network, images = linear_network(weights), white(1500, generator, pixels).float()
    penalty = SpectralConstraint(layers={"hidden1": 1.0}, ranks=(first, last))
    weight, state = network.layers["hidden1"][1].weight, {}
    for _ in range(5):
        state = penalty.prepare(network, images, None, state, seeded(5))
        with torch.no_grad():
            weight += 0.1 * weight.std() * torch.randn(weight.shape, generator=generator) * torch.arange(1, pixels + 1.0) ** -0.7
    state = penalty.prepare(network, images, None, state, seeded(6))
    monkeypatch.setattr(subspace, "EXACT_UNITS", units)
    wider = SpectralConstraint(layers={"hidden1": 1.0}, ranks=(first, 50)).prepare(network, images, None, {}, seeded(6))["hidden1/eigenvectors"]
    exact = penalty.prepare(network, images, None, {}, seeded(6))
    assert float(state["hidden1/found"]) == pytest.approx(float(exact["hidden1/found"]), abs=0.02)
    # The last ranks, whose eigenvalues lie close together, may take their place among the ten that follow.
    angle = math.degrees(math.acos(min(1.0, float(torch.linalg.svdvals(wider.T @ state["hidden1/eigenvectors"])[-1]))))
    assert angle < 15
    np.testing.assert_allclose(state["hidden1/variances"][:30], exact["hidden1/variances"][:30], rtol=0.05)


@pytest.fixture
def planted(linear_network: Callable) -> tuple[Network, torch.Tensor]:
    return linear_network(mixing()), white(1500, seeded(8))


def weights_over(penalty: SpectralConstraint, planted: tuple[Network, torch.Tensor], times: int) -> list[float]:
    network, images = planted
    state, found = {}, []
    for step in range(times):
        state = penalty.prepare(network, images, None, state, seeded(step))
        found.append(float(state["hidden1/weight"]))
    return found


def test_the_weight_grows_while_the_exponent_is_missed_and_falls_once_it_is_met(planted: tuple[Network, torch.Tensor]) -> None:
    settings = {"ranks": RANKS, "weight": 0.5, "rate": 0.2}
    missed = weights_over(SpectralConstraint(layers={"hidden1": 1.0}, largest_weight=0.8, **settings), planted, 5)
    assert missed == pytest.approx([0.5, 0.5 * math.exp(0.2), 0.5 * math.exp(0.4), 0.8, 0.8])
    met = weights_over(SpectralConstraint(layers={"hidden1": 1.5}, tolerance=0.05, **settings), planted, 100)
    assert (np.diff(met)[:10] < 0).all()
    assert min(met) == met[-1] == pytest.approx(0.005)
    # Too flat is missed as well as too steep.
    assert weights_over(SpectralConstraint(layers={"hidden1": 2.0}, **settings), planted, 2)[1] == pytest.approx(0.5 * math.exp(0.2))
    fixed = weights_over(SpectralConstraint(layers={"hidden1": 1.0}, tolerance=None, **settings), planted, 3)
    assert fixed == [0.5, 0.5, 0.5]
    assert weights_over(SpectralConstraint(layers={"hidden1": 1.0}, ranks=RANKS, weight=0.0), planted, 3) == [0.0, 0.0, 0.0]


def test_the_state_is_resumed_from_tensors_on_the_processor(planted: tuple[Network, torch.Tensor], tmp_path) -> None:
    network, images = planted
    penalty = SpectralConstraint(layers={"hidden1": 1.0}, ranks=RANKS)
    first = penalty.prepare(network, images, None, {}, seeded(0))
    torch.save(first, tmp_path / "state.pt")
    saved = torch.load(tmp_path / "state.pt", map_location="cpu", weights_only=True)
    ours, theirs = (penalty.prepare(network, images, None, state, seeded(1)) for state in (first, saved))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    told = penalty.report(ours)
    assert told.keys() == {"hidden1_alpha", "hidden1_asked", "hidden1_weight"}
    assert told["hidden1_asked"] == 1.0
    assert penalty.report({}) == {}


def trained(architecture, task: Callable, penalty, layers: list[str], ranks: tuple[int, int], units: str, epochs: int) -> tuple[list[float], float]:
    """The exponents of layers over held-out images, and the accuracy there."""
    network = architecture.build((1, 12, 12), 5, seeded(0))
    held_out = task(3000, 2)
    settings = TrainingSettings(epochs=epochs, batch=100, learning_rate=1e-3)
    history = train(network, *task(3000, 1), settings, seed=0, penalty=penalty, validation=held_out)
    alphas = [fit_power_law(layer_spectrum(network, held_out[0], layer, units=units), ranks).alpha for layer in layers]
    return alphas, float(history["held_out_accuracy"].iloc[-1])


@pytest.mark.parametrize(("asked", "batch_norm"), [(1.0, False), (1.3, False), (1.0, True)])
def test_a_trained_layer_reaches_the_exponent(asked: float, batch_norm: bool, task: Callable) -> None:
    architecture = Perceptron(hidden=(150,), batch_norm=batch_norm)
    penalty = SpectralConstraint(layers={"hidden1": asked}, ranks=RANKS, refresh_steps=20)
    (alpha,), accuracy = trained(architecture, task, penalty, ["hidden1"], RANKS, "both", 10)
    assert alpha == pytest.approx(asked, abs=0.05)
    assert accuracy > 0.98


def test_without_the_constraint_or_with_the_published_weight_it_stops_short(task: Callable) -> None:
    architecture = Perceptron(hidden=(150,))
    for penalty in (None, SpectralPenalty(layers={"hidden1": 1.0}, anchor=RANKS[0])):
        (alpha,), _ = trained(architecture, task, penalty, ["hidden1"], RANKS, "both", 10)
        assert alpha > 1.15


def test_convolutional_layers_are_pulled_by_channel(task: Callable) -> None:
    architecture, layers, ranks = CNN(channels=(16, 24), hidden=32), ["conv1", "conv2"], (3, 14)
    plain, _ = trained(architecture, task, None, layers, ranks, "channel", 3)
    penalty = SpectralConstraint(layers=dict.fromkeys(layers, 1.0), ranks=ranks, refresh_steps=15)
    pulled, accuracy = trained(architecture, task, penalty, layers, ranks, "channel", 3)
    assert pulled[0] < plain[0] - 0.3
    assert pulled[1] == pytest.approx(1.0, abs=0.15)
    assert plain[1] > 1.4
    assert accuracy > 0.9


@pytest.mark.parametrize(("units", "width"), [("channel", 6), ("position", 16), ("both", 96)])
def test_the_units_of_a_convolutional_layer(units: str, width: int) -> None:
    network = CNN(channels=(6, 8), hidden=9).build((1, 8, 8), 3, seeded(0)).train()
    images = torch.rand(300, 1, 8, 8, generator=seeded(1))
    penalty = SpectralConstraint(layers={"conv1": 1.0, "hidden1": 1.0}, ranks=(1, 6), units=units)
    state = penalty.prepare(network, images, None, {}, seeded(), chunk=70)
    assert state["conv1/eigenvectors"].shape == (width, 6)
    assert state["hidden1/eigenvectors"].shape == (9, 6)
    again = penalty.prepare(network, images, None, {}, seeded())
    for name, tensor in state.items():
        torch.testing.assert_close(tensor, again[name], rtol=1e-3, atol=1e-4)
    assert network.training


def test_what_it_says_of_itself() -> None:
    penalty = SpectralConstraint(layers={"hidden1": "v1"}, ranks=(3, 40), units="both", refresh_steps=7)
    assert penalty.asks() == {"hidden1": Asked("v1", (3, 40), "both")}
    assert penalty.reads() == ("hidden1",)
    assert penalty.refresh == 7
    assert SpectralConstraint(layers={"hidden1": 1.0}, refresh_steps=None).refresh is None


@pytest.mark.parametrize(
    "values",
    [{"layers": {}}, {"ranks": [5, 6]}, {"ranks": [0, 9]}, {"tolerance": 0}, {"rate": 2}, {"images": 3}, {"distance": "squared"}, {"units": "pixel"}],
)
def test_wrong_settings_are_refused(values: dict) -> None:
    with pytest.raises(ValidationError):
        SpectralConstraint.model_validate({"layers": {"hidden1": 1.0}} | values)


@pytest.mark.parametrize(
    ("values", "target", "message"),
    [
        ({"layers": {"hidden1": "v9"}}, BrainTarget({"v1": Stage(1.1)}), r"layers.hidden1: stage 'v9' does not exist; .*Known: v1"),
        ({"layers": {"hidden1": "v1"}}, None, r"layers.hidden1: 'v1' names a stage of the brain target, but there is no target"),
        ({"layers": {"hidden7": 1.0}}, None, r"layer 'hidden7' does not exist; .*hidden1.*output"),
        ({"ranks": (5, 31)}, None, r"layers.hidden1: it has 30 units, too few for the ranks \[5, 31\]"),
        ({"ranks": (29, None)}, None, r"layers.hidden1: it has 30 units, too few for the ranks \[29, None\]"),
        ({"images": 30}, None, r"layers.hidden1: 20 samples of its activity, two thirds of those drawn, have no 20 ranks; raise 'images'"),
    ],
)
def test_errors_of_the_user_are_one_line(values: dict, target: BrainTarget | None, message: str) -> None:
    network = Perceptron(hidden=(30,)).build((1, 6, 6), 3, seeded(0))
    penalty = SpectralConstraint.model_validate({"layers": {"hidden1": 1.0}, "ranks": (5, 20)} | values)
    with pytest.raises(InputError, match=message) as caught:
        penalty.prepare(network, torch.rand(200, 1, 6, 6, generator=seeded(1)), target, {}, seeded())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("alive", "told"), [(7, "7 directions"), (0, "0 directions")])
def test_dead_units_are_told(alive: int, told: str) -> None:
    network = Perceptron(hidden=(30,), activation="relu").build((1, 6, 6), 3, seeded(0))
    layer = next(module for module in network.layers["hidden1"] if isinstance(module, torch.nn.Linear))
    with torch.no_grad():
        layer.weight[alive:] = 0
        layer.bias.fill_(1.0)
        layer.bias[alive:] = -1
    with pytest.raises(InputError, match=f"layers.hidden1: its activity varies along {told} only, fewer than the 20 ranks"):
        SpectralConstraint(layers={"hidden1": 1.0}, ranks=(5, 20)).prepare(network, torch.rand(200, 1, 6, 6), None, {}, seeded())


def test_a_diverged_layer_is_told_by_name() -> None:
    network = Perceptron(hidden=(30,)).build((1, 6, 6), 3, seeded(0))
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    with pytest.raises(InputError, match=r"layers.hidden1: activity: its covariance is not finite"):
        SpectralConstraint(layers={"hidden1": 1.0}, ranks=(5, 20)).prepare(network, torch.rand(200, 1, 6, 6), None, {}, seeded())


def test_too_few_images_are_told(batch_of: Callable) -> None:
    penalty = SpectralConstraint(layers={"hidden1": 1.0}, ranks=(2, 10))
    with pytest.raises(InputError, match="batch: each half needs at least 2 images, found 3 in all"):
        penalty.loss(batch_of(torch.nn.Identity(), torch.zeros(3, 1), hidden1=torch.zeros(3, 12)), exact_state(mixing(12), 1.0, ranks=(2, 10)))
    network = Perceptron(hidden=(30,)).build((1, 6, 6), 3, seeded(0))
    with pytest.raises(InputError, match="images: a spectrum needs at least 2, found 1"):
        penalty.prepare(network, torch.rand(1, 1, 6, 6), None, {}, seeded())
