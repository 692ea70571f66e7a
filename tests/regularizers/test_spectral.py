"""The spectral penalty against its published form, finite differences and planted power laws."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from yuragi.errors import InputError
from yuragi.models.network import Network
from yuragi.models.perceptron import Perceptron
from yuragi.plugins import discover
from yuragi.regularizers.base import Asked, Batch, Penalty, State
from yuragi.regularizers.covariance import layer_covariances
from yuragi.regularizers.spectral import SpectralPenalty, power_law_distance, projected_variances
from yuragi.targets import BrainTarget, Stage

TARGET = BrainTarget({"v1": Stage(1.1), "v4": Stage(0.8)})


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def published_form(activity: torch.Tensor, eigenvectors: torch.Tensor, alpha: float, anchor: int) -> torch.Tensor:
    """Term by term, as the paper's formula reads: the diagonal of V'CV, a loop over ranks."""
    centred = activity - activity.mean(0)
    covariance = centred.T @ centred / (len(activity) - 1)
    eigenvalues = torch.diag(eigenvectors.T @ covariance @ eigenvectors).sort(descending=True).values
    total = torch.zeros((), dtype=activity.dtype)
    for n in range(anchor + 1, len(eigenvalues) + 1):
        value = eigenvalues[n - 1]
        if value > 0:
            gamma = eigenvalues[anchor - 1].detach() * anchor**alpha / n**alpha
            total = total + (value / gamma - 1) ** 2 + torch.relu(value / gamma - 1)
    return total / activity.shape[1]


def orthogonal(width: int, seed: int) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(width, width, generator=seeded(seed), dtype=torch.float64)).Q


def activity_with(variances: torch.Tensor, count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Activity (count, width) whose sample covariance has exactly these eigenvalues, and its eigenvectors."""
    width = len(variances)
    raw = torch.randn(count, width, generator=seeded(seed), dtype=torch.float64)
    white = torch.linalg.qr(raw - raw.mean(0)).Q * (count - 1) ** 0.5
    directions = orthogonal(width, seed + 1)
    return white * variances.sqrt() @ directions.T, directions


def state_of(eigenvectors: torch.Tensor, alpha: float, layer: str = "hidden1") -> State:
    return {f"{layer}/eigenvectors": eigenvectors, f"{layer}/alpha": torch.tensor(alpha, dtype=torch.float64)}


def loss_of(penalty: SpectralPenalty, activities: dict[str, torch.Tensor], state: State) -> torch.Tensor:
    """The penalty of a mini-batch, of which it reads nothing but the activity."""
    count = len(next(iter(activities.values())))
    nothing = torch.zeros(count, 1)
    return penalty.loss(Batch(torch.nn.Identity(), nothing, torch.zeros(count, dtype=torch.int64), nothing, activities, seeded()), state)


def small_network(width: int = 30, seed: int = 0) -> Network:
    return Perceptron(hidden=(width,)).build((1, 6, 6), 3, seeded(seed))


def test_the_room_finds_it() -> None:
    assert discover("yuragi.regularizers", Penalty)["spectral"] is SpectralPenalty


@given(seed=st.integers(0, 1000), alpha=st.floats(0.3, 2.5), anchor=st.integers(1, 12), count=st.sampled_from([5, 20, 100]))
@settings(max_examples=25, deadline=None)
def test_value_and_gradient_are_those_of_the_published_form(seed: int, alpha: float, anchor: int, count: int) -> None:
    generator = seeded(seed)
    scale = torch.arange(1, 21, dtype=torch.float64) ** -0.7
    activity = (3 + torch.randn(count, 20, generator=generator, dtype=torch.float64) * scale).requires_grad_()
    eigenvectors = orthogonal(20, seed)
    penalty = SpectralPenalty(layers={"hidden1": alpha}, weight=1.7, anchor=anchor)
    ours = loss_of(penalty, {"hidden1": activity}, state_of(eigenvectors, alpha))
    theirs = 1.7 * published_form(activity, eigenvectors, alpha, anchor)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    (gradient,) = torch.autograd.grad(ours, activity)
    (expected,) = torch.autograd.grad(theirs, activity)
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-9 * float(expected.abs().max()))


