"""Networks that are none to attack are refused before any step; gradients that are not numbers do not spoil the pixels."""

from __future__ import annotations

import pytest
import torch

from yuragi.attacks import APGD, FAB, FGSM, PGD, BasicIterative, HopSkipJump, IterativeLL, RandomNoise, Square, StepLL, StepRnd, Suite
from yuragi.attacks.scores import score
from yuragi.errors import InputError

BY_GRADIENT = [FGSM(), StepLL(), StepRnd(), BasicIterative(), IterativeLL(), PGD(), APGD(), FAB(), Suite()]
BY_ANSWERS = [Square(), HopSkipJump(), RandomNoise(tries=2)]


class After(torch.nn.Module):
    """Does something to the logits and remembers whether a gradient was asked for."""

    def __init__(self, model: torch.nn.Module, change) -> None:
        super().__init__()
        self.model, self.change, self.with_gradient = model, change, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.with_gradient += int(torch.is_grad_enabled())
        return self.change(self.model(images))


@pytest.mark.parametrize("attack", [*BY_GRADIENT, *BY_ANSWERS], ids=lambda attack: attack.kind)
def test_logits_that_are_not_finite_are_no_success(attack, trained, unseen, generator):
    model = After(trained, lambda z: z * torch.nan)
    with pytest.raises(InputError, match="its logits are not finite; train it again or check its weights") as caught:
        attack(model, *unseen, generator)
    assert "\n" not in str(caught.value)
    assert model.with_gradient == 0


@pytest.mark.parametrize("attack", BY_GRADIENT, ids=lambda attack: attack.kind)
def test_probabilities_are_refused_where_gradients_are_needed(attack, trained, unseen, generator):
    model = After(trained, lambda z: z.softmax(1))
    with pytest.raises(InputError, match=r"it returns probabilities .* let it return logits"):
        attack(model, *unseen, generator)
    assert model.with_gradient == 0


def test_scores_of_any_kind_do_for_attacks_without_gradients(trained, unseen, generator):
    images, labels = unseen[0][:20], unseen[1][:20]
    found = Square(eps=0.2, queries=50)(After(trained, lambda z: z.softmax(1)), images, labels, generator)
    assert (trained(found).argmax(1) == labels).float().mean() < (trained(images).argmax(1) == labels).float().mean()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    "attack", [FGSM(), PGD(steps=5, random_start=False), APGD(steps=5), FAB(steps=5), BasicIterative(steps=5)], ids=lambda attack: attack.kind
)
def test_a_gradient_that_is_not_a_number_moves_its_pixel_nowhere(attack, norm, trained, unseen, generator):
    class Rooted(torch.nn.Module):
        """The slope of the root is infinite at 0, and infinity times 0 is not a number."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return trained(images.sqrt() ** 2)

    images, labels = unseen[0][:30].clone(), unseen[1][:30]
    images[..., 0, 0] = 0
    attacked = attack.at(0.2, norm)(Rooted(), images, labels, generator)
    assert torch.isfinite(attacked).all()
    assert not torch.equal(attacked, images)


def test_nothing_is_scored_that_is_not_a_number(trained, unseen, generator):
    images = unseen[0].clone()
    images[3, 0, 0, 0] = torch.nan
    with pytest.raises(InputError, match="not finite"):
        score(trained, images, unseen[1], generator, 1)
