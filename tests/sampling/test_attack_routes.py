"""Attacks by every route, against networks whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from yuragi.attacks import FGSM, PGD, RandomNoise
from yuragi.errors import InputError
from yuragi.robustness.evaluate import evaluate
from yuragi.robustness.threat import ThreatModel
from yuragi.sampling import Sampler, SamplingSettings
from yuragi.sampling.attack_routes import evaluate_routes, posterior_mean_score, read_out
from yuragi.sampling.attacked import SampledNetwork


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Confident(nn.Module):
    """A fifth of the draws is certain of class 0, the others are for class 1 by little."""

    stochastic = True

    def sample_logits(self, images: torch.Tensor, generator: torch.Generator, draws: int) -> torch.Tensor:
        certain = torch.rand(draws, len(images), generator=generator) < 0.2
        first = torch.where(certain, 6.0, -0.1)
        return torch.stack([first, torch.zeros_like(first)], 2) + 0 * images.flatten(1).sum(1)[None, :, None]


class Led(nn.Module):
    """A fifth of the draws is certain of class 1 and ever more so with brighter pixels; the others are for class 0, and more so with brighter ones.

    The answer, the mean of the draws, falls with the pixel; the mean of their losses rises with it, led by the draws that are wrong anyway.
    """

    stochastic = True

    def __init__(self, averaged: int = 1) -> None:
        super().__init__()
        self.averaged = averaged

    def sample_logits(self, images: torch.Tensor, generator: torch.Generator, draws: int) -> torch.Tensor:
        wrong = torch.rand(draws, self.averaged, len(images), generator=generator) < 0.2
        pixel = images.flatten(1).mean(1)
        first = torch.where(wrong, -10 - 20 * pixel, 8 * (pixel - 0.3))
        return torch.stack([first, torch.zeros_like(first)], 3).log_softmax(3).logsumexp(1)

    def averaging(self, draws: int) -> nn.Module:
        return Led(draws)


def linear(sign: float = 1.0) -> nn.Module:
    layer = nn.Linear(4, 2)
    with torch.no_grad():
        layer.weight.copy_(sign * torch.tensor([[1.0, 2.0, -1.0, 0.5], [-1.0, 1.0, 1.0, -0.5]]))
        layer.bias.zero_()
    return nn.Sequential(nn.Flatten(), layer).eval()


@pytest.fixture(scope="module")
def learned() -> tuple[SampledNetwork, torch.Tensor, torch.Tensor]:
    """A network that tells which half of dark and bright pixels is bright, pixels at 0.1 and 0.9, and its images."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 80)
    halves = np.where(labels[:, None] == (np.arange(8) >= 4), 1, 0) ^ (generator.random((80, 8)) < 0.05)
    posterior = Sampler(SamplingSettings(layers=(8, 6, 2)), generator).learn(halves, labels, sweeps=80, burn_in=40, every=4, quiet=True)
    images = torch.from_numpy(0.1 + 0.8 * halves[:40]).float().reshape(40, 1, 2, 4)
    return SampledNetwork(posterior, (1, 2, 4), 0.5), images, torch.from_numpy(labels[:40])


def test_the_mean_is_not_the_majority():
    images, labels = torch.rand(30, 1, 2, 2), torch.zeros(30).long()
    fared = posterior_mean_score(Confident(), images, labels, seeded(), 400)
    assert fared.mean.bool().all()
    assert not fared.majority.bool().any()
    assert float(fared.draw.mean()) == pytest.approx(0.2, abs=0.02)
    # P(0) = 0.2 σ(6) + 0.8 σ(-0.1)
    p = 0.2 / (1 + np.exp(-6)) + 0.8 / (1 + np.exp(0.1))
    assert float(fared.margin.mean()) == pytest.approx(np.log(p / (1 - p)), abs=0.05)
    assert posterior_mean_score(Confident(), images, 1 - labels, seeded(), 400).majority.bool().all()


def test_attacks_on_the_network_itself_are_those_of_the_plain_evaluation():
    model, images = linear(), torch.rand(40, 1, 2, 2, generator=seeded(1))
    labels = model(images).argmax(1)
    threat, attacks = ThreatModel(epsilons=[0, 0.1, 0.3]), {"fgsm": FGSM(), "random": RandomNoise()}
    found = evaluate_routes(model, images, labels, attacks, threat, seeded())
    assert found["attack"].values.tolist() == ["fgsm", "fgsm_averaged", "fgsm_surrogate", "random", "worst"]
    assert np.array_equal(found["mean_correct"].sel(attack="fgsm_averaged"), found["mean_correct"].sel(attack="fgsm"))
    expected = evaluate(model, images, labels, {"fgsm": FGSM()}, threat, seeded())
    of_fgsm = found.sel(attack="fgsm")
    assert np.array_equal(of_fgsm["mean_correct"], expected["fraction_correct"].sel(attack="fgsm"))
    for name in ("mean", "fraction", "majority"):
        assert np.array_equal(of_fgsm[f"{name}_correct"], of_fgsm["mean_correct"])
    # The worst case of two classes: the margin falls by ε times the L1 norm of the difference of the rows, where no pixel meets its end.
    middle = images * 0.3 + 0.35
    labels = model(middle).argmax(1)
    found = evaluate_routes(model, middle, labels, {"fgsm": FGSM()}, threat, seeded())
    logits = model(middle).detach()
    gap = (logits.max(1).values - logits.min(1).values).numpy()
    norm = float((model[1].weight[0] - model[1].weight[1]).detach().abs().sum())
    for eps in (0.1, 0.3):
        assert np.array_equal(found["mean_correct"].sel(attack="fgsm", epsilon=eps).values > 0, gap > eps * norm)
    assert 0 < float(found["mean_correct"].sel(attack="worst", epsilon=0.1).mean()) < 1


