"""Transfer between networks: pairs whose answer is known, controls, and planted rates found in the claims."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from yuragi.attacks import FGSM, PGD, BasicIterative, RandomNoise, StepLL
from yuragi.errors import InputError
from yuragi.robustness.transferability import TrainedNetwork, attack_and_transfer, transfer_table
from yuragi.robustness.transferability_claims import transfer_claims

ONE_STEP, ITERATED = FGSM(), BasicIterative(step_size=0.02)


class Half(torch.nn.Module):
    """Class 1 where the mean of some pixels exceeds a half; ``deviation`` of normal noise on that mean."""

    def __init__(self, columns: slice, deviation: float = 0.0) -> None:
        super().__init__()
        self.columns, self.deviation, self.stochastic = columns, deviation, deviation > 0

    def above(self, images: torch.Tensor) -> torch.Tensor:
        return 10 * (images[..., self.columns].flatten(1).mean(1) - 0.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([-self.above(images), self.above(images)], 1)

    def sample_logits(self, images: torch.Tensor, generator: torch.Generator, draws: int) -> torch.Tensor:
        above = self.above(images) + 10 * self.deviation * torch.randn(draws, len(images), generator=generator)
        return torch.stack([-above, above], 2)


LEFT, RIGHT = slice(0, 4), slice(4, 8)


@pytest.fixture
def scenes(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Both halves tell the class, each with a distance from the border of its own."""
    labels = torch.arange(80) % 2
    distance = 0.02 + 0.2 * torch.rand(80, 2, generator=generator)
    halves = 0.5 + (2 * labels[:, None] - 1) * distance
    return halves[:, None, None, :].repeat_interleave(4, 3).expand(80, 1, 8, 8).clone(), labels


def networks(*modules: torch.nn.Module, experiment: str = "mlp", arm: str = "plain") -> list[TrainedNetwork]:
    return [TrainedNetwork(experiment, arm, seed, module) for seed, module in enumerate(modules)]


def test_identical_networks_lose_the_same_images(scenes, generator):
    attacks = {"fgsm": ONE_STEP, "iterated": ITERATED, "pgd": PGD(steps=5)}
    result = attack_and_transfer(networks(Half(LEFT), Half(LEFT)), *scenes, attacks, [0.1, 0.15], generator)
    table = transfer_table(result)
    assert len(table) == 2 * 3 * 2
    assert (table["fooled"] > 10).all()
    assert (table["rate"] == 1).all()
    assert (table["transferred"] == table["fooled"]).all()
    left = scenes[0][:, 0, 0, 0]
    at = table[(table["attack"] == "fgsm") & np.isclose(table["epsilon"], 0.1)]
    assert set(at["fooled"]) == {int(((left - 0.5).abs() < 0.1).sum())}
    claims = transfer_claims(result, np.random.default_rng(0), resamples=400)
    plain = claims[claims["minus"].isna()]
    assert (plain["rate"] == 1).all()
    assert plain["low"].isna().all()  # two networks tell nothing about a third


def test_disjoint_pixels_transfer_at_chance(scenes, generator):
    result = attack_and_transfer(networks(Half(LEFT), Half(RIGHT)), *scenes, {"fgsm": ONE_STEP}, [0.15], generator)
    table = transfer_table(result)
    assert (table["recognised"] == 80).all()
    assert (table["fooled"] > 10).all()
    assert (table["rate"] == 0).all()
    assert (table["chance"] < 0.1).all()  # the mean of 32 signs: chance alone hardly moves it
    assert (table["chance_fooled"] < 0.1).all()


def test_the_table_counts_what_it_says(scenes, generator):
    """Half the pixels are shared: the target moves half as far as the source."""
    pair = networks(Half(slice(0, 4)), Half(slice(2, 6)))
    result = attack_and_transfer(pair, *scenes, {"fgsm": ONE_STEP}, [0.15], generator)
    row = transfer_table(result).iloc[0]
    left, right = (scenes[0][:, 0, 0, place] - 0.5 for place in (0, 7))
    lost = left.abs() < 0.15
    target = ((left + right) / 2).abs() < 0.075
    assert (row["source_seed"], row["target_seed"], row["relation"]) == (0, 1, "another seed")
    assert row["fooled"] == int(lost.sum())
    assert row["transferred"] == int((lost & target).sum())
    assert row["rate"] == pytest.approx(row["transferred"] / row["fooled"])
    assert 0 < row["rate"] < 1
    assert row["mean_size"] == pytest.approx(1)
    assert row["mean_change"] == pytest.approx(0.5)  # a step of the sign leaves alone what has no gradient
    assert row[["attack_kind", "knowledge", "iterated"]].tolist() == ["fgsm", "gradient", False]
    # Queries go step by step too, as in the other tables, and are compared with chance alone.
    assert transfer_table(result.assign_coords(knowledge=("attack", ["answers"])))["iterated"].all()


