"""The suite: its parts in order, on what is left; and no success by chance."""

from __future__ import annotations

import pytest
import torch

from yuragi.attacks.losses import margin
from yuragi.attacks.scores import score
from yuragi.attacks.suite import Suite
from yuragi.attacks.turns import in_turn
from yuragi.errors import InputError


def left(model, attacked, labels, seed: int = 9) -> torch.Tensor:
    return score(model, attacked, labels, torch.Generator().manual_seed(seed), 200).fraction_correct


def test_the_published_parts_and_fewer_classes():
    standard = Suite(eps=0.1, norm="l2", steps=70, queries=900).parts(10, stochastic=False)
    assert [part.kind for part in standard] == ["apgd", "apgd", "fab", "square"]
    assert {(part.eps, part.norm) for part in standard} == {(0.1, "l2")}
    assert [part.loss for part in standard[:2]] == ["cross_entropy", "difference_of_logits"]
    assert [part.targets for part in standard[:3]] == [0, 9, 9]
    assert [part.steps for part in standard[:3]] == [70, 70, 70]
    assert standard[3].queries == 900
    assert [(part.loss, part.targets) for part in Suite().parts(3, stochastic=False)[:2]] == [("cross_entropy", 0), ("cross_entropy", 2)]
    assert [part.draws for part in Suite(draws=7).parts(10, stochastic=True)] == [7, 7]
    assert len(Suite().parts(2, stochastic=True)) == 1


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.07), ("l2", 0.5)])
def test_never_weaker_than_a_part_and_only_on_what_is_left(norm, eps, trained, unseen, generator):
    images, labels = unseen[0][:60], unseen[1][:60]
    suite = Suite(norm=norm, eps=eps, steps=8, queries=40)
    with torch.no_grad():
        wrong = trained(images).argmax(1) != labels
    attacked = suite(trained, images, labels, generator)
    assert torch.equal(attacked[wrong], images[wrong])  # nothing is done to what is wrong already
    remaining = left(trained, attacked, labels)
    assert 0 < float(remaining.mean()) < 0.9
    for part in suite.parts(10, stochastic=False):
        assert remaining.mean() <= left(trained, part(trained, images, labels, generator), labels).mean() + 1e-6


def test_later_turns_get_what_earlier_ones_left(trained, unseen, generator):
    images, labels = unseen[0][:50], unseen[1][:50]
    calls = []

    def ruin(left: torch.Tensor) -> torch.Tensor:
        calls.append(left)
        return torch.where((left % 2 == 0)[:, None, None, None], torch.zeros_like(images[left]), images[left])

    found = in_turn([ruin, ruin], images, trained, labels, generator, 1, 1000)
    with torch.no_grad():
        right, blank = trained(images).argmax(1) == labels, trained(torch.zeros_like(images)).argmax(1) == labels
    places = torch.arange(50)
    assert torch.equal(calls[0], places[right])
    assert torch.equal(calls[1], places[right & ((places % 2 == 1) | blank)])
    ruined = right & (places % 2 == 0) & ~blank
    assert torch.equal(found[ruined], torch.zeros_like(images[ruined]))
    assert torch.equal(found[~right], images[~right])


def test_errors_by_chance_are_no_success(trained, unseen, generator):
    # A network that answers at random in a tenth of its draws: with next to no budget its accuracy is what it was, while a search that counts
    # every draw that goes wrong would sooner or later "fool" all of its images.
    class Moody(torch.nn.Module):
        stochastic = True

        def sample_logits(self, images, generator, draws):
            logits = trained(images).expand(draws, -1, -1)
            moody = torch.rand(draws, len(images), 1, generator=generator) < 0.1
            return torch.where(moody, logits.roll(1, 2), logits)

    images, labels = unseen[0][:60], unseen[1][:60]
    attacked = Suite(eps=1e-4, steps=20, draws=4)(Moody(), images, labels, generator)
    clean, after = (float(left(Moody(), candidates, labels).mean()) for candidates in (images, attacked))
    assert clean < 0.92
    assert after == pytest.approx(clean, abs=0.02)


def test_a_noisy_network_takes_every_part(noisy, unseen, generator):
    images, labels = unseen[0][:60], unseen[1][:60]
    suite = Suite(eps=0.07, steps=15, draws=8)
    after = left(noisy, suite(noisy, images, labels, generator), labels)
    assert after.mean() < left(noisy, images, labels).mean() - 0.2
    for part in suite.parts(10, stochastic=True):
        assert after.mean() <= left(noisy, part(noisy, images, labels, generator), labels).mean() + 0.02


def test_without_noise_it_is_the_standard_one(noisy, unseen, generator):
    class WithTwin(torch.nn.Module):
        stochastic = True

        def noise_free(self):
            return torch.nn.Sequential(torch.nn.Flatten(), noisy.first, torch.nn.ReLU(), noisy.last)

    images, labels = unseen[0][:30], unseen[1][:30]
    suite = Suite(eps=0.15, steps=4, queries=10, adapts=False)
    transferred = suite(WithTwin(), images, labels, torch.Generator().manual_seed(3))
    on_twin, stopped = (attack(WithTwin().noise_free(), images, labels, torch.Generator().manual_seed(3)) for attack in (suite.to_the_end(), suite))
    assert torch.equal(transferred, on_twin)
    # What stops at the border of the network without noise would be given back by any noise.
    margins = [margin(WithTwin().noise_free()(found)[None], labels)[0].median() for found in (transferred, stopped)]
    assert margins[0] < margins[1] - 0.05


def test_labels_without_a_class(trained, generator):
    with pytest.raises(InputError, match="labels: 12 occurs but the network has classes 0 to 9"):
        Suite()(trained, torch.rand(2, 1, 8, 8), torch.tensor([0, 12]), generator)
