"""Networks that would make an evaluation worthless are found; sound ones are let pass."""

from __future__ import annotations

import pytest
import torch

from yuragi.attacks import FGSM, PGD, RandomNoise
from yuragi.errors import InputError
from yuragi.robustness.evaluate import evaluate
from yuragi.robustness.guards import inspect_network, weaker_than_less_informed


class Wrapped(torch.nn.Module):
    """A network behind a function of its logits or images."""

    def __init__(self, inner, after=lambda logits: logits, before=lambda images: images) -> None:
        super().__init__()
        self.inner, self.after, self.before = inner, after, before

    def forward(self, images):
        return self.after(self.inner(self.before(images)))


def test_sound_networks_pass(reader, noisy, unseen, generator):
    for model in (reader, noisy):
        verdicts = inspect_network(model, *unseen, generator)
        assert verdicts.suspicious == []
        assert not verdicts.zero_gradient.any()


@pytest.mark.parametrize(
    ("build", "guard", "word"),
    [
        (lambda reader: Wrapped(reader, after=lambda z: z.softmax(1)), "logits", "probabilities"),
        (lambda reader: Wrapped(reader, after=lambda z: 1e4 * z), "gradients", "gradient 0"),
        (lambda reader: Wrapped(reader, before=lambda x: x.detach()), "gradients", "120 of 120"),
        (lambda reader: Wrapped(reader, before=lambda x: (x > 0.5).to(x.dtype)), "gradients", "120 of 120"),
    ],
    ids=["probabilities", "saturated", "cut", "thresholded"],
)
def test_masked_gradients_are_found(build, guard, word, reader, unseen, generator):
    verdicts = inspect_network(build(reader), *unseen, generator)
    assert verdicts.suspicious == [guard]
    assert word in verdicts.texts[guard]


def test_a_saturated_network_looks_robust_and_is_flagged(reader, unseen, generator):
    saturated = Wrapped(reader, after=lambda z: 1e4 * z).eval()
    attacks = {"pgd": PGD(steps=5, random_start=False)}
    sound, masked = (evaluate(model, *unseen, attacks, [0.1], generator) for model in (reader, saturated))
    assert float(masked["fraction_correct"].mean()) > float(sound["fraction_correct"].mean()) + 0.5  # the same decisions, ...
    assert masked.attrs["guard_gradients"].startswith("suspicious")  # ... so the difference is the attack's failure
    assert float(masked["zero_gradient"].mean()) > 0.5


def test_an_uninformed_attack_that_wins_is_flagged(reader, unseen, generator):
    masked = Wrapped(reader, before=lambda x: x.detach()).eval()
    result = evaluate(masked, *unseen, {"pgd": PGD(random_start=False), "random": RandomNoise(tries=20)}, [0.2], generator)
    assert result.attrs["guard_ordering"].startswith("suspicious: random leaves accuracy")
    assert result.attrs["guard_ordering"].endswith("at ε = 0.2")


def test_ordering():
    attacks = {"pgd": PGD(), "fgsm": FGSM(), "random": RandomNoise()}
    assert weaker_than_less_informed({"pgd": 0.1, "fgsm": 0.2, "random": 0.9}, attacks, 500) == "ok"
    assert weaker_than_less_informed({"pgd": 0.2, "fgsm": 0.19, "random": 0.9}, attacks, 500) == "ok"
    assert weaker_than_less_informed({"pgd": 0.9}, attacks, 500) == "ok"
    assert weaker_than_less_informed({"pgd": 0.4, "fgsm": 0.2}, attacks, 500).startswith("suspicious: fgsm leaves accuracy 0.200, pgd")


def test_randomness_and_its_declaration(reader, noisy, unseen, generator):
    def verdict(model) -> str:
        return inspect_network(model, *unseen, generator).texts["randomness"]

    undeclared = Wrapped(reader, before=lambda x: (x + 0.1 * torch.rand(x.shape, generator=generator)).clamp(0, 1))
    assert "model.stochastic is not True" in verdict(undeclared)
    noisy.deviation = 0.0
    assert "draws are equal" in verdict(noisy)
    noisy.deviation = 0.1
    own = torch.Generator().manual_seed(0)
    original = noisy.sample_logits
    noisy.sample_logits = lambda images, _, draws: original(images, own, draws)
    assert "does not come from the generator" in verdict(noisy)


def test_the_mode_is_told(reader, unseen, generator):
    assert inspect_network(reader, *unseen, generator).texts["mode"] == "ok"
    reader.train()
    assert "training mode" in inspect_network(reader, *unseen, generator).texts["mode"]
    assert reader.training


def test_broken_logits_and_pixels(reader, unseen, generator):
    with pytest.raises(InputError, match="logits are not finite"):
        inspect_network(Wrapped(reader, after=lambda z: z / 0), *unseen, generator)
    with pytest.raises(InputError, match=r"pixels must be in \[0, 1\]"):
        inspect_network(reader, unseen[0] * 255, unseen[1], generator)
