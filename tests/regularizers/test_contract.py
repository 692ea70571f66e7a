"""What every penalty of the room keeps to: scalar and finite, linear in its weight, deterministic, and without a trace in the network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import get_origin

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from yuragi.errors import InputError
from yuragi.models._statistics import frozen_statistics
from yuragi.models.network import Network
from yuragi.models.perceptron import Perceptron
from yuragi.plugins import any_of, discover
from yuragi.regularizers.base import Asked, Penalty, State
from yuragi.targets import BrainTarget, Stage, StimulusSimilarity

KINDS = discover("yuragi.regularizers", Penalty)
# What suits a layer of 40 units, where the defaults suit larger ones.
SMALLER = {"spectral_constraint": {"ranks": (3, 20)}}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
LAYERS = ("hidden1", "hidden2")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def penalty_of(kind: str, stage: str | None = None, **settings: object) -> Penalty:
    fields, layers = KINDS[kind].model_fields, {}
    if "layers" in fields:
        exponents = get_origin(fields["layers"].annotation) is dict
        layers = {"layers": dict.fromkeys(LAYERS, stage or 1.0) if exponents else LAYERS}
    return KINDS[kind].model_validate(layers | SMALLER.get(kind, {}) | settings)


@pytest.fixture
def network() -> Network:
    return Perceptron(hidden=(40, 40), batch_norm=True).build((1, 6, 6), 5, seeded()).train()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(120, 1, 6, 6, generator=seeded(1))


@pytest.fixture(scope="module")
def target() -> BrainTarget:
    stimuli = torch.rand(40, 1, 6, 6, generator=seeded(2))
    return BrainTarget({"v1": Stage(1.1)}, similarity=StimulusSimilarity(stimuli.numpy(), np.corrcoef(stimuli.flatten(1).numpy())))


def loss_and_gradient(penalty: Penalty, network: Network, images: torch.Tensor, state: State, batch_of: Callable, seed: int = 0):
    with frozen_statistics(network):
        loss = penalty.loss(batch_of(network, images, penalty, seed=seed), state)
    return loss, torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)


def test_the_room_holds_the_published_penalty_and_its_companions() -> None:
    assert {"spectral", "spectral_constraint", "jacobian", "pixel_similarity", "neural_similarity"} <= KINDS.keys()


@EVERY_KIND
def test_the_loss_is_a_finite_scalar_whose_gradient_reaches_the_weights(
    kind: str, network: Network, images: torch.Tensor, target: BrainTarget, batch_of: Callable
) -> None:
    penalty = penalty_of(kind)
    state = penalty.prepare(network, images, target, {}, seeded())
    loss, gradients = loss_and_gradient(penalty, network, images[:60], state, batch_of)
    assert loss.shape == ()
    assert loss.isfinite()
    reached = [gradient for gradient in gradients if gradient is not None]
    assert all(gradient.isfinite().all() for gradient in reached)
    assert max(float(gradient.abs().max()) for gradient in reached) > 0


@EVERY_KIND
def test_the_same_generators_give_the_same_numbers(
    kind: str, network: Network, images: torch.Tensor, target: BrainTarget, batch_of: Callable
) -> None:
    penalty, found = penalty_of(kind), []
    for _ in range(2):
        torch.manual_seed(len(found))  # nothing is drawn from the global source
        state = penalty.prepare(network, images, target, {}, seeded(3))
        found.append((state, *loss_and_gradient(penalty, network, images[:60], state, batch_of, seed=4)))
    (one, loss, gradients), (two, same, others) = found
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert torch.equal(loss, same)
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(gradients, others, strict=True))


@EVERY_KIND
def test_the_loss_is_linear_in_the_weight_and_nothing_without_it(
    kind: str, network: Network, images: torch.Tensor, target: BrainTarget, batch_of: Callable
) -> None:
    losses, gradients = {}, {}
    for weight in (0.0, 0.5, 1.0):
        penalty = penalty_of(kind, weight=weight)
        state = penalty.prepare(network, images, target, {}, seeded())
        loss, found = loss_and_gradient(penalty, network, images[:60], state, batch_of)
        losses[weight], gradients[weight] = loss.detach(), torch.cat([gradient.flatten() for gradient in found if gradient is not None])
    torch.testing.assert_close(losses[1.0], 2 * losses[0.5])
    torch.testing.assert_close(gradients[1.0], 2 * gradients[0.5], rtol=1e-4, atol=1e-6 * float(gradients[1.0].abs().max()))
    assert float(losses[0.0]) == 0
    assert not gradients[0.0].any()


@EVERY_KIND
def test_a_penalty_applied_every_third_step(kind: str) -> None:
    assert [penalty_of(kind, every=3).due(step) for step in range(7)] == [True, False, False, True, False, False, True]
    assert all(penalty_of(kind).due(step) for step in range(7))


@EVERY_KIND
def test_the_state_is_tensors_that_a_checkpoint_holds(
    kind: str, network: Network, images: torch.Tensor, target: BrainTarget, batch_of: Callable, tmp_path
) -> None:
    penalty = penalty_of(kind)
    state = penalty.prepare(network, images, target, {}, seeded())
    assert all(isinstance(name, str) and type(value) is torch.Tensor and not value.requires_grad for name, value in state.items())
    torch.save(state, tmp_path / "state.pt")
    saved = torch.load(tmp_path / "state.pt", map_location="cpu", weights_only=True)
    losses = [loss_and_gradient(penalty, network, images[:60], held, batch_of)[0] for held in (state, saved)]
    assert torch.equal(*losses)
    renewed, resumed = (penalty.prepare(network, images, target, held, seeded(1)) for held in (state, saved))
    assert renewed.keys() == resumed.keys() == state.keys()
    assert all(torch.equal(renewed[name], resumed[name]) for name in renewed)
    report = penalty.report(state)
    assert all(isinstance(name, str) and isinstance(value, float) and np.isfinite(value) for name, value in report.items())


@EVERY_KIND
def test_it_leaves_no_trace_in_the_network_and_its_arguments(
    kind: str, network: Network, images: torch.Tensor, target: BrainTarget, batch_of: Callable
) -> None:
    penalty, before = penalty_of(kind), {name: value.clone() for name, value in network.state_dict().items()}
    given = images.clone()
    state = penalty.prepare(network, images, target, {}, seeded(), chunk=50)
    kept = {name: value.clone() for name, value in state.items()}
    penalty.prepare(network, images, target, state, seeded())
    loss_and_gradient(penalty, network, images[:60], state, batch_of)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, kept[name]) for name, value in state.items())
    assert torch.equal(images, given)


@EVERY_KIND
def test_a_specification_survives_its_text_and_refuses_other_keys(kind: str) -> None:
    penalty = penalty_of(kind, weight=0.3, every=2)
    again = TypeAdapter(any_of("yuragi.regularizers", Penalty)).validate_json(penalty.model_dump_json())
    assert again == penalty
    assert hash(again) == hash(penalty)
    assert penalty_of(kind, weight=0.4, every=2) != penalty
    for wrong in ({"beta": 1}, {"weight": -1}, {"every": 0}):
        with pytest.raises(ValidationError):
            penalty_of(kind, **wrong)
    assert all(field.description for name, field in KINDS[kind].model_fields.items() if name != "kind")


@EVERY_KIND
def test_what_it_reads_asks_and_needs(kind: str, target: BrainTarget) -> None:
    penalty = penalty_of(kind)
    assert set(penalty.reads()) <= set(LAYERS)
    asked = penalty.asks()
    assert isinstance(asked, Mapping)
    assert all(isinstance(value, Asked) for value in asked.values())
    penalty.check(target)
    if penalty.needs_target:
        with pytest.raises(InputError, match="target"):
            penalty.check(None)
    else:
        penalty.check(None)
    if asked:
        named = penalty_of(kind, stage="v9")
        assert named.needs_target
        with pytest.raises(InputError, match=r"stage 'v9' does not exist; .*Known: v1"):
            named.check(target)


@EVERY_KIND
def test_a_layer_that_does_not_exist_is_told_with_those_that_do(kind: str, images: torch.Tensor, target: BrainTarget, batch_of: Callable) -> None:
    penalty = penalty_of(kind)
    if "layers" not in KINDS[kind].model_fields:
        pytest.skip("it names no layer")
    shallow = Perceptron(hidden=(40,)).build((1, 6, 6), 5, seeded())
    with pytest.raises(InputError, match=r"layer 'hidden2' does not exist; .*hidden1.*output"):
        penalty.loss(batch_of(shallow, images[:60], penalty), penalty.prepare(shallow, images, target, {}, seeded()))


def test_no_plug_in_loads_torch_when_it_is_specified() -> None:
    code = (
        "import sys\n"
        "from yuragi.plugins import discover\n"
        "from yuragi.regularizers.base import Penalty\n"
        "assert discover('yuragi.regularizers', Penalty)['spectral_constraint'](layers={'hidden1': 1.0}).refresh == 50\n"
        "print(*[name for name in ('torch._C', 'numpy._core') if name in sys.modules])\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
