"""The feature-space attack finds planted images, keeps the best, adapts to the noise it meets, and refuses what it cannot do."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from yuragi.attacks import _feature_space_objective as objectives
from yuragi.attacks.feature_space import FeatureSpace
from yuragi.attacks.feature_space_generator import FeatureSpaceGenerator, _batches, _cut, _padded
from yuragi.attacks.losses import margin
from yuragi.errors import InputError
from yuragi.models import CNN, Network, Perceptron
from yuragi.noise import WhiteNoise

SHAPE = (1, 8, 8)
GENERATOR = FeatureSpaceGenerator(layer="hidden1", epochs=3, width=2, batch=4)
OPTIMISATION = FeatureSpace(layer="hidden1", steps=20)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(noise: list[WhiteNoise] | None = None) -> Network:
    built = Perceptron(hidden=(30,)).build(SHAPE, 3, seeded(), noise or []).requires_grad_(False)
    if noise:
        built.calibrate(images(100))
    return built


def images(n: int = 12) -> torch.Tensor:
    return torch.rand(n, *SHAPE, generator=seeded(1))


@pytest.fixture(params=[OPTIMISATION, GENERATOR], ids=lambda attack: attack.kind)
def attack(request: pytest.FixtureRequest):
    return request.param


class Blind(nn.Module):
    """A layer that sees the left half of the image only."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values[..., : values.shape[-1] // 2].flatten(1)


def half_blind() -> Network:
    """The layer `seen` is linear in the left half; the first of its 32 pixels decides the class."""
    readout = nn.Linear(32, 2)
    with torch.no_grad():
        readout.weight.zero_()
        readout.bias.zero_()
        readout.weight[0, 0], readout.weight[1, 0] = 5.0, -5.0
    return Network({"seen": Blind(), "output": readout}, 2, ((0.5,), (1.0,)), image_shape=SHAPE)


@pytest.mark.parametrize("start", ["noise", "image", "other_class"])
@pytest.mark.parametrize("kappa", [0.0, 2.0])
def test_the_planted_nearest_image_is_found(start: str, kappa: float):
    """The nearest wrong answer changes one pixel to where the margin, 10 times its distance from 0.5, is -κ, and no other that the layer sees."""
    model, x = half_blind(), images()
    x[:, 0, 0, 0] = torch.where(torch.arange(12) % 2 == 0, 0.7, 0.3)
    y = model(x).argmax(1)
    made = FeatureSpace(layer="seen", start=start, kappa=kappa, steps=200, learning_rate=0.05)(model, x, y, seeded())
    change = (made - x)[..., :4].flatten(1)
    assert torch.allclose(change[:, 0].abs(), torch.full((12,), 0.2 + kappa / 10), atol=0.02)
    assert float(change[:, 1:].abs().max()) < 0.03
    assert (margin(model(made), y) <= -kappa + 1e-5).all()
    assert (model(made).argmax(1) != y).all()
    unseen = (made - x)[..., 4:].flatten(1)
    if start == "image":
        assert float(unseen.abs().max()) < 0.06
    else:  # nothing asks for a small change of what the layer does not see
        assert float(unseen.norm(dim=1).min()) > 1


def test_a_larger_margin_is_met_and_costs_distance():
    model, x = network(), images()
    y = model(x).argmax(1)
    distances = []
    for kappa in (0.0, 1.0):
        made = FeatureSpace(layer="hidden1", kappa=kappa, steps=200)(model, x, y, seeded())
        assert (margin(model(made), y) <= -kappa + 1e-4).all()
        found = model.activities(torch.cat([x, made]), ["hidden1"])["hidden1"]
        distances.append((found[:12] - found[12:]).norm(dim=1))
    assert (distances[1] > distances[0]).all()


def test_more_steps_bring_images_nearer():
    model, x = network(), images()
    y = model(x).argmax(1)

    def distance(steps: int) -> torch.Tensor:
        made = FeatureSpace(layer="hidden1", steps=steps)(model, x, y, seeded())
        assert (model(made).argmax(1) != y).all()
        found = model.activities(torch.cat([x, made]), ["hidden1"])["hidden1"]
        return (found[:12] - found[12:]).norm(dim=1)

    few, many = distance(60), distance(150)
    assert many.mean() < few.mean()
    assert (many <= few).float().mean() > 0.7


