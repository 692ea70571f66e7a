"""Networks that are none to evaluate, and attacks that the threat model does not allow, are refused before anything is attacked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from yuragi.attacks import FGSM, PGD, Square
from yuragi.errors import InputError
from yuragi.robustness.certificates import certify, predict
from yuragi.robustness.draw_ladder import draw_ladder
from yuragi.robustness.evaluate import evaluate
from yuragi.robustness.loss_surface import loss_surface
from yuragi.robustness.masking import masking_probes
from yuragi.robustness.threat import ThreatModel

IMAGES, LABELS = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3


class Linear(torch.nn.Module):
    """Three classes, and what is done to their logits."""

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))
        self.change, self.with_gradient = change, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.with_gradient += int(torch.is_grad_enabled())
        return self.change(self.layers(images))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


BY_GRADIENT: dict[str, Callable[[torch.nn.Module], Any]] = {
    "evaluate": lambda model: evaluate(model, IMAGES, LABELS, {"pgd": PGD(steps=2)}, [0.1], generator()),
    "masking_probes": lambda model: masking_probes(model, IMAGES, LABELS, 0.1, generator(), attacks={"iterated": PGD(steps=2)}),
    "draw_ladder": lambda model: draw_ladder(model, IMAGES, LABELS, PGD(steps=2), generator()),
    "loss_surface": lambda model: loss_surface(model, IMAGES, LABELS, generator(), extent=0.1, points=3),
}
BY_VOTES: dict[str, Callable[[torch.nn.Module], Any]] = {
    "certify": lambda model: certify(model, IMAGES, LABELS, generator(), 0.1, n0=4, n=8),
    "predict": lambda model: predict(model, IMAGES, generator(), 0.1, n=8),
}


@pytest.mark.parametrize("judged", [*BY_GRADIENT.values(), *BY_VOTES.values()], ids=[*BY_GRADIENT, *BY_VOTES])
def test_logits_that_are_not_finite(judged) -> None:
    model = Linear(lambda z: z * torch.nan)
    with pytest.raises(InputError, match="logits are not finite") as caught:
        judged(model)
    assert "\n" not in str(caught.value)
    assert model.with_gradient == 0


@pytest.mark.parametrize("judged", BY_GRADIENT.values(), ids=BY_GRADIENT)
def test_probabilities_in_place_of_logits(judged) -> None:
    with pytest.raises(InputError, match="it returns probabilities"):
        judged(Linear(lambda z: z.softmax(1)))


def test_a_vote_needs_no_logits() -> None:
    model = Linear(lambda z: z)
    plain = certify(model, IMAGES, LABELS, generator(), 0.1, n0=10, n=50)
    model.change = lambda z: z.softmax(1)
    assert certify(model, IMAGES, LABELS, generator(), 0.1, n0=10, n=50).equals(plain)


def test_labels_without_a_class_are_not_certified() -> None:
    with pytest.raises(InputError, match="labels: 4 occurs but the network has classes 0 to 2"):
        certify(Linear(lambda z: z), IMAGES, LABELS + 2, generator(), 0.1, n0=4, n=8)


@pytest.mark.parametrize(
    ("knowledge", "refused", "allowed"),
    [
        ("answers", {"fgsm": FGSM()}, {"square": Square(queries=2)}),
        ("network without its noise", {"fgsm": FGSM()}, {"fgsm": FGSM(adapts=False)}),
    ],
)
def test_attacks_that_know_more_than_the_adversary(knowledge, refused, allowed) -> None:
    threat = ThreatModel(epsilons=[0.1], knowledge=knowledge)
    with pytest.raises(InputError, match=f"attacks: 'fgsm' knows more .* who knows the {knowledge}"):
        evaluate(Linear(lambda z: z), IMAGES, LABELS, refused, threat, generator())
    assert evaluate(Linear(lambda z: z), IMAGES, LABELS, allowed, threat, generator()).attrs["threat_model"].endswith(f"knows the {knowledge}")
