"""The grid against what must hold of it, and its summary against grids by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from yuragi.attacks import PGD, RandomNoise
from yuragi.attacks.base import Attack
from yuragi.errors import InputError
from yuragi.models import Network, Perceptron
from yuragi.robustness.adaptivity import ATTACKERS, adaptivity_grid
from yuragi.robustness.adaptivity_summary import grid_claims, summarise_grid
from yuragi.targets import BrainTarget, SpontaneousModel

DEFENCES = ("none", "input", "hidden_white", "hidden_spontaneous", "both")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(n, 1, 4, 4, generator=seeded(seed))


def perceptron() -> Network:
    return Perceptron(hidden=(20, 15), activation="relu").build((1, 4, 4), 3, seeded(2)).eval()


def answers(network: Network, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return network(x).argmax(1)


class Recorded(Attack):
    """Remembers the noise of the networks that it was called with, and moves nothing."""

    kind: str = "recorded"
    met: list

    def _attacked(self, model, images, labels, generator, chunk):
        self.met.append({place: (noise.directions is None, float(noise.relative_variance)) for place, noise in model.noise.items()})
        return images


def grid(attacks: dict[str, Attack], **options: object) -> xr.Dataset:
    network = perceptron()
    x, calibration = images(24), images(120, 5)
    y = answers(network, x)
    y[:4] = (y[:4] + 1) % 3
    target = BrainTarget(spontaneous=SpontaneousModel.from_autoregression(np.diag([0.8, 0.4])[None], np.diag([0.6, 0.2])))
    chosen = {"layer": "hidden1", "target": target, "drop": 0.1, "matching_draws": 8, "scoring_draws": 30, "certificate_draws": 200} | options
    return adaptivity_grid(network, x, y, (calibration, answers(network, calibration)), attacks, seeded(), **chosen)


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return grid({"pgd": PGD(eps=0.15, steps=10, draws=4), "random_sign": RandomNoise(eps=1e-4)})


def test_every_attacker_meets_the_noise_that_it_adapts_to() -> None:
    recorded = Recorded(met=[])
    found = grid({"recorded": recorded}, matchings=("accuracy",))
    size = found["relative_variance"].sel(matching="accuracy").to_pandas()
    white, pixels, spontaneous = size.loc["hidden_white", "hidden1"], size.loc["input", "input"], size.loc["hidden_spontaneous", "hidden1"]
    both = size.loc["both"]
    expected = [
        {},
        {"input": (True, pixels)},
        {"input": (True, both["input"])},
        {"hidden1": (True, white)},
        {"hidden1": (False, spontaneous)},
        {"hidden1": (True, both["hidden1"])},
        {"input": (True, pixels), "hidden1": (True, white)},
        {"input": (True, pixels), "hidden1": (False, spontaneous)},
        {"input": (True, both["input"]), "hidden1": (True, both["hidden1"])},
    ]
    assert recorded.met == expected
    assert not found["succeeded"].values[..., 4:].any()  # nothing was moved: every recognised image stays so
    assert found["succeeded"].values[..., :4].all()
    assert (
        found["explained"].sel(defence="hidden_white", attacker="nothing").values[0, 0][found["p_lower"].sel(defence="hidden_white")[0] > 0.5].all()
    )


def test_what_must_hold_of_every_grid(result: xr.Dataset) -> None:
    assert tuple(result["defence"].values) == DEFENCES
    assert tuple(result["attacker"].values) == ATTACKERS
    assert result["recognised"].values.tolist() == [False] * 4 + [True] * 20
    none = result.sel(defence="none")
    assert (none["majority_correct"] == ~none["succeeded"]).all()
    assert not none["explained"].any()
    assert not result["explained"].sel(defence="both").any()
    assert result["calibration_accuracy"].sel(matching="accuracy").values[1:] == pytest.approx(0.9, abs=0.04)
    sizes = result["relative_variance"].sel(matching="energy").sum("place").values
    np.testing.assert_allclose(sizes[1:], sizes[2], rtol=1e-6)
    explained = result["explained"].values & result["recognised"].values
    assert explained.any()
    assert result["majority_correct"].values[explained].mean() > 0.99


def test_strong_attacks_succeed_and_a_tiny_change_does_not(result: xr.Dataset) -> None:
    of_recognised = result.isel(image=slice(4, None))
    assert of_recognised["succeeded"].sel(attack="pgd", attacker="nothing").mean() > 0.5
    assert of_recognised["succeeded"].sel(attack="random_sign").mean() < 0.1
    adapted = of_recognised["majority_correct"].sel(attack="pgd", matching="accuracy", defence="hidden_white").mean("image")
    assert adapted.sel(attacker="hidden") <= adapted.sel(attacker="nothing") + 0.05


def test_the_same_seed_gives_the_same_grid_whatever_the_chunk() -> None:
    attacks = {"pgd": PGD(eps=0.1, steps=3, draws=2)}
    first, again = (grid(attacks, matchings=("accuracy",), scoring_draws=10, certificate_draws=40, chunk=chunk) for chunk in (5000, 150))
    for name in ("majority_correct", "succeeded", "p_lower", "relative_variance"):
        np.testing.assert_allclose(first[name].values.astype(float), again[name].values.astype(float), atol=1e-6, err_msg=name)


def test_without_a_target_there_is_no_spontaneous_noise() -> None:
    found = grid({"random_sign": RandomNoise(eps=0.1)}, target=None, matchings=("energy",), relative_variance=0.3)
    assert tuple(found["defence"].values) == ("none", "input", "hidden_white", "both")
    np.testing.assert_allclose(found["relative_variance"].values[0].sum(1), [0, 0.3, 0.3, 0.3], rtol=1e-6)


def by_hand(seed: int, defended: dict[str, float], *, success: float = 1.0, n: int = 40) -> xr.Dataset:
    """A grid with one matching and attack, where the first images are defended."""
    names = list(defended)
    majority = np.stack([np.arange(n) < round(value * n) for value in defended.values()])
    shape = (1, 1, 1, len(names), n)
    cell = {
        "majority_correct": majority,
        "fraction_correct": majority.astype(float),
        "succeeded": np.broadcast_to(np.arange(n) >= round((1 - success) * n), majority.shape),
        "succeeded_own": ~majority,
        "explained": np.zeros_like(majority),
        "pixel_distance": np.ones(majority.shape),
        "hidden_distance": np.ones(majority.shape),
    }
    return xr.Dataset(
        {
            **{name: (("matching", "attack", "attacker", "defence", "image"), values.reshape(shape)) for name, values in cell.items()},
            "clean_majority_correct": (("matching", "defence", "image"), np.ones((1, len(names), n), dtype=bool)),
            "clean_fraction_correct": (("matching", "defence", "image"), np.full((1, len(names), n), 0.9)),
            "relative_variance": (("matching", "defence", "place"), np.array([[[0.2, 0.0]] * len(names)])),
            "recognised": ("image", np.ones(n, dtype=bool)),
        },
        coords={
            "matching": ["accuracy"],
            "attack": ["pgd"],
            "kappa": ("attack", [np.nan]),
            "attacker": ["nothing"],
            "defence": names,
            "place": ["input", "hidden1"],
            "image": np.arange(n),
            "label": ("image", np.zeros(n, dtype=int)),
            "seed": seed,
        },
    )


def test_summary_of_grids_by_hand() -> None:
    grids = [by_hand(seed, {"input": 0.2, "hidden_white": 0.5 + 0.1 * seed}) for seed in range(3)]
    table = summarise_grid(grids, np.random.default_rng(0)).set_index("defence")
    assert table["defended"].tolist() == pytest.approx([0.2, 0.6])
    assert (table["success"] == 1).all()
    assert (table["low"] < table["defended"]).all()
    assert (table["high"] > table["defended"]).all()
    half = summarise_grid([by_hand(0, {"input": 0.75}, success=0.5)], np.random.default_rng(0)).iloc[0]
    assert half["success"] == 0.5
    assert half["defended"] == 0.5  # of the images 20 to 39 those below 30


def test_the_interval_of_one_seed_is_binomial_given_its_denominator() -> None:
    row = summarise_grid([by_hand(0, {"input": 0.65}, success=0.5, n=400)], np.random.default_rng(0)).iloc[0]
    half = 1.96 * np.sqrt(0.3 * 0.7 / 200)
    assert [row["low"], row["high"]] == pytest.approx([0.3 - half, 0.3 + half], abs=0.015)


def test_a_planted_contrast_is_found_and_none_is_not() -> None:
    grids = [by_hand(seed, {"input": 0.2 + 0.01 * seed, "hidden_white": 0.8, "hidden_spontaneous": 0.8}) for seed in range(3)]
    claims = grid_claims(grids, np.random.default_rng(0)).set_index(["defence", "reference"])
    assert list(claims.index) == [("hidden_white", "input"), ("hidden_spontaneous", "input"), ("hidden_spontaneous", "hidden_white")]
    assert claims.loc[("hidden_white", "input"), "difference"] == pytest.approx(0.59, abs=0.01)
    assert claims.loc[("hidden_white", "input"), "p_holm"] < 0.05
    assert claims.loc[("hidden_spontaneous", "hidden_white"), ["difference", "low", "high"]].tolist() == [0, 0, 0]
    assert claims.loc[("hidden_spontaneous", "hidden_white"), "p_holm"] == 1


def test_cells_without_success_have_no_interval() -> None:
    grids = [by_hand(0, {"input": 0.5, "hidden_white": 0.5}, success=0.0), by_hand(1, {"input": 0.5, "hidden_white": 0.75})]
    row = summarise_grid(grids, np.random.default_rng(0)).iloc[0]
    assert row["defended"] == 0.5
    assert np.isnan(row["low"])
    claim = grid_claims(grids, np.random.default_rng(0)).iloc[0]
    assert claim["difference"] == 0.25
    assert np.isnan(claim[["low", "p", "p_holm"]].astype(float)).all()


def test_grids_that_do_not_belong_together_are_refused() -> None:
    good = by_hand(0, {"input": 0.5})
    for grids, message in [
        ([], "no results"),
        ([good.drop_vars("seed")], "lacks the scalar coordinate 'seed'"),
        ([good, good], "seed 0 is given twice"),
        ([good, by_hand(1, {"both": 0.5})], "seed 1 has another 'defence'"),
        ([good, by_hand(1, {"input": 0.5}, n=30)], "seed 1 has another 'image'"),
    ]:
        with pytest.raises(InputError, match=message):
            summarise_grid(grids, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attacks": {}}, "attacks: none given"),
        ({"matchings": ()}, "matchings: none given"),
        ({"layer": "hidden7"}, "layer 'hidden7' does not exist"),
        ({"layer": "input"}, "name one of those"),
        ({"relative_variance": -1.0}, r"relative_variance = -0\.5|relative_variance = -1"),
    ],
)
def test_bad_input(options: dict[str, object], message: str) -> None:
    attacks = options.pop("attacks", {"random_sign": RandomNoise(eps=0.1)})
    with pytest.raises(InputError, match=message):
        grid(attacks, **options)