@pytest.mark.parametrize("where", ["input", "hidden1"])
def test_who_adapts_to_the_noise_fools_it_more_often_than_who_does_not(where: str):
    noisy, x = network([WhiteNoise(layer=where, relative_variance=0.5)]), images(40)
    y = noisy.noise_free()(x).argmax(1)

    def still_right(attack: FeatureSpace) -> float:
        made = attack(noisy, x, y, seeded())
        assert (noisy.noise_free()(made).argmax(1) != y).all()
        mean = noisy.sample_logits(made, seeded(5), 500).softmax(2).mean(0)
        return float((margin(mean, y) > 0).float().mean())

    # With half a logit to spare, against the sampling error of the draws at the boundary itself.
    chosen = {"layer": "hidden1", "steps": 150, "draws": 30}
    deaf, adapted = still_right(FeatureSpace(**chosen, adapts=False)), still_right(FeatureSpace(**chosen, kappa=0.5))
    assert deaf > 0.2
    assert adapted < 0.06


def test_the_gradient_is_that_of_the_formula_whatever_the_chunk():
    noisy, x = network([WhiteNoise(relative_variance=0.5)]).double(), images(4).double()
    y, other = noisy.noise_free()(x).argmax(1), torch.rand(4, *SHAPE, generator=seeded(3)).double()
    kappa, weights, draws = 1.0, (0.7, 0.4), 6
    found = {}
    for chunk in (1000, 5):
        objective = objectives.Objective(noisy, "hidden1", x, y, kappa=kappa, weights=weights, draws=draws, relative=False, chunk=chunk)
        found[chunk] = objective(other, slice(None), seeded(4))
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(found[1000], found[5], strict=True))

    from yuragi.attacks.passes import fresh_seed
    from yuragi.noise.streams import NoiseStream

    pixels = other.clone().requires_grad_()
    plain = noisy.noise_free()
    hidden = (plain.activities(pixels, ["hidden1"])["hidden1"] - plain.activities(x, ["hidden1"])["hidden1"]).square().mean(1)
    mean = noisy.sample_logits(pixels, NoiseStream(fresh_seed(seeded(4))).begin(), draws).softmax(2).mean(0)
    total = hidden + weights[0] * (margin(plain(pixels), y) + kappa).clamp(min=0)
    total = total + weights[1] * (margin(mean, y) + math.tanh(kappa / 2)).clamp(min=0)
    expected = torch.autograd.grad(total.sum(), pixels)[0]
    assert torch.allclose(found[1000].gradient, expected, atol=1e-12)
    assert torch.allclose(found[1000].hidden, hidden.detach(), atol=1e-12)
    assert torch.allclose(found[1000].noisy_margin, margin(mean, y).detach(), atol=1e-12)
    assert float(found[1000].gradient.abs().max()) > 1e-3


@pytest.mark.parametrize(("weight", "kappa"), [(0.01, 0.0), (30.0, 0.5)], ids=["layer", "answer"])
def test_the_generator_lowers_what_weighs(weight: float, kappa: float):
    model, x = network(), images(16)
    y = model(x).argmax(1)
    chosen = {"layer": "hidden1", "width": 4, "batch": 16, "rates": (3e-3, 1e-3), "adversarial_weight": 0.01, "logit_weight": weight, "kappa": kappa}

    def told(epochs: int) -> tuple[float, float]:
        made = FeatureSpaceGenerator(**chosen, epochs=epochs)(model, x, y, seeded())
        found = model.activities(torch.cat([x, made]), ["hidden1"])["hidden1"]
        return float((found[:16] - found[16:]).norm(dim=1).mean()), float((margin(model(made), y) + kappa).clamp(min=0).mean())

    first, last = told(1), told(40)
    if weight < 1:
        assert last[0] < 0.7 * first[0]
    else:
        assert last[1] < 0.3 * first[1]


def test_the_generator_sees_pictures_of_sides_that_it_can_halve():
    x = torch.rand(2, 3, 28, 30, generator=seeded())
    padded = _padded(x)
    assert padded.shape == (2, 3, 32, 32)
    assert torch.equal(_cut(padded, x), x)
    assert torch.equal(padded[:, :, 0, 1:31], x[:, :, 0])
    assert _padded(padded).shape == padded.shape


def test_no_batch_of_one_image():
    assert _batches(9, 4) == [slice(0, 4), slice(4, 9)]
    assert _batches(8, 4) == [slice(0, 4), slice(4, 8)]
    assert _batches(10, 4) == [slice(0, 4), slice(4, 8), slice(8, 10)]