def test_images_that_the_target_never_knew_do_not_count(scenes, generator):
    """The target takes every image for the other class: nothing is recognised by both, and there is no rate."""

    class Inverted(Half):
        def above(self, images: torch.Tensor) -> torch.Tensor:
            return -super().above(images)

    result = attack_and_transfer(networks(Half(LEFT), Inverted(LEFT), Half(RIGHT)), *scenes, {"fgsm": ONE_STEP}, [0.15], generator)
    table = transfer_table(result).set_index(["source_seed", "target_seed"])
    assert table.loc[(0, 1), "recognised"] == 0
    assert np.isnan(table.loc[(0, 1), ["rate", "chance", "mean_size"]].astype(float)).all()
    assert table.loc[(0, 2), "rate"] == 0
    claim = transfer_claims(result, np.random.default_rng(0), resamples=400).iloc[0]
    assert (claim["pairs"], claim["networks"]) == (2, 2)
    assert np.isnan(claim["low"])


def test_attacks_go_on_beyond_the_border_of_their_source(scenes, generator):
    """An image that stopped where its source loses it would not fool a target whose border is a little farther."""

    class Farther(Half):
        def above(self, images: torch.Tensor) -> torch.Tensor:
            pixels, labels = images, (images[..., 7:].flatten(1).mean(1) > 0.5).float()
            return super().above(pixels) + 0.5 * (2 * labels - 1)

    source, target = networks(Half(slice(0, 7)), Farther(slice(0, 7)))
    table = transfer_table(attack_and_transfer([source, target], *scenes, {"iterated": ITERATED}, [0.3], generator))
    assert table.iloc[0]["rate"] > 0.5
    stopped = ITERATED.at(0.3)(source.network, *scenes, generator)
    assert float((target.network(stopped).argmax(1) != scenes[1]).float().mean()) < 0.2


def test_noise_is_averaged_and_an_unchanged_image_is_never_lost(scenes, generator):
    """Far below the noise, nothing is lost to a random change; a target with noise loses about what its noise-free twin loses."""
    found = networks(Half(LEFT), Half(LEFT, deviation=0.02), Half(LEFT, deviation=0.3))
    tiny = attack_and_transfer(found, *scenes, {"random": RandomNoise()}, [1e-7], generator, draws=51)
    assert not (tiny["wrong"] & tiny["recognised"]).any()
    assert not (tiny["wrong_by_chance"] & tiny["recognised"]).any()
    table = transfer_table(attack_and_transfer(found[:2], *scenes, {"fgsm": ONE_STEP}, [0.15], generator, draws=201))
    assert table["rate"].min() > 0.9


def test_a_pair_does_not_depend_on_the_other_networks(scenes):
    attacks = {"pgd": PGD(steps=3), "fgsm": ONE_STEP}
    three = networks(Half(LEFT), Half(slice(2, 6), deviation=0.05), Half(RIGHT))

    def told(chosen, attacks, epsilons, chunk=1024):
        seeded = torch.Generator().manual_seed(5)
        table = transfer_table(attack_and_transfer(chosen, *scenes, attacks, epsilons, seeded, chunk=chunk))
        rows = (table["attack"] == "pgd") & (table["epsilon"] == 0.15) & (table["source_seed"] + table["target_seed"] == 1)
        return table[rows].reset_index(drop=True)

    pd.testing.assert_frame_equal(told(three, attacks, [0.1, 0.15]), told(three[:2], {"pgd": PGD(steps=3)}, [0.15]))


def test_the_relation_of_a_pair():
    names = [("mlp", "plain", 0), ("mlp", "plain", 1), ("mlp", "other", 0), ("cnn", "plain", 0)]
    relation = {
        (row.source_experiment, row.source_arm, row.target_experiment, row.target_arm): row.relation
        for row in transfer_table(planted(names, {"fgsm": lambda s, t: 0.5}, images=4)).itertuples()
    }
    assert relation["mlp", "plain", "mlp", "plain"] == "another seed"
    assert relation["mlp", "plain", "mlp", "other"] == "another training"
    assert relation["mlp", "other", "cnn", "plain"] == relation["cnn", "plain", "mlp", "plain"] == "another architecture"


