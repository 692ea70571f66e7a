"""Attacks by scores and by answers alone: as good as chance can never be, and where gradients say nothing."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from yuragi.attacks import FGSM, PGD, RandomNoise
from yuragi.attacks._boundary_walk import Walk
from yuragi.attacks._squares import pattern, square_side, start, trial
from yuragi.attacks.balls import ball
from yuragi.attacks.fab import FAB
from yuragi.attacks.hop_skip_jump import HopSkipJump
from yuragi.attacks.scores import score
from yuragi.attacks.square import Square
from yuragi.errors import InputError
from yuragi.models import Perceptron
from yuragi.noise.white import WhiteNoise

FREE = [Square(queries=150), HopSkipJump(queries=300, first_samples=30)]
IDS = [attack.kind for attack in FREE]


def accuracy(model, attack, images, labels, generator) -> float:
    return float(score(model, attack(model, images, labels, generator), labels, torch.Generator().manual_seed(9), 50).fraction_correct.mean())


class Counting(torch.nn.Module):
    """Counts the images that pass, and by how many gradients are asked for."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model, self.passes, self.with_gradient, self.most_at_once = model, 0, 0, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.passes += len(images)
        self.most_at_once = max(self.most_at_once, len(images))
        self.with_gradient += int(torch.is_grad_enabled())
        return self.model(images)


class Saturated(torch.nn.Module):
    """Probabilities of a certain network as logits: in single precision they are 0 and 1, and their gradient is 0."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (1e4 * self.model(images)).softmax(1)


class Rounded(torch.nn.Module):
    """Pixels in few grey levels: the gradient is 0 everywhere and the network as easy to fool as before."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model((images * 16).round() / 16)


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.15), ("l2", 1.0)])
@pytest.mark.parametrize("attack", FREE, ids=IDS)
def test_stronger_than_chance_with_as_many_tries(attack, norm, eps, trained, unseen, generator):
    images, labels = unseen[0][:150], unseen[1][:150]
    chance = accuracy(trained, RandomNoise(tries=attack.queries).at(eps, norm), images, labels, generator)
    found = accuracy(trained, attack.at(eps, norm), images, labels, generator)
    gradients = accuracy(trained, PGD(steps=20).at(eps, norm), images, labels, generator)
    assert gradients - 0.02 < found < chance - 0.1


@pytest.mark.parametrize(
    ("attack", "masked"),
    [(FREE[0], Rounded), (FREE[1], Rounded), (FREE[1], Saturated)],
    ids=["square-rounded", "answers-rounded", "answers-saturated"],
)
def test_a_network_with_masked_gradients_is_found_out(attack, masked, trained, unseen, generator):
    model = masked(trained).eval()
    images, labels = unseen[0][:100], unseen[1][:100]
    by_gradients = [
        accuracy(model, gradients, images, labels, generator) for gradients in (FGSM(eps=0.2), PGD(eps=0.2, steps=10, random_start=False))
    ]
    assert min(by_gradients) > 0.9  # it looks robust ...
    assert accuracy(model, attack.at(0.2), images, labels, generator) < 0.6  # ... and is not


@pytest.mark.parametrize("attack", FREE, ids=IDS)
def test_scale_of_the_logits_hides_nothing(attack, trained, unseen, generator):
    class Scaled(torch.nn.Module):
        def forward(self, images):
            return 1e4 * trained(images)

    images, labels = unseen[0][:60], unseen[1][:60]
    plain, scaled = (attack.at(0.15)(model, images, labels, torch.Generator().manual_seed(5)) for model in (trained, Scaled()))
    assert (trained(plain).argmax(1) == trained(scaled).argmax(1)).float().mean() > 0.9