def test_held_out_images_do_not_shape_the_others():
    model, x = network(), images()
    attack = FeatureSpaceGenerator(layer="hidden1", epochs=3, width=2, batch=4, held_out=4, relative=False)
    y = model(x).argmax(1)
    first = attack(model, x, y, seeded())
    x[8:] = 1 - x[8:]
    again = attack(model, x, y, seeded())
    assert torch.equal(first[:8], again[:8])
    assert not torch.equal(first[8:], again[8:])


def test_spectral_norms_are_one_and_widths_as_published():
    from yuragi.attacks._feature_space_networks import Discriminator, Generator

    with torch.random.fork_rng():
        torch.manual_seed(0)
        made, judge = Generator(3, 2).train(), Discriminator(3, 32, 32, 2).train()
        for _ in range(30):
            made(torch.rand(4, 3, 32, 32)), judge(torch.rand(4, 3, 32, 32))
    weights = [module.weight for module in [*made.modules(), *judge.modules()] if isinstance(module, nn.Conv2d | nn.Linear)]
    assert [float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2)) for weight in weights] == pytest.approx([1.0] * len(weights), abs=0.05)
    transposed = [module for module in made.modules() if isinstance(module, nn.ConvTranspose2d)]
    assert [module.out_channels for module in transposed] == [16, 8, 4, 2, 2]
    assert [module.out_channels for module in made.modules() if isinstance(module, nn.Conv2d)] == [2, 4, 8, 16, 16, 16, 3]


def test_what_holds_for_every_attack(attack):
    model = CNN(channels=(2, 3), hidden=8, batch_norm=True).build(SHAPE, 3, seeded()).train()
    x = images()
    y = torch.arange(12) % 3
    state = {name: value.clone() for name, value in model.state_dict().items()}
    before, chance = x.clone(), torch.random.get_rng_state()
    with torch.no_grad():
        first, again, other = (attack(model, x, y, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == x.shape
    assert not first.requires_grad
    assert 0 <= float(first.min()) <= float(first.max()) <= 1
    assert torch.equal(x, before)
    assert torch.equal(torch.random.get_rng_state(), chance)
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("noise", [[], [WhiteNoise(relative_variance=0.5)]], ids=["plain", "noisy"])
def test_chunks_do_not_matter(attack, noise):
    model, x = network(noise).double(), images().double()
    y = model.noise_free()(x).argmax(1)
    whole, cut = (attack(model, x, y, seeded(), chunk=chunk) for chunk in (1000, 7))
    assert torch.allclose(whole, cut, atol=1e-5)


def test_bad_input(attack):
    model, x, y = network(), images(), torch.arange(12) % 3
    with pytest.raises(InputError, match="layer 'hidden7' does not exist"):
        attack.model_copy(update={"layer": "hidden7"})(model, x, y, seeded())
    with pytest.raises(InputError, match=r"Sequential has no named layers; give a yuragi.models.Network"):
        attack(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), x, y, seeded())
    with pytest.raises(InputError, match="labels: 7 occurs"):
        attack(model, x, torch.full((12,), 7), seeded())
    with pytest.raises(InputError, match="pixels must be in"):
        attack(model, x + 1, y, seeded())
    with torch.no_grad():
        model.layers["output"].bias.fill_(math.nan)
    with pytest.raises(InputError, match="not finite"):
        attack(model, x, y, seeded())


def test_starts_and_held_out_images_that_leave_nothing():
    with pytest.raises(InputError, match="start = 'other_class': all images are of one class"):
        FeatureSpace(layer="hidden1", start="other_class")(network(), images(), torch.zeros(12).long(), seeded())
    with pytest.raises(InputError, match="held_out = 11: 1 of 12 images are left"):
        FeatureSpaceGenerator(layer="hidden1", held_out=11)(network(), images(), torch.zeros(12).long(), seeded())


@pytest.mark.parametrize("fields", [{"steps": 0}, {"kappa": -1}, {"start": "elsewhere"}, {"learning_rate": 0}, {"eps": 0.1}, {"logit_weight": 0}])
def test_hyper_parameters_that_make_no_sense(fields: dict[str, object]):
    with pytest.raises(ValidationError):
        FeatureSpace(**{"layer": "hidden1"} | fields)


@pytest.mark.parametrize("fields", [{"epochs": 0}, {"batch": 1}, {"width": 0}, {"rates": (0, 1)}, {"held_out": -1}])
def test_generators_that_make_no_sense(fields: dict[str, object]):
    with pytest.raises(ValidationError):
        FeatureSpaceGenerator(**{"layer": "hidden1"} | fields)
