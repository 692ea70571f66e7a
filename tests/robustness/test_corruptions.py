"""Networks on corrupted images: planted answers, shared images, and the tables of arms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.__main__ import main
from yuragi.attacks.corruptions import Brightness, Contrast, Fog, GaussianNoise, MotionBlur, Saturate
from yuragi.attacks.corruptions.base import applicable
from yuragi.errors import InputError
from yuragi.files import read_netcdf
from yuragi.models import Perceptron
from yuragi.robustness.corruptions import change_spectrum, corruption_differences, evaluate_corruptions, summarise_corruptions
from yuragi.training.checkpoint import save_network


class Threshold(torch.nn.Module):
    """Class 1 where the mean pixel exceeds a half; with noise, the probability that normal noise of this deviation lifts it there."""

    def __init__(self, deviation: float = 0.0) -> None:
        super().__init__()
        self.deviation, self.stochastic = deviation, deviation > 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        above = images.flatten(1).mean(1) - 0.5
        return torch.stack([-above, above], 1)

    def sample_logits(self, images: torch.Tensor, generator: torch.Generator, draws: int) -> torch.Tensor:
        noise = self.deviation * torch.randn(draws, len(images), generator=generator)
        above = images.flatten(1).mean(1) - 0.5 + noise
        return torch.stack([-above, above], 2)


@pytest.fixture
def dark() -> tuple[torch.Tensor, torch.Tensor]:
    """Images of plain grey from 0.1 to 0.49, all of class 0."""
    levels = torch.linspace(0.1, 0.49, 40)
    return levels[:, None, None, None].expand(40, 1, 12, 12).clone(), torch.zeros(40, dtype=torch.int64)


def test_planted_answers_are_found(dark, generator):
    result = evaluate_corruptions(Threshold(), *dark, {"light": Brightness(), "pale": Contrast()}, [0, 1, 3, 5], generator)
    for severity, c in ((0, 0), (1, 0.05), (3, 0.15), (5, 0.3)):
        expected = (dark[0][:, 0, 0, 0] + c <= 0.5).double()
        found = result["fraction_correct"].sel(corruption="light", severity=severity)
        assert found.values.tolist() == expected.tolist()
        assert bool((result["fraction_correct"].sel(corruption="pale", severity=severity) == 1).all())  # a plain image has no contrast to lose
        mean = result["fraction_correct"].sel(corruption="mean", severity=severity)
        assert mean.values.tolist() == ((expected + 1) / 2).tolist()
        assert float(result["change"].sel(corruption="light", severity=severity)) == pytest.approx(c) or severity == 0
    assert bool((result["clean_fraction_correct"] == 1).all())


def test_severity_0_is_clean(reader, unseen, generator):
    result = evaluate_corruptions(reader, *unseen, {"noise": GaussianNoise(severity=5)}, [0, 5], generator)
    assert np.array_equal(result["fraction_correct"].sel(corruption="noise", severity=0), result["clean_fraction_correct"])
    assert float(result["fraction_correct"].sel(corruption="noise", severity=5).mean()) < float(result["clean_fraction_correct"].mean())
    assert np.isnan(result["change"].sel(severity=0)).all()


def test_noise_of_the_network_is_averaged(dark, generator):
    images, labels = dark
    result = evaluate_corruptions(Threshold(0.1), images, labels, {"light": Brightness()}, [2], generator, draws=4000)
    distance = (0.5 - images[:, 0, 0, 0] - 0.1) / 0.1
    expected = torch.distributions.Normal(0, 1).cdf(distance)
    np.testing.assert_allclose(result["fraction_correct"].sel(corruption="light", severity=2), expected, atol=0.035)
    assert result["majority_correct"].sel(corruption="light", severity=2).values[distance > 0.2].all()
    assert result.attrs == {"stochastic": 1, "draws": 4000}


def test_results_do_not_depend_on_chunks_or_on_the_other_corruptions(noisy, unseen):
    class Seeded(torch.nn.Module):
        """The noisy reader, whose noise belongs to the image whatever passes with it."""

        stochastic = True

        def sample_logits(self, images, generator, draws):
            noise = generator.normal((draws, len(images), 1), (1, 150)).reshape(draws, len(images), 150)
            return torch.relu(noisy.projected(images) + 0.1 * noise) @ noisy.readout

    def measured(corruptions, chunk):
        return evaluate_corruptions(Seeded(), *unseen, corruptions, [2, 4], torch.Generator().manual_seed(3), draws=6, chunk=chunk)

    both = measured({"noise": GaussianNoise(), "motion": MotionBlur()}, 1024)
    alone = measured({"motion": MotionBlur(severity=1)}, 7)
    for name in ("fraction_correct", "change", "low_share"):
        np.testing.assert_array_equal(both[name].sel(corruption="motion"), alone[name].sel(corruption="motion"))
    again = measured({"noise": GaussianNoise(), "motion": MotionBlur()}, 1024)
    assert both.identical(again)


def test_all_corruptions_that_apply_are_taken(reader, unseen, generator):
    result = evaluate_corruptions(reader, unseen[0][:10], unseen[1][:10], None, [1], generator)
    assert list(result["corruption"].values) == [*applicable(unseen[0]), "mean"]
    assert "saturate" not in result["corruption"]


def test_the_spectrum_of_a_change(generator):
    images = torch.full((50, 1, 32, 32), 0.5)
    low, mid, high, centre = change_spectrum(images, GaussianNoise(severity=1)(images, generator))
    assert (low, mid, high, centre) == pytest.approx((0.087, 0.262, 0.651, 0.383), abs=0.02)
    low, _, high, centre = change_spectrum(images, Fog(severity=3)(images, generator))
    assert low > 0.9
    assert high < 0.05
    assert centre < 1 / 6
    assert np.isnan(change_spectrum(images, images)).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"severities": [6]}, "severities"),
        ({"severities": [0]}, "above 0"),
        ({"severities": []}, "above 0"),
        ({"severities": [1, 1]}, "each once"),
        ({"corruptions": {}}, "none given"),
        ({"corruptions": {"mean": GaussianNoise()}}, "taken"),
        ({"corruptions": {"colour": Saturate()}}, "saturate"),
        ({"draws": 0}, "draws = 0"),
        ({"images": torch.full((4, 1, 8, 8), 2.0)}, "pixels"),
        ({"labels": torch.tensor([0, 1, 2, 3])}, "labels"),
        ({"labels": torch.tensor([0, 1])}, "labels"),
    ],
)
def test_bad_input_is_refused(change, told, generator):
    given = {"images": torch.rand(4, 1, 8, 8), "labels": torch.zeros(4).long(), "corruptions": {"noise": GaussianNoise()}, "severities": [1]} | change
    with pytest.raises(InputError, match=told):
        evaluate_corruptions(Threshold(), generator=generator, **given)


def test_logits_that_are_not_finite_are_refused(dark, generator):
    class Broken(Threshold):
        def forward(self, images):
            return super().forward(images) * float("nan")

    with pytest.raises(InputError, match="not finite"):
        evaluate_corruptions(Broken(), *dark, {"noise": GaussianNoise()}, [1], generator)


@pytest.fixture
def arms(dark):
    """Two arms of three seeds: one right in all, one whose threshold is lowered by 0.1, both on the same corrupted images."""

    class Lowered(Threshold):
        def forward(self, images):
            return super().forward(images + 0.1)

    chosen = {"light": Brightness(), "noise": GaussianNoise()}
    results = []
    for arm, model in (("plain", Threshold()), ("lowered", Lowered())):
        result = evaluate_corruptions(model, *dark, chosen, [0, 1, 5], torch.Generator().manual_seed(0))
        results += [result.assign_coords(arm=arm, seed=seed) for seed in range(3)]
    return results


def test_the_table_of_arms(arms):
    table = summarise_corruptions(arms, np.random.default_rng(0), resamples=400)
    assert not table.duplicated(["arm", "corruption", "severity"]).any()
    assert len(table) == 2 * 3 * 4
    pooled = table[table["severity"].isna()].set_index(["arm", "corruption"])
    plain = arms[0]["fraction_correct"].sel(severity=[1, 5])
    assert pooled.loc[("plain", "light"), "accuracy"] == pytest.approx(float(plain.sel(corruption="light").mean()))
    assert pooled.loc[("plain", "mean"), "accuracy"] == pytest.approx(float(plain.sel(corruption=["light", "noise"]).mean()))
    assert (table["low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["high"]).all()
    bands = table[table["severity"] > 0].groupby("corruption")["band"].unique()
    assert bands["light"].tolist() == ["low"]
    assert bands["noise"].tolist() == ["high"]
    assert table.loc[(table["severity"] == 0) | (table["corruption"] == "mean"), "band"].isna().all()


def test_the_differences_of_arms(arms):
    table = corruption_differences(arms, np.random.default_rng(0), resamples=400).set_index("corruption")
    levels = torch.linspace(0.1, 0.49, 40).numpy()
    expected = np.mean([np.mean(levels + c + 0.1 <= 0.5) - np.mean(levels + c <= 0.5) for c in (0.05, 0.3)])
    assert table.loc["light", "difference"] == pytest.approx(expected)
    assert table.loc["light", "high"] < 0
    assert table.loc["light", "p_holm"] < 0.05
    assert set(table.index) == {"light", "noise", "mean"}


def test_other_images_are_not_compared(arms, dark):
    other = evaluate_corruptions(Threshold(), *dark, {"light": Brightness(), "noise": GaussianNoise()}, [0, 1, 5], torch.Generator().manual_seed(1))
    with pytest.raises(InputError, match="differently corrupted"):
        summarise_corruptions([*arms, other.assign_coords(arm="other", seed=0)], np.random.default_rng(0), resamples=400)


def test_the_jobs_from_images_to_tables(tmp_path: Path):
    images = tmp_path / "digits.nc"
    assert main(["ingest", str(images), "--dataset", "{kind: digits}"]) == 0
    results = []
    for arm in ("plain", "wide"):
        network = tmp_path / f"{arm}-seed0.safetensors"
        architecture = Perceptron(hidden=(20 if arm == "plain" else 60,))
        built = architecture.build((1, 8, 8), 10, torch.Generator().manual_seed(0))
        save_network(built, {"network": architecture.model_dump(mode="json")}, network)
        results.append(tmp_path / f"results/{arm}-seed0.nc")
        spec = {"severities": [1, 5], "test_images": 50}
        assert main(["corrupt", str(images), str(network), str(results[-1]), "--spec", json.dumps(spec), "--device", "cpu"]) == 0
    first = results[0].read_bytes()
    assert (
        main(["corrupt", str(images), str(tmp_path / "plain-seed0.safetensors"), str(results[0]), "--spec", json.dumps(spec), "--device", "cpu"]) == 0
    )
    assert results[0].read_bytes() == first
    assert read_netcdf(results[0]).sizes["corruption"] == 17
    table, differences = tmp_path / "corruptions.csv", tmp_path / "corruptions.differences.csv"
    assert main(["corruptions", str(table), str(differences), *map(str, results), "--resamples", "400"]) == 0
    assert len(pd.read_csv(table)) == 2 * 17 * 3
    assert len(pd.read_csv(differences)) == 17
    assert main(["corruptions", str(table), str(differences), str(results[0]), "--resamples", "400"]) == 0
    assert len(pd.read_csv(differences)) == 0