def test_gradient_is_that_of_finite_differences_with_the_anchor_held_fixed() -> None:
    activity = torch.randn(15, 8, generator=seeded(), dtype=torch.float64).requires_grad_()
    eigenvectors = orthogonal(8, 3)
    anchor_variance = projected_variances(activity, eigenvectors)[2].item()

    def tail(values: torch.Tensor) -> torch.Tensor:
        variances = projected_variances(values, eigenvectors)
        # The anchor as a constant: what "detached" means, and what finite differences must then see.
        return power_law_distance(torch.cat([variances[:2], torch.tensor([anchor_variance], dtype=torch.float64), variances[3:]]), 1.0, 3)

    assert torch.autograd.gradcheck(tail, (activity,), eps=1e-6, atol=1e-6)
    (ours,) = torch.autograd.grad(power_law_distance(projected_variances(activity, eigenvectors), 1.0, 3), activity)
    (fixed,) = torch.autograd.grad(tail(activity), activity)
    torch.testing.assert_close(ours, fixed)


@pytest.mark.parametrize("alpha", [0.6, 1.0, 1.5])
def test_zero_on_an_exact_power_law_and_only_there(alpha: float) -> None:
    activity, directions = activity_with(4 * torch.arange(1, 41, dtype=torch.float64) ** -alpha, count=100)
    penalty = SpectralPenalty(layers={"hidden1": alpha})
    exact = loss_of(penalty, {"hidden1": activity}, state_of(directions, alpha))
    other = loss_of(penalty, {"hidden1": activity}, state_of(directions, alpha + 0.2))
    assert exact.item() < 1e-14
    assert other.item() > 1e-3


def test_leading_ranks_are_free() -> None:
    variances = torch.arange(1, 41, dtype=torch.float64) ** -1.0
    assert power_law_distance(torch.cat([variances[:10] * 50, variances[10:]]), 1.0, 11).item() < 1e-14


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["all dead", "rank below the anchor", "repeated", "tiny"])
def test_value_and_gradient_are_finite_on_degenerate_layers(case: str, dtype: torch.dtype) -> None:
    generator = seeded()
    activity = {
        "all dead": torch.full((10, 12), 0.7),
        "rank below the anchor": torch.randn(10, 2, generator=generator) @ torch.randn(2, 12, generator=generator),
        "repeated": torch.eye(12).repeat(3, 1),
        "tiny": 1e-21 * torch.randn(10, 12, generator=generator),
    }[case].to(dtype)
    activity.requires_grad_()
    loss = loss_of(SpectralPenalty(layers={"hidden1": 1.0}, anchor=3), {"hidden1": activity}, state_of(torch.eye(12, dtype=dtype), 1.0))
    (gradient,) = torch.autograd.grad(loss, activity)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


def test_prepare_finds_the_eigenvectors_of_the_whole_set() -> None:
    network, images = small_network(), torch.rand(200, 1, 6, 6, generator=seeded(1))
    state = SpectralPenalty(layers={"hidden1": "v1"}, anchor=5).prepare(network, images, TARGET, {}, seeded())
    activity = network.activities(images, ["hidden1"])["hidden1"].detach()
    expected = np.linalg.eigvalsh(np.cov(activity.double().numpy().T))[::-1]
    assert state.keys() == {"hidden1/eigenvectors", "hidden1/alpha"}
    assert float(state["hidden1/alpha"]) == 1.1
    assert not state["hidden1/eigenvectors"].requires_grad
    np.testing.assert_allclose(projected_variances(activity, state["hidden1/eigenvectors"]).numpy(), expected, rtol=1e-3, atol=1e-7)


def test_last_rank_penalises_the_leading_ranks_only() -> None:
    network, images = small_network(), torch.rand(100, 1, 6, 6, generator=seeded(1))
    penalty = SpectralPenalty(layers={"hidden1": 1.0}, anchor=5, last_rank=12)
    state = penalty.prepare(network, images, None, {}, seeded())
    assert state["hidden1/eigenvectors"].shape == (30, 12)
    activity = network.activities(images, ["hidden1"])
    variances = projected_variances(activity["hidden1"], state["hidden1/eigenvectors"])
    torch.testing.assert_close(loss_of(penalty, activity, state), power_law_distance(variances, 1.0, 5) / 30)


def test_covariance_does_not_depend_on_chunks_and_keeps_the_mode() -> None:
    network, images = small_network().train(), torch.rand(50, 1, 6, 6, generator=seeded(1))
    whole = layer_covariances(network, images, ["hidden1"])["hidden1"]
    torch.testing.assert_close(layer_covariances(network, images, ["hidden1"], chunk=7)["hidden1"], whole, rtol=1e-5, atol=1e-7)
    expected = np.cov(network.activities(images, ["hidden1"])["hidden1"].detach().double().numpy().T)
    np.testing.assert_allclose(whole.numpy(), expected, rtol=1e-5, atol=1e-7)
    assert network.training