@pytest.mark.parametrize("attack", FREE, ids=IDS)
def test_no_gradient_is_asked_for_and_the_global_random_state_stays(attack, trained, unseen, generator):
    model = Counting(trained).eval()
    state = torch.random.get_rng_state()
    with torch.enable_grad():
        attack.at(0.15)(model, *unseen, generator, chunk=64)
    assert model.with_gradient == 0
    assert model.most_at_once <= 64
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("attack", FREE, ids=IDS)
def test_queries_bound_the_passes_and_fooled_images_leave(attack, trained, unseen, generator):
    images, labels = unseen[0][:50], unseen[1][:50]
    passes = {}
    for drop in (True, False):
        model = Counting(trained).eval()
        attack._with(drop_fooled=drop).at(0.2)(model, images, labels, generator)
        passes[drop] = model.passes / len(images)
    assert passes[True] < passes[False]
    # A step that is begun is ended: at most a hop and a way to the boundary more, besides the choice of the strongest.
    assert attack.queries * 0.8 <= passes[False] <= attack.queries + 60


@pytest.mark.parametrize("attack", FREE, ids=IDS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_within_the_ball_and_chunks_do_not_matter(attack, norm, noisy, unseen):
    images, labels = unseen[0][:20], unseen[1][:20]
    eps = {"linf": 0.1, "l2": 0.8}[norm]
    attacked = attack._with(queries=40).at(eps, norm)(noisy, images, labels, torch.Generator().manual_seed(1))
    assert float(ball(norm, images, eps).distance(attacked).max()) <= eps * (1 + 1e-6)
    assert 0 <= float(attacked.min()) <= float(attacked.max()) <= 1
    assert not torch.equal(attacked, images)


@pytest.mark.parametrize("attack", FREE, ids=IDS)
def test_noise_belongs_to_images_and_draws(attack):
    network = Perceptron(hidden=(20,)).build(
        (1, 6, 6), 5, torch.Generator().manual_seed(0), noise=[WhiteNoise(layer="hidden1", relative_variance=1.0, steps=2)]
    )
    images = torch.rand(6, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    network.calibrate(images)
    labels = network.noise_free()(images).argmax(1)
    cut = attack._with(queries=20, draws=8).at(0.2)
    whole, parts = (cut(network, images, labels, torch.Generator().manual_seed(1), chunk=chunk) for chunk in (1000, 5))
    assert not torch.equal(whole, images)
    assert torch.allclose(whole, parts, atol=1e-5)


@pytest.mark.parametrize("attack", FREE, ids=IDS)
def test_several_draws_tell_more_than_one(attack, noisy, unseen, generator):
    images, labels = unseen[0][:150], unseen[1][:150]
    one, many = (accuracy(noisy, attack._with(draws=draws).at(0.2), images, labels, generator) for draws in (1, 16))
    chance = accuracy(noisy, RandomNoise(eps=0.2, tries=1), images, labels, generator)
    assert many < one - 0.01
    assert many < chance - 0.05


def test_distance_by_answers_approaches_that_by_gradients(trained, unseen, generator):
    images, labels = unseen[0][:40], unseen[1][:40]
    right = trained(images).argmax(1) == labels
    images, labels = images[right], labels[right]
    for norm in ("l2", "linf"):
        truth = FAB(norm=norm, eps=1.0, steps=15, drop_fooled=False).closest(trained, images, labels, generator).distance
        found = {}
        for queries in (50, 1500):
            attack = HopSkipJump(norm=norm, eps=1e-6, queries=queries)
            found[queries] = attack.closest(trained, images, labels, generator).distance
        assert (found[1500] > 0.97 * truth).all()
        assert float((found[1500] / truth).median()) < {"l2": 1.2, "linf": 1.6}[norm]
        assert float((found[50] / truth).median()) > float((found[1500] / truth).median()) + 0.2


def test_a_walk_that_finds_no_start_leaves_the_image(generator):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([1.0, 0.0]))
    images, labels = torch.rand(3, 1, 2, 2), torch.zeros(3, dtype=torch.int64)
    assert torch.equal(HopSkipJump(queries=50)(model, images, labels, generator), images)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_points_are_brought_to_the_boundary(norm, generator):
    layer = torch.nn.Linear(6, 2, dtype=torch.float64)
    model = torch.nn.Sequential(torch.nn.Flatten(), layer)
    images, beyond = (
        torch.zeros(10, 1, 2, 3, dtype=torch.float64) + 0.1,
        torch.rand(10, 1, 2, 3, generator=generator, dtype=torch.float64) * 0.5 + 0.5,
    )
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0] * 6, [1.0] * 6]))
        layer.bias.copy_(torch.tensor([1.5, 0.0]))
    walk = Walk(model, norm, generator, 1, 1024)
    points = walk.to_boundary(images, beyond, torch.zeros(10, dtype=torch.int64))
    assert (model(points).argmax(1) == 1).all()
    assert torch.allclose(points.flatten(1).sum(1), torch.tensor(1.5, dtype=torch.float64), atol=0.05)
    direction = walk.direction(images, points, torch.zeros(10, dtype=torch.int64), 400, first=False)
    cosine = direction.flatten(1).sum(1) / direction.flatten(1).norm(dim=1) / math.sqrt(6)
    assert float(cosine.min()) > 0.9