def planted(
    names: list[tuple[str, str, int]],
    rates: dict[str, Callable[[int, int], float]],
    *,
    images: int = 100,
    generator: np.random.Generator | None = None,
    chance: float = 0.0,
) -> xr.Dataset:
    """Answers of networks that recognise everything, each source losing all images, of which the rate of the pair is lost by the target.

    With a generator every image is drawn apart; without one the first images are the lost ones. Names with "iterated" take many gradients.
    """
    count = len(names)
    wrong = np.zeros((len(rates), 1, count, count, images), dtype=bool)
    for a, rate in enumerate(rates.values()):
        for s, t in np.ndindex(count, count):
            place = np.arange(images) / images if generator is None else generator.random(images)
            wrong[a, 0, s, t] = s == t or place < rate(s, t)
    ends = {
        f"{end}_{name}": (end, [names[n][place] for n in range(count)])
        for end in ("source", "target")
        for place, name in enumerate(("experiment", "arm", "seed"))
    }
    by_chance = np.broadcast_to(np.arange(images) < chance * images, (1, count, images))
    ones = np.ones((len(rates), 1, count, images))
    iterated = ["iterated" in name for name in rates]
    return xr.Dataset(
        {
            "wrong": (("attack", "epsilon", "source", "target", "image"), wrong),
            "recognised": (("target", "image"), np.ones((count, images), dtype=bool)),
            "wrong_by_chance": (("epsilon", "target", "image"), by_chance),
            "size": (("attack", "epsilon", "source", "image"), ones),
            "change": (("attack", "epsilon", "source", "image"), ones),
        },
        coords={
            "attack": list(rates),
            "epsilon": [0.1],
            **ends,
            "attack_kind": ("attack", ["basic_iterative" if many else "fgsm" for many in iterated]),
            "knowledge": ("attack", ["gradients" if many else "gradient" for many in iterated]),
            "label": ("image", np.zeros(images, dtype=int)),
        },
    )


def seeds(experiment: str, count: int, arm: str = "plain") -> list[tuple[str, str, int]]:
    return [(experiment, arm, seed) for seed in range(count)]


def test_planted_rates_are_found(numbers):
    names = [*seeds("mlp", 4), *seeds("cnn", 4)]
    same = np.array([name[0] == "mlp" for name in names])

    def one_step(s: int, t: int) -> float:
        return 0.7 if same[s] == same[t] else 0.4

    def iterated(s: int, t: int) -> float:
        return 0.5 if same[s] == same[t] else 0.1

    claims = transfer_claims(planted(names, {"fgsm": one_step, "iterated": iterated}, images=300, generator=numbers), numbers, resamples=1000)
    at = claims.set_index(["relation", "attack", claims["minus"].fillna("")])
    for relation, first, second, pairs in (("another seed", 0.7, 0.5, 24), ("another architecture", 0.4, 0.1, 32)):
        for attack, truth in (("fgsm", first), ("iterated", second)):
            row = at.loc[(relation, attack, "")]
            assert row["rate"] == pytest.approx(truth, abs=0.03)
            assert row["low"] < truth < row["high"]
            assert (row["pairs"], row["networks"], row["images"]) == (pairs, 8, 300)
            assert np.isnan([row["p"], row["p_holm"], row["common"]]).all()
        row = at.loc[(relation, "fgsm", "iterated")]
        assert row["rate"] == pytest.approx(first - second, abs=0.03)
        assert row["common"] == pytest.approx(row["rate"])  # all images are common here
        assert row["low"] < first - second < row["high"]
        assert row["low"] > 0
        assert row["p"] <= row["p_holm"] < 0.05
    assert ("another seed", "iterated", "fgsm") not in at.index
    assert set(claims["relation"]) == {"another seed", "another architecture"}


def test_no_order_is_found_where_none_is_planted(numbers):
    result = planted(seeds("mlp", 5), {"fgsm": lambda s, t: 0.5, "iterated": lambda s, t: 0.5}, images=200, generator=numbers)
    row = transfer_claims(result, numbers, resamples=1000).set_index("minus").loc["iterated"]
    assert row["low"] < 0 < row["high"]
    assert row["p"] > 0.05


def test_chance_is_subtracted_on_the_same_images(numbers):
    result = planted(seeds("mlp", 4), {"fgsm": lambda s, t: 0.3}, chance=0.3)
    claims = transfer_claims(result, numbers, resamples=400).set_index("minus")
    assert claims.loc["chance", ["rate", "low", "high"]].tolist() == pytest.approx([0, 0, 0])
    assert claims.loc["chance", "p"] == 1
    assert transfer_table(result)["chance"].tolist() == pytest.approx([0.3] * 12)


