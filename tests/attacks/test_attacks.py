"""What holds for every attack: budget, box, state of the network, chunks; and that gradients beat chance."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from yuragi.attacks import APGD, FAB, FGSM, PGD, BasicIterative, HopSkipJump, IterativeLL, RandomNoise, Square, StepLL, StepRnd
from yuragi.attacks.base import Attack, BoundedAttack
from yuragi.attacks.gradients import loss_gradient
from yuragi.attacks.scores import score
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.plugins import discover

ATTACKS = [
    FGSM(),
    PGD(steps=5),
    PGD(steps=3, restarts=2),
    RandomNoise(tries=3),
    FAB(steps=5),
    FAB(steps=3, targets=2, restarts=2),
    Square(queries=30),
    HopSkipJump(queries=60, first_samples=20),
    StepLL(),
    StepRnd(),
    BasicIterative(steps=5),
    IterativeLL(steps=5),
    APGD(steps=5),
    APGD(steps=4, loss="difference_of_logits", targets=2),
]


def accuracy(model, images, labels) -> float:
    return float(score(model, images, labels, torch.Generator().manual_seed(99), draws=50).fraction_correct.mean())


def test_the_contract_is_tried_on_every_attack_in_a_ball():
    assert {attack.kind for attack in ATTACKS} | {"suite"} == set(discover("yuragi.attacks", BoundedAttack))


def test_gradients_find_what_chance_does_not(trained, unseen, generator):
    clean = accuracy(trained, *unseen)
    after = {attack.kind: accuracy(trained, attack(trained, *unseen, generator), unseen[1]) for attack in [a.at(0.1) for a in ATTACKS]}
    assert clean > 0.9
    assert after["pgd"] < clean - 0.5  # a real drop, ...
    assert after["random_noise"] > clean - 0.15  # ... which a change of the same size at random does not cause
    assert after["pgd"] < after["fgsm"]


def test_iterating_raises_the_loss(trained, unseen, generator):
    def loss(attack: Attack) -> torch.Tensor:
        return score(trained, attack(trained, *unseen, generator), unseen[1], generator, 1).loss

    one, many = loss(FGSM(eps=0.1)), loss(PGD(eps=0.1, steps=20, drop_fooled=False))
    assert many.mean() > one.mean()
    assert (many > one - 1e-3).float().mean() > 0.9
    assert abs(float(loss(PGD(eps=0.1, steps=40, drop_fooled=False)).mean() / many.mean()) - 1) < 0.02  # twice the steps change nothing


def test_restarts_never_weaken(trained, unseen, generator):
    state = generator.get_state()
    once = score(trained, PGD(eps=0.1, steps=3)(trained, *unseen, generator.set_state(state)), unseen[1], generator, 1)
    often = score(trained, PGD(eps=0.1, steps=3, restarts=4)(trained, *unseen, generator), unseen[1], generator, 1)
    assert often.fraction_correct.mean() <= once.fraction_correct.mean()
    assert often.loss.mean() > once.loss.mean()


def test_more_tries_of_the_control_are_stronger(trained, unseen, generator):
    few, many = (accuracy(trained, RandomNoise(eps=0.2, tries=n)(trained, *unseen, generator), unseen[1]) for n in (1, 20))
    assert many < few


@pytest.mark.parametrize("attack", [FGSM(eps=0.2), PGD(eps=0.1, steps=10)], ids=["fgsm", "pgd"])
def test_averaging_over_noise_pays(attack, noisy, unseen, generator):
    found = {
        draws: accuracy(noisy, type(attack)(**{**attack.model_dump(), "draws": draws})(noisy, *unseen, generator), unseen[1]) for draws in (1, 32)
    }
    assert found[32] < found[1] - 0.015


def test_the_noise_of_the_selection_flatters_the_attack(noisy, unseen, generator):
    # The best of many tries on few draws looks stronger under those draws than under fresh ones: why evaluations score anew.
    class Remembering(torch.nn.Module):
        stochastic = True

        def __init__(self):
            super().__init__()
            self.least = torch.full((len(unseen[0]),), 1.0)

        def sample_logits(self, images, generator, draws):
            logits = noisy.sample_logits(images, generator, draws)
            self.least = torch.minimum(self.least, (logits.argmax(2) == unseen[1]).float().mean(0))
            return logits

    remembering = Remembering()
    attacked = RandomNoise(eps=0.1, tries=30, draws=2)(remembering, *unseen, generator, chunk=10_000)
    assert accuracy(noisy, attacked, unseen[1]) > float(remembering.least.mean()) + 0.02


def test_draws_are_averaged_however_they_are_cut(noisy, unseen):
    def gradient(chunk: int, draws: int) -> torch.Tensor:
        return loss_gradient(noisy, unseen[0][:20], unseen[1][:20], torch.Generator().manual_seed(0), draws=draws, chunk=chunk)

    whole = gradient(10**6, 4000)
    noisy.most_at_once = 0
    cut = gradient(1500, 4000)
    assert noisy.most_at_once <= 1500
    assert (whole - cut).norm() < 0.1 * whole.norm()  # another set of draws from the same distribution


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.kind)
@pytest.mark.parametrize("chunk", [1, 7, 300])
def test_chunks_do_not_matter_for_a_deterministic_network(attack, chunk, trained, unseen):
    double = torch.nn.Sequential(*trained).double()
    try:
        images, labels = unseen[0][:40].double(), unseen[1][:40]
        whole, cut = (attack.at(0.1)(double, images, labels, torch.Generator().manual_seed(2), chunk=c) for c in (1024, chunk))
        assert torch.allclose(whole, cut, atol=1e-12, rtol=0)
    finally:
        double.float()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.kind)
def test_the_same_generator_gives_the_same_images(attack, noisy, unseen):
    first, again, other = (attack.at(0.1)(noisy, *unseen, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.kind)
def test_no_budget_no_change(attack, noisy, unseen, generator):
    attacked = attack.at(0)(noisy, *unseen, generator)
    assert torch.equal(attacked, unseen[0])
    attacked += 1
    assert float(unseen[0].max()) <= 1  # a copy: the caller's images are not touched


@settings(max_examples=25, deadline=None)
@given(eps=st.floats(0, 1), seed=st.integers(0, 2**31), which=st.integers(0, len(ATTACKS) - 1), double=st.booleans())
def test_in_the_ball_and_in_the_box(eps, seed, which, double):
    generator = torch.Generator().manual_seed(seed)
    dtype = torch.float64 if double else torch.float32
    images = (2 * torch.rand(5, 1, 3, 3, generator=generator, dtype=dtype) - 0.5).clamp(0, 1)
    before = images.clone()
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(9, 4, dtype=dtype))
    attacked = ATTACKS[which].at(eps)(model, images, torch.arange(5) % 4, generator)
    assert attacked.dtype == dtype
    assert attacked.shape == images.shape
    assert not attacked.requires_grad
    assert float(attacked.min()) >= 0
    assert float(attacked.max()) <= 1
    assert float((attacked - images).abs().max()) <= eps + torch.finfo(dtype).eps
    assert torch.equal(images, before)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.kind)
def test_the_network_is_left_as_it_was(attack, unseen, generator):
    images, labels = unseen[0][:16], unseen[1][:16]
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Flatten(), torch.nn.Linear(108, 10)
    )
    model.train()
    model[1].eval()  # a part that the caller has put into evaluation mode
    model[5].weight.requires_grad_(False)
    asked_for_gradient = []
    model[0].weight.register_hook(lambda gradient: asked_for_gradient.append(gradient))
    modes = [module.training for module in model.modules()]
    needs = [parameter.requires_grad for parameter in model.parameters()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    with evaluation_mode(model), torch.no_grad():
        labels = model(images).argmax(1)  # what is wrong already need not be changed
    with torch.no_grad():  # attacks work in there too
        attacked = attack.at(0.1)(model, images, labels, generator)
    assert not torch.equal(attacked, images)
    assert not asked_for_gradient
    assert all(parameter.grad is None for parameter in model.parameters())
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == needs
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_the_mode_comes_back_after_an_error(trained, generator):
    trained.train()
    try:
        with pytest.raises(InputError, match="labels: 12 occurs but the network has classes 0 to 9"):
            FGSM()(trained, torch.rand(2, 1, 8, 8), torch.tensor([0, 12]), generator)
        assert all(module.training for module in trained.modules())
    finally:
        trained.eval()


def test_a_cut_gradient_is_zero(generator):
    class Cut(torch.nn.Module):
        def forward(self, images):
            return images.detach().flatten(1)

    images = torch.rand(2, 1, 1, 3)
    assert not loss_gradient(Cut(), images, torch.tensor([0, 1]), generator, draws=1).any()


@pytest.mark.parametrize("eps", [-0.1, 1.5, 8, float("nan")])
def test_budgets_outside_the_pixel_range(eps):
    if eps == eps:
        with pytest.raises(ValidationError, match=rf"eps = {eps:g} is outside \[0, 1\]"):
            FGSM(eps=eps)
    with pytest.raises(InputError, match=rf"eps = {eps:g} is outside \[0, 1\]"):
        FGSM().at(eps)


@pytest.mark.parametrize(
    "fields",
    [{"steps": 0}, {"relative_step": 0}, {"restarts": 0}, {"restarts": 2, "random_start": False}, {"draws": 0}, {"momentum": 0.9}],
)
def test_hyper_parameters_that_make_no_sense(fields):
    with pytest.raises(ValidationError):
        PGD(**fields)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.full((2, 1, 2, 2), 1.5), torch.zeros(2).long(), r"images: values from 1.5 to 1.5; pixels must be in \[0, 1\]"),
        (torch.full((2, 1, 2, 2), -0.1), torch.zeros(2).long(), "images: values from -0.1"),
        (torch.full((2, 1, 2, 2), float("nan")), torch.zeros(2).long(), "images: values from nan"),
        (torch.zeros(2, 1, 2, 2).long(), torch.zeros(2).long(), "images: shape"),
        (torch.zeros(0, 1, 2, 2), torch.zeros(0).long(), "images: shape"),
        (torch.zeros(2, 1, 2, 2), torch.zeros(3).long(), r"labels: shape \(3,\)"),
        (torch.zeros(2, 1, 2, 2), torch.zeros(2), "labels: shape"),
        (torch.zeros(2, 1, 2, 2), torch.tensor([0, -1]), "labels: -1 occurs"),
    ],
)
@pytest.mark.parametrize("eps", [0, 0.1])
def test_bad_images_and_labels(images, labels, message, eps, generator):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    with pytest.raises(InputError, match=message) as caught:
        FGSM(eps=eps)(model, images, labels, generator)
    assert "\n" not in str(caught.value)


def test_bad_outputs_and_chunks(trained, unseen, generator):
    with pytest.raises(InputError, match="chunk = 0"):
        FGSM()(trained, *unseen, generator, chunk=0)
    with pytest.raises(InputError, match="its logits have shape"):
        FGSM()(torch.nn.Flatten(0), *unseen, generator)
