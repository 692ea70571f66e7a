"""A sampling network as attacks see it: the same answers as its own prediction, draws that are draws, gradients that are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yuragi.attacks import FGSM, PGD
from yuragi.attacks.passes import logits_by_part, noise_stream
from yuragi.errors import InputError
from yuragi.sampling import Sampler, SamplingSettings, predict
from yuragi.sampling.attacked import SampledNetwork

SHAPE = (1, 2, 4)


def learned(layers: tuple[int, ...], *, seed: int = 0, sweeps: int = 30, **settings: object):
    generator = np.random.default_rng(seed)
    bits = generator.random((60, layers[0])) < 0.5
    classes = layers[-1] // int(settings.get("copies", 1))
    labels = bits[:, :1] * 1 if classes == 1 else (bits[:, 0] + (classes > 2) * bits[:, 1]).astype(int)
    return Sampler(SamplingSettings(layers=layers, **settings), generator).learn(bits, labels, sweeps=sweeps, burn_in=10, every=2, quiet=True)


def pixels(n: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(seed))


def bits_of(images: torch.Tensor, threshold: float) -> np.ndarray:
    return (images.flatten(1).numpy() > threshold).astype(np.uint8)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("rule", ["outputs", "one_hot"])
@pytest.mark.parametrize(
    ("layers", "settings"), [((8, 3), {}), ((8, 1), {}), ((8, 6), {"copies": 2}), ((8, 4), {"synapses": 3, "signs": "random", "bias": False})]
)
def test_without_hidden_units_the_mean_over_all_samples_is_the_prediction(layers, settings, rule):
    posterior, images = learned(layers, **settings), pixels(40)
    expected = predict(posterior, bits_of(images, 0.4), np.random.default_rng(0), rule=rule).probabilities
    network = SampledNetwork(posterior, SHAPE, 0.4, forward="mean_field", rule=rule)
    assert not network.stochastic
    np.testing.assert_allclose(network(images).softmax(1).numpy(), expected, atol=2e-5)
    other = SampledNetwork(posterior, SHAPE, 0.7, forward="mean_field", rule=rule)
    assert np.abs(other(images).softmax(1).numpy() - expected).max() > 0.01


@pytest.mark.parametrize(
    ("layers", "settings"), [((8, 5, 3), {}), ((8, 4, 3, 1), {"signs": "presynaptic"}), ((8, 5, 6), {"copies": 2, "synapses": 3})]
)
def test_the_mean_over_draws_is_the_prediction(layers, settings):
    """Both are averages over draws; with as many as here they agree within six standard errors of either, for every image and class."""
    posterior, images = learned(layers, **settings), pixels(12)
    expected = predict(posterior, bits_of(images, 0.5), np.random.default_rng(0), draws=1000).probabilities
    network = SampledNetwork(posterior, SHAPE, 0.5)
    logits = network.sample_logits(images, seeded(), 10000).double()
    mean = network.mean_answer(logits).softmax(1).numpy()
    error = logits.exp().std(0).numpy() / (100 * logits.exp().mean(0).sum(1, keepdim=True).numpy())
    assert (np.abs(mean - expected) < 6 * np.sqrt(2) * error + 1e-4).all()
    # A control: the stand-in without draws is another network.
    assert (np.abs(network.surrogate()(images).softmax(1).numpy() - expected) > 6 * np.sqrt(2) * error + 1e-4).any()


def test_a_draw_of_several_samples_is_their_mean():
    posterior, images = learned((8, 5, 3)), pixels(3)
    one, several = (SampledNetwork(posterior, SHAPE, averaged=averaged) for averaged in (1, 16))
    mean = one.mean_answer(one.sample_logits(images, seeded(), 16000).double())
    logits = several.sample_logits(images, seeded(1), 1000).double()
    error = one.sample_logits(images, seeded(), 2000).exp().std(0) / 16000**0.5
    assert ((several.mean_answer(logits).exp() - mean.exp()).abs() < 6 * 2**0.5 * error).all()
    spread = logits.exp().std(0) / one.sample_logits(images, seeded(), 2000).exp().std(0)
    assert spread.median() == pytest.approx(0.25, abs=0.02)  # 1 / √16


@pytest.mark.parametrize("averaged", [1, 3])
def test_noise_belongs_to_images_and_draws(averaged):
    network, images = SampledNetwork(learned((8, 5, 4, 3)), SHAPE, averaged=averaged), pixels(7)
    found = []
    for chunk in (10000, 9 * averaged, 2 * averaged):
        logits = torch.zeros(4, 7, 3)
        place = dict.fromkeys(range(7), 0)
        for part, some in logits_by_part(network, images, noise_stream(network, seeded()), 4, chunk):
            first = place[part.start]
            logits[first : first + len(some), part] = some
            place[part.start] += len(some)
        found.append(logits)
    assert torch.allclose(found[0], found[1], atol=1e-5)
    assert torch.allclose(found[0], found[2], atol=1e-5)
    assert not torch.allclose(found[0][0], found[0][1], atol=1e-3)
    assert torch.equal(network.sample_logits(images, seeded(3), 2), network.sample_logits(images, seeded(3), 2))


def test_the_gradient_of_the_stand_in_is_its_derivative():
    network = SampledNetwork(learned((8, 5, 4, 3)), SHAPE).surrogate().double()
    bits = torch.rand(3, 8, dtype=torch.float64, generator=seeded()).requires_grad_()

    def logits(values: torch.Tensor) -> torch.Tensor:
        return torch.stack([network._class_scores(network._mean_field(values, sample)) for sample in range(network.samples)]).logsumexp(0)

    assert torch.autograd.gradcheck(logits, bits)
    images = pixels(3).double().requires_grad_()
    gradient = torch.autograd.grad(network(images)[:, 0].sum(), images)[0]
    at_bits = (images.detach() > 0.5).double().flatten(1).requires_grad_()
    assert torch.allclose(gradient.flatten(1), torch.autograd.grad(logits(at_bits)[:, 0].sum(), at_bits)[0])
    assert (gradient != 0).any()


def test_the_gradient_through_draws_is_that_of_the_bits_put_by_the_probabilities():
    """One hidden layer, one sample: by hand, with the derivative of the probability in the place of that of the bit."""
    network, images = SampledNetwork(learned((8, 5, 3)), SHAPE, samples=1), pixels(2).requires_grad_()
    with torch.no_grad():
        hidden = (network.scales[0] * (network.binarise(images.flatten(1)) @ network.weights0[0].T + network.bias0[0])).sigmoid()
    logits = network.sample_logits(images, noise_stream(network, seeded()).begin(), 1)[0]
    gradient = torch.autograd.grad(logits[:, 1].sum(), images)[0].flatten(1)
    stream = noise_stream(network, seeded()).begin()
    stream.normal((1, 2, 1), (1, 1))
    drawn = (torch.special.ndtr(stream.normal((1, 2, 1), (1, 5))[0]) < hidden).float()
    drives = network.scales[1] * (drawn @ network.weights1[0].T + network.bias1[0])
    assert torch.allclose(logits, torch.nn.functional.logsigmoid(drives), atol=1e-6)
    by_hand = (
        (torch.sigmoid(-drives[:, 1:2]) * network.scales[1] * network.weights1[0][1] * hidden * (1 - hidden))
        @ network.weights0[0]
        * network.scales[0]
    )
    assert torch.allclose(gradient, by_hand, atol=1e-6)


def test_attacks_take_it_and_adapt_or_not():
    network, images = SampledNetwork(learned((8, 6, 3), sweeps=60), SHAPE), pixels(20)
    labels = network.surrogate()(images).argmax(1)
    for attack in (PGD(eps=0.3, steps=3, draws=4), FGSM(eps=0.3, draws=4, adapts=False)):
        attacked = attack(network, images, labels, seeded())
        assert (attacked - images).abs().max() <= 0.3 + 1e-6
        assert (network.surrogate()(attacked).argmax(1) == labels).float().mean() < 0.9


def test_bad_input_is_told_in_one_line():
    posterior = learned((8, 5, 3))
    network = SampledNetwork(posterior, SHAPE)
    for wrong, told in [
        (lambda: SampledNetwork(posterior, (1, 3, 3)), "layer 0 has 8 units"),
        (lambda: SampledNetwork(posterior, SHAPE, samples=99), "number = 99: there are 10 samples"),
        (lambda: SampledNetwork(posterior, SHAPE, averaged=0), "averaged = 0"),
        (lambda: SampledNetwork(posterior, SHAPE, averaged=2, forward="mean_field"), "averaged = 2"),
        (lambda: SampledNetwork(posterior, SHAPE, forward="mean"), "forward = 'mean'"),
        (lambda: network(torch.rand(1, 1, 3, 3), seeded()), "the network takes"),
        (lambda: network(pixels(1)), "pass a torch.Generator"),
    ]:
        with pytest.raises(InputError, match=told) as caught:
            wrong()
        assert "\n" not in str(caught.value)