def test_images_that_both_attacks_turn_are_compared_apart(numbers):
    """The iterated attack also fools its source on hard images, which transfer nowhere: its rate is lower, on common images it is not."""
    result = planted(seeds("mlp", 4), {"fgsm": lambda s, t: 0.5, "iterated": lambda s, t: 0.5})
    for s in range(4):
        result["wrong"][0, 0, s, s, 60:] = False
    row = transfer_claims(result, numbers, resamples=400).set_index("minus").loc["iterated"]
    assert row["rate"] == pytest.approx(50 / 60 - 0.5)
    assert row["common"] == row["common_low"] == row["common_high"] == 0


def test_few_networks_make_wide_intervals(numbers):
    """The same spread between networks, from three and from twelve: the limit is farther by more than the square root of four."""
    width = {}
    for count in (3, 12):
        pull = np.linspace(-1, 1, count) / np.linspace(-1, 1, count).std(ddof=1) * 0.1
        result = planted(seeds("mlp", count), {"fgsm": lambda s, t, pull=pull: 0.5 + pull[s]}, images=1000)
        row = transfer_claims(result, numbers, resamples=1000).iloc[0]
        width[count] = row["high"] - row["low"]
    assert width[3] > 3.5 * width[12]
    # The mean over pairs has a network's pull divided by N; Student's t with 11 degrees of freedom.
    assert width[12] == pytest.approx(2 * 2.2 * 0.1 / np.sqrt(12), rel=0.3)


@pytest.mark.parametrize(("groups", "relation"), [((3,), "another seed"), ((6,), "another seed"), ((3, 3), "another architecture")])
def test_intervals_cover_other_networks(groups: tuple[int, ...], relation: str, numbers):
    """Sources and targets that pull the rate up or down: the interval holds the mean over all networks there could be."""
    names = [name for experiment, count in enumerate(groups) for name in seeds(f"e{experiment}", count)]
    trials, held = 120, 0
    for _ in range(trials):
        as_source, as_target = 0.1 * numbers.standard_normal((2, len(names)))
        result = planted(names, {"fgsm": lambda s, t, a=as_source, b=as_target: 0.5 + a[s] + b[t]}, images=50, generator=numbers)
        claims = transfer_claims(result, numbers, resamples=300)
        row = claims[(claims["relation"] == relation) & claims["minus"].isna()].iloc[0]
        held += row["low"] <= 0.5 <= row["high"]
    assert held / trials > 0.9


def test_the_same_generator_gives_the_same_claims():
    result = planted(seeds("mlp", 3), {"fgsm": lambda s, t: 0.2 + 0.1 * s, "iterated": lambda s, t: 0.1 * t})
    first, again = (transfer_claims(result, np.random.default_rng(3), resamples=400) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


@pytest.fixture
def numbers() -> np.random.Generator:
    return np.random.default_rng(8)


class Three(Half):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([super().forward(images), torch.full((len(images), 1), -9.0)], 1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"networks": networks(Half(LEFT))}, "two or more"),
        ({"networks": networks(Half(LEFT)) * 2}, "mlp/plain-seed0 is given twice"),
        ({"networks": networks(Half(LEFT), Three(LEFT))}, "mlp/plain-seed1 has 3 classes"),
        ({"attacks": {}}, "none given"),
        ({"attacks": {"chance": StepLL()}}, "'chance'"),
        ({"epsilons": [0]}, "above 0"),
        ({"epsilons": [0.1, 0.1]}, "each once"),
        ({"epsilons": [8]}, "eps = 8"),
        ({"draws": 0}, "draws = 0"),
        ({"images": torch.full((80, 1, 8, 8), 2.0)}, "pixels"),
    ],
)
def test_bad_input_is_refused(change, told, scenes, generator):
    given = {
        "networks": networks(Half(LEFT), Half(RIGHT)),
        "images": scenes[0],
        "labels": scenes[1],
        "attacks": {"fgsm": ONE_STEP},
        "epsilons": [0.1],
    }
    with pytest.raises(InputError, match=told):
        attack_and_transfer(**(given | change), generator=generator)


def test_too_few_resamples_are_refused(numbers):
    with pytest.raises(InputError, match="resamples"):
        transfer_claims(planted(seeds("mlp", 3), {"fgsm": lambda s, t: 0.5}), numbers, resamples=50)