def test_what_is_made_on_another_network_is_shown_to_this_one():
    model, images = linear(), torch.rand(40, 1, 2, 2, generator=seeded(1)) * 0.3 + 0.35
    labels = model(images).argmax(1)
    threat, attacks = ThreatModel(epsilons=[0.1]), {"fgsm": FGSM()}
    same, opposite = (
        evaluate_routes(model, images, labels, attacks, threat, seeded(), surrogate=linear(-1.0), partner=linear(sign)) for sign in (1, -1)
    )
    accuracy = {name: result["mean_correct"].mean("image").sel(epsilon=0.1) for name, result in (("same", same), ("opposite", opposite))}
    assert float(accuracy["same"].sel(attack="fgsm_transfer")) == float(accuracy["same"].sel(attack="fgsm")) < 1
    assert float(accuracy["opposite"].sel(attack="fgsm_transfer")) == 1
    assert float(accuracy["same"].sel(attack="fgsm_surrogate")) == 1
    assert float(accuracy["opposite"].sel(attack="worst")) == float(accuracy["opposite"].sel(attack="fgsm"))


def test_the_loss_of_the_mean_is_not_led_by_draws_that_are_wrong_anyway():
    images, labels = torch.full((20, 1, 2, 2), 0.5), torch.zeros(20).long()
    threat, attacks = ThreatModel(epsilons=[0.3]), {"pgd": PGD(steps=5, draws=50)}
    found = evaluate_routes(Led(), images, labels, attacks, threat, seeded(), surrogate=Led(), scoring_draws=400, selection_draws=400)
    accuracy = found["mean_correct"].mean("image").sel(epsilon=0.3)
    assert float(accuracy.sel(attack="pgd")) == 1
    assert float(accuracy.sel(attack="pgd_averaged")) == 0
    assert float(accuracy.sel(attack="worst")) == 0


def test_the_threshold_protects_every_pixel_that_cannot_reach_it(learned):
    network, images, labels = learned
    threat, attacks = ThreatModel(epsilons=[0, 0.39, 0.45]), {"pgd": PGD(steps=4, draws=4), "random": RandomNoise(tries=1)}
    found = evaluate_routes(network, images, labels, attacks, threat, seeded(), surrogate=network.surrogate(3), scoring_draws=30, selection_draws=20)
    clean = found["clean_mean_correct"]
    assert float(clean.mean()) > 0.9
    assert (found["mean_correct"].sel(epsilon=[0, 0.39]) == clean).all()
    broken = found["mean_correct"].sel(epsilon=0.45).mean("image")
    assert float(broken.sel(attack="pgd")) < 0.2
    assert float(broken.sel(attack="pgd_averaged")) < 0.2
    assert float(broken.sel(attack="pgd_surrogate")) < 0.2
    assert float(broken.sel(attack="random")) > 0.3  # half of the pixels flip: chance
    assert found.attrs["guard_ascent"].startswith("suspicious")
    assert found.attrs["guard_randomness"] == found.attrs["guard_wrapper"] == found.attrs["guard_mode"] == "ok"


def test_results_do_not_depend_on_the_chunks_and_seeds_repeat_them(learned):
    network, images, labels = learned
    threat, attacks = ThreatModel(epsilons=[0.45]), {"fgsm": FGSM(draws=3)}
    found = [
        evaluate_routes(network, images, labels, attacks, threat, seeded(seed), scoring_draws=5, selection_draws=5, chunk=chunk)
        for seed, chunk in ((0, 4096), (0, 7), (1, 4096))
    ]
    assert found[0].drop_attrs().equals(found[1].drop_attrs())
    assert not found[0].drop_attrs().equals(found[2].drop_attrs())


def test_a_readout_takes_the_place_of_the_fraction(learned):
    network, images, labels = learned
    found = evaluate_routes(network, images, labels, {"fgsm": FGSM(draws=3)}, ThreatModel(epsilons=[0.45]), seeded(), scoring_draws=5)
    assert np.array_equal(read_out(found, "mean")["fraction_correct"], found["mean_correct"])
    assert np.array_equal(read_out(found, "majority")["clean_fraction_correct"], found["clean_majority_correct"])
    assert read_out(found, "draw").drop_attrs().equals(found.drop_attrs())
    with pytest.raises(InputError, match="readout = 'median'"):
        read_out(found, "median")


@pytest.mark.parametrize(
    ("attacks", "options", "told"),
    [
        ({}, {}, "none given"),
        ({"worst": FGSM()}, {}, "not called 'worst'"),
        ({"a_transfer": FGSM()}, {}, "ending in"),
        ({"a_averaged": FGSM()}, {}, "ending in _averaged, _surrogate, _transfer"),
        ({"a": FGSM()}, {"scoring_draws": 0}, "scoring_draws = 0"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(attacks, options, told):
    with pytest.raises(InputError, match=told):
        evaluate_routes(linear(), torch.rand(3, 1, 2, 2), torch.zeros(3).long(), attacks, ThreatModel(epsilons=[0.1]), seeded(), **options)