def test_sides_shrink_and_squares_stay_inside(generator):
    sides = [square_side("linf", step / 1000, 0.8, (28, 28)) for step in range(1000)]
    assert sides[0] == 25
    assert sides[-1] == 1
    assert sides == sorted(sides, reverse=True)
    images = torch.rand(50, 3, 8, 6, generator=generator)
    around, every = ball("linf", images, 0.1), torch.arange(50)
    first = start("linf", around, generator)
    assert torch.equal(torch.minimum(first - around.low, around.high - first).abs() < 1e-6, torch.ones_like(first).bool())
    changed = trial("linf", around, images, 3, generator, every, 50) != images
    assert (changed.any(1).flatten(1).sum(1) == 9).all()
    assert (changed.any(1).any(2).sum(1) == 3).all()
    places = changed.any(1).any(0)
    assert places.all()  # every pixel is in some square, those of the last row and column too


@pytest.mark.parametrize("side", [1, 3, 5, 9])
def test_patterns_have_size_one_and_two_signs(side):
    drawn = pattern(side, torch.float64)
    assert math.isclose(float(drawn.norm()), 1)
    assert (drawn[:, side // 2 :] < 0).all()
    assert (drawn[:, : side // 2] > 0).all()


def test_the_size_of_an_l2_change_is_spent(generator):
    images = torch.full((20, 1, 12, 12), 0.5)  # no clipping
    around, every = ball("l2", images, 1.0), torch.arange(20)
    current = start("l2", around, generator)
    for side in (7, 3):
        current = trial("l2", around, current, side, generator, every, 20)
        assert torch.allclose(around.distance(current), torch.ones(20), atol=1e-4)


def test_random_numbers_of_an_image_do_not_depend_on_the_others(trained, unseen):
    # Those that are fooled leave; what the others meet stays the same.
    drop, keep = (Square(eps=0.05, queries=60, drop_fooled=drop)(trained, *unseen, torch.Generator().manual_seed(3)) for drop in (True, False))
    right = trained(keep).argmax(1) == unseen[1]
    assert right.any()
    assert torch.equal(right, trained(drop).argmax(1) == unseen[1])
    assert torch.equal(drop[right], keep[right])


def test_what_is_refused(trained, generator):
    with pytest.raises(InputError, match="squares need"):
        Square()(trained, torch.rand(2, 64), torch.tensor([0, 1]), generator)
    for attack in FREE:
        with pytest.raises(InputError, match="labels: 12 occurs but the network has classes 0 to 9"):
            attack(trained, torch.rand(2, 1, 8, 8), torch.tensor([0, 12]), generator)
    for made in (Square, HopSkipJump):
        with pytest.raises(ValidationError):
            made(queries=0)
    with pytest.raises(ValidationError):
        Square(p_init=0)
