"""Attacks towards a chosen class, and the published number of steps."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from yuragi.attacks.balls import ball
from yuragi.attacks.basic_iterative import BasicIterative
from yuragi.attacks.classes import least_likely, mean_probabilities, random_others
from yuragi.attacks.fgsm import FGSM
from yuragi.attacks.iterative_ll import IterativeLL
from yuragi.attacks.scores import score
from yuragi.attacks.step_ll import StepLL
from yuragi.attacks.step_rnd import StepRnd
from yuragi.errors import InputError


def probabilities(model, images) -> torch.Tensor:
    with torch.no_grad():
        return model(images).softmax(1)


def test_the_step_is_towards_the_least_likely_class(trained, unseen, generator):
    images, labels = unseen
    clean = probabilities(trained, images)
    target = clean.argmin(1)
    attacked = StepLL(eps=0.02)(trained, images, labels, generator)
    gained = (probabilities(trained, attacked) / clean).log().gather(1, target[:, None])
    assert (gained > 0).float().mean() > 0.99
    away = FGSM(eps=0.02)(trained, images, labels, generator)
    assert gained.mean() > (probabilities(trained, away) / clean).log().gather(1, target[:, None]).mean() + 0.1


def test_the_true_class_is_never_the_target():
    # What the network finds least likely is the true class: taken for the target it would mend the image.
    assert least_likely(torch.tensor([[0.0, 0.3, 0.7]]), torch.tensor([0])).tolist() == [1]


def test_random_targets_are_uniform_over_the_wrong_classes(generator):
    labels = torch.arange(5).repeat(4000)
    targets = random_others(5, labels, generator)
    counts = torch.zeros(5, 5).index_put_((labels, targets), torch.tensor(1.0), accumulate=True)
    assert not counts.diagonal().any()
    assert float((counts[~torch.eye(5, dtype=torch.bool)] / 1000 - 1).abs().max()) < 0.15


def test_a_random_target_is_weaker_than_the_true_label(trained, unseen, generator):
    left = {
        a.kind: float(score(trained, a.at(0.1)(trained, *unseen, generator), unseen[1], generator, 1).fraction_correct.mean())
        for a in (FGSM(), StepRnd())
    }
    assert left["fgsm"] < left["step_rnd"] < 0.95


def test_the_target_comes_from_the_mean_over_draws(generator):
    # Under one draw either wrong class is the least likely by chance; on average it is class 2.
    class Swinging(torch.nn.Module):
        stochastic = True

        def sample_logits(self, images, generator, draws):
            swing = 5 * torch.randn(draws, len(images), generator=generator, dtype=images.dtype)
            return torch.stack([3 + images.flatten(1).sum(1).expand(draws, -1), swing, -0.5 - swing], 2)

    images, labels = torch.rand(200, 1, 1, 2, generator=generator), torch.zeros(200, dtype=torch.int64)
    one, many = (least_likely(mean_probabilities(Swinging(), images, labels, generator, draws, 500), labels) for draws in (1, 2000))
    assert 0.3 < (one == 2).float().mean() < 0.7
    assert (many == 2).float().mean() > 0.95


@pytest.mark.parametrize(("levels", "steps"), [(1, 2), (2, 3), (4, 5), (8, 10), (16, 20), (32, 36)])
def test_the_published_number_of_steps(levels, steps):
    assert BasicIterative(eps=levels / 255).number_of_steps == steps
    assert BasicIterative(eps=levels / 255, steps=7).number_of_steps == 7


@pytest.mark.parametrize(("levels", "steps"), [(8, 10), (16, 20), (32, 36)])
def test_a_rounded_size_takes_no_step_more(generator, levels, steps):
    class Counting(torch.nn.Module):
        passes = 0

        def forward(self, images):
            self.passes += 1
            return torch.stack([images.flatten(1).sum(1), 20 * torch.ones(len(images))], 1)

    images, labels = torch.rand(3, 1, 2, 2, generator=generator), torch.ones(3, dtype=torch.int64)
    for eps in (levels / 255, round(levels / 255, 6)):
        attack = BasicIterative(eps=eps, drop_fooled=False)
        assert attack.number_of_steps == steps
        network = Counting()
        attack.within(network, ball("linf", images, torch.full((3,), eps)), labels, generator)
        assert network.passes == steps


def test_all_steps_reach_the_end_of_the_ball(trained, unseen, generator):
    attacked = BasicIterative(eps=0.1, drop_fooled=False)(trained, *unseen, generator)
    assert float((attacked - unseen[0]).abs().amax((1, 2, 3)).min()) == pytest.approx(0.1, abs=1e-6)


def test_iterated_steps_beat_one(trained, unseen, generator):
    def left(attack) -> float:
        return float(score(trained, attack.at(0.1)(trained, *unseen, generator), unseen[1], generator, 1).fraction_correct.mean())

    assert left(BasicIterative()) < left(FGSM())

    def at_target(attack) -> float:
        found = attack.at(0.1)(trained, *unseen, generator)
        return float(probabilities(trained, found).log().gather(1, probabilities(trained, unseen[0]).argmin(1)[:, None]).mean())

    assert at_target(IterativeLL(drop_fooled=False)) > at_target(StepLL()) + 0.1


def test_iterated_steps_end_at_the_target(trained, unseen, generator):
    images, labels = unseen
    target = probabilities(trained, images).argmin(1)
    attacked = IterativeLL(eps=0.4, drop_fooled=False)(trained, images, labels, generator)
    assert (probabilities(trained, attacked).argmax(1) == target).float().mean() > 0.9


def test_dropping_never_weakens(trained, unseen, generator):
    for attack in (BasicIterative, IterativeLL):
        left = [
            score(trained, attack(eps=0.1, drop_fooled=drops)(trained, *unseen, generator), unseen[1], generator, 1).fraction_correct
            for drops in (True, False)
        ]
        assert (left[0] <= left[1]).all()


@pytest.mark.parametrize("attack", [StepLL(), StepRnd(), IterativeLL()], ids=lambda attack: attack.kind)
def test_labels_without_a_class(attack, trained, generator):
    with pytest.raises(InputError, match="labels: 12 occurs but the network has classes 0 to 9"):
        attack(trained, torch.rand(2, 1, 8, 8), torch.tensor([0, 12]), generator)


@pytest.mark.parametrize("fields", [{"steps": 0}, {"step_size": 0}])
@pytest.mark.parametrize("attack", [BasicIterative, IterativeLL])
def test_hyper_parameters_that_make_no_sense(attack, fields):
    with pytest.raises(ValidationError):
        attack(**fields)