def test_a_diverged_network_is_told() -> None:
    network = small_network()
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    with pytest.raises(InputError, match=r"layer 'hidden1': its activity .* is not finite"):
        layer_covariances(network, torch.rand(20, 1, 6, 6), ["hidden1"])


def test_several_layers_add_up() -> None:
    network = Perceptron(hidden=(30, 25)).build((1, 6, 6), 3, seeded())
    images = torch.rand(60, 1, 6, 6, generator=seeded(1))
    total = 0.0
    for layers in ({"hidden1": 1.0}, {"hidden2": "v4"}, {"hidden1": 1.0, "hidden2": "v4"}):
        penalty = SpectralPenalty(layers=layers, weight=0.5)
        value = loss_of(penalty, network.activities(images, layers), penalty.prepare(network, images, TARGET, {}, seeded())).item()
        total += value if len(layers) == 1 else -value
    assert abs(total) < 1e-5


def test_what_it_asks_and_reads() -> None:
    penalty = SpectralPenalty(layers={"hidden1": "v1", "conv1": 0.8}, anchor=5, last_rank=40)
    assert penalty.asks() == {"hidden1": Asked("v1", (5, 40)), "conv1": Asked(0.8, (5, 40))}
    assert penalty.reads() == ("hidden1", "conv1")
    assert penalty.refresh is None
    assert SpectralPenalty(layers={"hidden1": 1.0}).asks()["hidden1"].ranks == (11, None)


def test_a_convolutional_layer_counts_every_channel_at_every_place() -> None:
    activity = torch.randn(20, 2, 3, 2, generator=seeded(), dtype=torch.float64)
    penalty, state = SpectralPenalty(layers={"conv1": 1.0}, anchor=3), state_of(orthogonal(12, 0), 1.0, "conv1")
    assert loss_of(penalty, {"conv1": activity}, state) == loss_of(penalty, {"conv1": activity.flatten(1)}, state)


def test_specifications_compare_hash_and_know_whether_they_need_a_target() -> None:
    one, same = SpectralPenalty(layers={"hidden1": "v1"}), SpectralPenalty.model_validate({"layers": {"hidden1": "v1"}})
    assert one == same
    assert hash(one) == hash(same)
    assert one.needs_target
    assert not SpectralPenalty(layers={"hidden1": 1}).needs_target


@pytest.mark.parametrize(
    "values",
    [{"layers": {}}, {"layers": {"hidden1": -1.0}}, {"layers": {"hidden1": 1.0}, "anchor": 5, "last_rank": 5}, {"layers": {"a": 1.0}, "beta": 1}],
)
def test_wrong_settings_are_refused(values: dict) -> None:
    with pytest.raises(ValidationError):
        SpectralPenalty.model_validate(values)


@pytest.mark.parametrize(
    ("layers", "target", "message"),
    [
        ({"hidden1": "v9"}, TARGET, r"layers.hidden1: stage 'v9' does not exist; .*Known: v1, v4"),
        ({"hidden1": "v1"}, None, r"layers.hidden1: 'v1' names a stage of the brain target, but there is no target"),
        ({"hidden7": 1.0}, None, r"layer 'hidden7' does not exist"),
        ({"output": 1.0}, None, r"layers.output: 3 units leave no rank after the anchor rank 11"),
    ],
)
def test_errors_of_the_user_are_one_line(layers: dict, target: BrainTarget | None, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        SpectralPenalty(layers=layers).prepare(small_network(), torch.rand(40, 1, 6, 6), target, {}, seeded())
    assert "\n" not in str(caught.value)


def test_a_single_image_has_no_variance() -> None:
    with pytest.raises(InputError, match="needs at least 2 images"):
        loss_of(SpectralPenalty(layers={"hidden1": 1.0}), {"hidden1": torch.zeros(1, 20)}, state_of(torch.eye(20), 1.0))


def test_importing_the_plug_in_does_not_load_torch() -> None:
    code = "import sys, yuragi.regularizers.spectral as room; room.SpectralPenalty(layers={'hidden1': 1.0}); sys.exit('torch._C' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_layer_without_variance_is_refused_and_not_taken_for_perfect() -> None:
    network = Perceptron(hidden=(30,)).build((1, 4, 4), 3, seeded())
    with torch.no_grad():
        for parameter in network.layers["hidden1"].parameters():
            parameter.zero_()
    images = torch.rand(60, 1, 4, 4, generator=seeded())
    with pytest.raises(InputError, match="hidden1: its activity has collapsed"):
        SpectralPenalty(layers={"hidden1": 1.0}).prepare(network, images, None, {}, seeded())
