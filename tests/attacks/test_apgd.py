"""APGD: step by step as published, and what its choices are for."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from yuragi.attacks.apgd import APGD
from yuragi.attacks.balls import ball
from yuragi.attacks.losses import LOSSES
from yuragi.attacks.pgd import PGD
from yuragi.attacks.scores import score
from yuragi.errors import InputError


def left(model, attack, unseen, generator) -> torch.Tensor:
    return score(model, attack(model, *unseen, generator), unseen[1], torch.Generator().manual_seed(9), 50).fraction_correct


def by_the_book(model, loss, around, start, label, eps, steps) -> tuple[torch.Tensor, list[float]]:
    """Algorithm 1 of Croce and Hein 2020 for one image, written as it stands there; also the size of every step."""

    def value(x):
        x = x.detach().requires_grad_()
        f = LOSSES[loss](model(x)[None], label).sum()
        return float(f.detach()), torch.autograd.grad(f, x)[0]

    places = [0.0, 0.22]
    while places[-1] < 1:
        places.append(places[-1] + max(places[-1] - places[-2] - 0.03, 0.06))
    checkpoints = [math.ceil(round(p * steps, 9)) for p in places if p <= 1]
    eta, sizes = 2 * eps, []
    x, (f, g) = [start], value(start)
    values, gradients = [f], [g]
    x.append(around.project(x[0] + eta * around.direction(gradients[0])))
    sizes.append(eta)
    f, g = value(x[1])
    values.append(f)
    gradients.append(g)
    best, x_best, g_best = (values[0], x[0], gradients[0]) if values[0] >= values[1] else (values[1], x[1], gradients[1])
    ascents = int(values[1] > values[0])
    eta_before, best_before, before = eta, values[0], 0
    for k in range(1, steps + 1):
        if k in checkpoints:  # the first points after this check are those of a new stretch
            first = ascents < 0.75 * (k - before)
            second = eta_before == eta and best_before == best
            eta_before, best_before, before, ascents = eta, best, k, 0
            if first or second:
                eta /= 2
                x[k], values[k], gradients[k] = x_best, best, g_best
        if k == steps:
            break
        z = around.project(x[k] + eta * around.direction(gradients[k]))
        x.append(around.project(x[k] + 0.75 * (z - x[k]) + 0.25 * (x[k] - x[k - 1])))
        sizes.append(eta)
        f, g = value(x[k + 1])
        values.append(f)
        gradients.append(g)
        ascents += values[k + 1] > values[k]
        if f > best:
            best, x_best, g_best = f, x[k + 1], g
    return x_best, sizes


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("loss", ["cross_entropy", "difference_of_logits"])
def test_every_image_goes_the_published_way(norm, loss, unseen):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 30), torch.nn.Softplus(), torch.nn.Linear(30, 10)).double()
        for layer in (model[1], model[3]):
            torch.nn.init.normal_(layer.weight, std=1.0)
    images, labels = unseen[0][:6].double(), unseen[1][:6]
    eps = {"linf": 0.2, "l2": 1.0}[norm]
    start = ball(norm, images, eps).inside(torch.Generator().manual_seed(4))

    class AllRight(torch.nn.Module):  # no image counts as fooled, so that the best point is the one of the largest loss
        stochastic = True

        def sample_logits(self, images, generator, draws):
            return model(images).expand(draws, -1, -1)

    attack = APGD(norm=norm, eps=eps, steps=60, loss=loss, draws=1)
    found = attack(AllRight(), images, labels, torch.Generator().manual_seed(4))
    halved = 0
    for i in range(len(images)):
        expected, sizes = by_the_book(model, loss, ball(norm, images[i : i + 1], eps), start[i : i + 1], labels[i : i + 1], eps, 60)
        assert torch.allclose(found[i : i + 1], expected, atol=1e-9)
        halved += sizes[-1] < sizes[0]
    assert halved  # else the schedule was not tried


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.1), ("l2", 0.8)])
def test_it_needs_no_step_size(norm, eps, trained, unseen, generator):
    unseen = (unseen[0][:150], unseen[1][:150])

    def loss(attack) -> float:
        return float(score(trained, attack(trained, *unseen, generator), unseen[1], generator, 1).loss.mean())

    found = loss(APGD(norm=norm, eps=eps, drop_fooled=False))
    by_size = [loss(PGD(norm=norm, eps=eps, steps=100, relative_step=size, drop_fooled=False)) for size in (2.5, 50)]
    assert found > 0.99 * max(by_size)
    assert abs(loss(APGD(norm=norm, eps=eps, steps=200, drop_fooled=False)) / found - 1) < 0.02


def test_dropping_never_weakens(trained, unseen, generator):
    with_all, without = (left(trained, APGD(eps=0.08, steps=30, drop_fooled=drops), unseen, generator.manual_seed(1)) for drops in (False, True))
    assert torch.equal(with_all, without)  # one start and one way: the same images are fooled
    assert 0.05 < float(without.mean()) < 0.9


def test_targets_and_restarts_never_weaken(trained, unseen, generator):
    common = {"eps": 0.08, "steps": 10, "loss": "difference_of_logits"}
    one, two, nine = (left(trained, APGD(**common, targets=n), unseen, generator.manual_seed(1)) for n in (1, 2, 9))
    assert one.mean() >= two.mean() >= nine.mean()
    assert one.mean() > nine.mean()
    once, often = (left(trained, APGD(**common, restarts=n), unseen, generator.manual_seed(1)) for n in (1, 4))
    assert (often <= once).all()


def test_the_difference_of_logits_sees_through_large_logits(trained, unseen, generator):
    class Scaled(torch.nn.Module):
        def forward(self, images):
            return 1e5 * trained(images)

    attack = APGD(eps=0.08, steps=30, loss="difference_of_logits")
    plain, scaled = (float(left(model, attack, unseen, generator.manual_seed(1)).mean()) for model in (trained, Scaled()))
    assert abs(plain - scaled) < 0.02


def test_noise_does_not_count_as_success(noisy, unseen, generator):
    # A point that one draw gets wrong is no success: all images take all steps, and end where the mean loss is largest.
    seen = []
    before = noisy.sample_logits

    def counting(images, generator, draws):
        seen.append(len(images))
        return before(images, generator, draws)

    noisy.sample_logits = counting
    attack = APGD(eps=0.05, steps=10, draws=4)
    found = attack(noisy, *unseen, generator, chunk=10_000)
    assert seen == [16, 1, *[len(unseen[0])] * 11]  # after the few images by which the network is judged and its classes counted
    noise = torch.Generator().manual_seed(9)
    assert score(noisy, found, unseen[1], noise, 50).loss.mean() > score(noisy, unseen[0], unseen[1], noise.manual_seed(9), 50).loss.mean() + 0.1


def test_chunks_do_not_matter_under_noise(noisy, unseen):
    from yuragi.noise.streams import NoiseStream

    class Streamed(torch.nn.Module):
        stochastic = True

        def sample_logits(self, images, generator, draws):
            assert isinstance(generator, NoiseStream)
            hidden = noisy.first(images.flatten(1).double())
            noise = generator.normal((draws, len(images), 1), (1, hidden.shape[1]), torch.float64).reshape(draws, *hidden.shape)
            return noisy.last(torch.relu(hidden + 2 * noise))

    noisy.double()
    try:
        images, labels = unseen[0][:20].double(), unseen[1][:20]
        attack = APGD(eps=0.1, steps=6, draws=4, loss="difference_of_logits", targets=2)
        whole, cut = (attack(Streamed(), images, labels, torch.Generator().manual_seed(2), chunk=chunk) for chunk in (10_000, 7))
        assert torch.allclose(whole, cut, atol=1e-9)
    finally:
        noisy.float()


@pytest.mark.parametrize(
    ("fields", "classes", "message"),
    [
        ({"targets": 10}, 10, "targets = 10: the network has 10 classes, so give at most 9"),
        ({"targets": 1, "loss": "difference_of_logits"}, 3, "the network has 3 classes and it needs 4"),
        ({"loss": "difference_of_logits"}, 2, "the network has 2 classes and it needs 3"),
    ],
)
def test_more_targets_than_classes(fields, classes, message, unseen, generator):
    seen = []

    class Counting(torch.nn.Module):
        def forward(self, images):
            seen.append(images.requires_grad)
            return torch.zeros(len(images), classes) + images.flatten(1).sum(1, keepdim=True)

    with pytest.raises(InputError, match=message) as caught:
        APGD(**fields)(Counting(), unseen[0], unseen[1] % classes, generator)
    assert "\n" not in str(caught.value)
    assert seen == [False, False]  # passes to judge the network and to count its classes, and no step


@pytest.mark.parametrize("fields", [{"steps": 0}, {"restarts": 0}, {"targets": -1}, {"loss": "hinge"}, {"draws": 0}])
def test_hyper_parameters_that_make_no_sense(fields):
    with pytest.raises(ValidationError):
        APGD(**fields)
