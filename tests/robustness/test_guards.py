"""Networks that would make an evaluation worthless are found; sound ones are let pass."""

from __future__ import annotations

import pytest
import torch

from yuragi.attacks import FGSM, PGD, RandomNoise
from yuragi.errors import InputError
from yuragi.models import CNN
from yuragi.noise import WhiteNoise
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
        (lambda reader: Wrapped(reader, before=lambda x: x.detach()), "gradients", "120 of 120"),
        (lambda reader: Wrapped(reader, before=lambda x: (x > 0.5).to(x.dtype)), "gradients", "120 of 120"),
    ],
    ids=["probabilities", "cut", "thresholded"],
)
def test_masked_gradients_are_found(build, guard, word, reader, unseen, generator):
    verdicts = inspect_network(build(reader), *unseen, generator)
    assert verdicts.suspicious == [guard]
    assert word in verdicts.texts[guard]


@pytest.mark.parametrize("scale", [30.0, 1e4])
def test_saturated_logits_are_found(scale, reader, unseen, generator):
    verdicts = inspect_network(Wrapped(reader, after=lambda z: scale * z), *unseen, generator)
    assert "saturation" in verdicts.suspicious
    assert "underflows in 32 bits" in verdicts.texts["saturation"]
    double = inspect_network(Wrapped(reader.double(), after=lambda z: scale * z), unseen[0].double(), unseen[1], generator)
    assert ("saturation" in double.suspicious) == (scale > 1e3)  # the smallest number of 64 bits is exp -708


class Misled(torch.autograd.Function):
    """Rounded pixels whose gradient belongs to other pixels."""

    @staticmethod
    def forward(context, images):
        return (images * 4).round() / 4

    @staticmethod
    def backward(context, gradient):
        return gradient.flatten(1).roll(17, 1).reshape(gradient.shape)


def stand_in(function):
    """A function whose gradient is said to be 1."""
    return lambda images: images + (function(images) - images).detach()


def coarse_blocks(images):
    """Coefficients of the cosine transform of the whole image, rounded: what JPEG does to a block."""
    size = images.shape[-1]
    frequency, place = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    cosines = torch.cos(torch.pi * frequency * (2 * place + 1) / (2 * size)) * (2 / size) ** 0.5
    cosines[0] /= 2**0.5
    return cosines.T @ ((cosines @ images @ cosines.T) * 2).round() / 2 @ cosines


@pytest.mark.parametrize(
    "before",
    [Misled.apply, stand_in(lambda x: (x * 8).round() / 8), stand_in(lambda x: (x * 255).round() / 255), stand_in(coarse_blocks)],
    ids=["misled", "rounded", "bytes", "compressed"],
)
def test_gradients_of_another_function_are_found(before, reader, unseen, generator):
    verdicts = inspect_network(Wrapped(reader, before=before), *unseen, generator)
    assert verdicts.suspicious == ["ascent"]
    assert "the gradient is not that of the loss" in verdicts.texts["ascent"]


def test_an_undeclared_random_resize_is_found(reader, unseen, generator):
    def resized(images):
        size = int(torch.randint(5, 9, (), generator=generator))
        return torch.nn.functional.interpolate(torch.nn.functional.interpolate(images, size=size), size=8)

    verdicts = inspect_network(Wrapped(reader, before=resized), *unseen, generator)
    assert {"randomness", "ascent"} <= set(verdicts.suspicious)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("robust", [False, True], ids=["plain", "robust"])
def test_trained_networks_raise_no_alarm(seed, robust, digits, unseen, generator):
    network = trained(digits, seed, eps=0.1 if robust else 0.0)
    assert inspect_network(network, *unseen, generator).suspicious == []
    for layer in ("input", "hidden1"):
        noisy = network.with_noise({layer: WhiteNoise(relative_variance=1.0).build(network.width(layer), None, generator)})
        noisy.calibrate(digits[0][:500])
        assert inspect_network(noisy, *unseen, generator).suspicious == []


def trained(digits, seed: int, eps: float):
    """A small convolutional network; with ε above 0 on images attacked by one step."""
    images, labels = digits[0][:1200], digits[1][:1200]
    random = torch.Generator().manual_seed(seed)
    network = CNN().build((1, 8, 8), 10, random)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(25):
        shown = FGSM(eps=eps)(network, images, labels, random) if eps else images
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(shown), labels).backward()
        optimiser.step()
    optimiser.zero_grad()
    return network.eval()


def test_what_a_wrapper_changes_is_found(reader, noisy, unseen, generator):
    def of(model, bare=None) -> str:
        return inspect_network(model, *unseen, generator, bare=bare).texts["wrapper"]

    assert of(reader) == of(noisy) == of(reader, reader) == "ok"
    assert "attacks see a network with accuracy" in of(Wrapped(reader, before=lambda x: 1 - x), reader)
    assert of(Wrapped(reader, before=lambda x: x), lambda x: reader(x).softmax(1)) == "ok"
    # Logits that hang on the other images of a batch: what attacks see in batches is not what one image gets.
    assert of(Wrapped(reader, after=lambda z: z - z.mean(0))).startswith("suspicious")


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
    late = unseen[0].clone()
    late[70:] = 0
    blank = Wrapped(reader, before=lambda x: torch.where(x.flatten(1).sum(1).reshape(-1, 1, 1, 1) == 0, torch.nan, x))
    with pytest.raises(InputError, match="not finite for 50 of 120 images, first for image 70"):
        inspect_network(blank, late, unseen[1], generator, chunk=32)
    broken = inspect_network(Wrapped(reader, before=lambda x: (x - 0.0).sqrt() ** 2), *unseen, generator)
    assert "gradients that are not finite" in broken.texts["gradients"]
    with pytest.raises(InputError, match=r"pixels must be in \[0, 1\]"):
        inspect_network(reader, unseen[0] * 255, unseen[1], generator)
