"""The ladder of noise draws: steep where one draw misleads, flat where it does not."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from yuragi.attacks import FGSM, PGD
from yuragi.errors import InputError
from yuragi.robustness.draw_ladder import draw_ladder


class SignedNoise(torch.nn.Module):
    """A linear network whose slopes are so noisy that the gradient of one draw says little, and that of many the truth."""

    stochastic = True

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation
        weights = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
        self.weights = torch.nn.Parameter(weights)

    def sample_logits(self, images, generator, draws):
        noise = torch.randn(draws, len(images), *self.weights.shape, generator=generator)
        return torch.einsum("dico,io->dic", self.weights + self.deviation * noise, images.flatten(1) - 0.5)

    def noise_free(self):
        return torch.nn.Sequential(Linear(self.weights))


class Linear(torch.nn.Module):
    def __init__(self, weights) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, images):
        return (images.flatten(1) - 0.5) @ self.weights.T


@pytest.fixture
def planted():
    """A noisy linear network and images that it gets right without noise."""
    network = SignedNoise(deviation=1.0)
    images = torch.rand(150, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    return network, images, network.noise_free()(images).argmax(1).detach()


def test_more_draws_are_stronger_until_flat(planted, generator):
    found = draw_ladder(*planted, FGSM(eps=0.2), generator, draws=(1, 5, 20, 50, 200), tolerance=0.02)
    rungs = found.table[found.table["attack"] == "rung"]
    assert found.flat
    assert rungs["attack_draws"].tolist() == [1, 5, 20, 50, 200][: len(rungs)]
    assert rungs["difference"].iloc[1] > 0.05
    assert rungs["accuracy"].is_monotonic_decreasing or rungs["difference"].iloc[-1] <= 0.02
    assert rungs["flat"].tolist() == [False] * (len(rungs) - 1) + [True]
    assert str(found).startswith(f"ok: flat at {rungs['attack_draws'].iloc[-1]} draws")


def test_one_step_of_too_few_draws_is_not_flat(planted, generator):
    found = draw_ladder(*planted, FGSM(eps=0.2), generator, draws=(1, 5))
    assert not found.flat
    assert str(found).startswith("suspicious: 5 draws per gradient still take")


def test_too_few_images_are_never_flat(planted, generator):
    network, images, labels = planted
    assert not draw_ladder(network, images[:4], labels[:4], FGSM(eps=0.2), generator, draws=(20, 21)).flat


def test_what_stands_beside_the_rungs(planted, generator):
    network, images, labels = planted
    table = draw_ladder(network, images, labels, PGD(eps=0.2, steps=5), generator, draws=(1, 20), selection_draws=100).table
    accuracy = table.set_index(["attack", "scored_on"])["accuracy"]
    rungs = table[table["attack"] == "rung"]["accuracy"]
    assert accuracy["frozen", "one value"] < accuracy["frozen", "fresh draws"]  # a known value is easier than one that changes
    assert accuracy["transfer", "no noise"] < accuracy["transfer", "fresh draws"] + 0.02
    assert accuracy["worst", "fresh draws"] <= min(*rungs, accuracy["frozen", "fresh draws"], accuracy["transfer", "fresh draws"]) + 0.01
    assert accuracy["clean", "fresh draws"] > rungs.max()


def test_same_seed_same_table(planted):
    tables = [draw_ladder(*planted, FGSM(eps=0.2), torch.Generator().manual_seed(4), draws=(1, 5)).table for _ in range(2)]
    pd.testing.assert_frame_equal(*tables)


def test_a_deterministic_network_has_one_rung(reader, unseen, generator):
    found = draw_ladder(reader, *unseen, FGSM(eps=0.1), generator)
    assert found.flat
    assert found.table["attack"].tolist() == ["clean", "rung"]
    assert found.table["scoring_draws"].eq(1).all()


def test_bad_ladders_are_refused(reader, unseen, generator):
    for draws in ((), (5, 1), (0, 1), (1, 1)):
        with pytest.raises(InputError, match="at least 1, rising"):
            draw_ladder(reader, *unseen, FGSM(), generator, draws=draws)
    with pytest.raises(InputError, match="score on at least 50 draws"):
        draw_ladder(reader, *unseen, FGSM(), generator, scoring_draws=20)
    with pytest.raises(InputError, match="tolerance = 0: give a fraction above 0"):
        draw_ladder(reader, *unseen, FGSM(), generator, tolerance=0)
