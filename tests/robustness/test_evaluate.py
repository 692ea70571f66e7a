"""The evaluation: what it promises about budgets, draws and the network it is given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

import yuragi.robustness
from yuragi.attacks import FGSM, PGD, RandomNoise
from yuragi.attacks.scores import Score, stronger
from yuragi.errors import InputError
from yuragi.files import read_netcdf, write_netcdf
from yuragi.robustness.evaluate import evaluate

ATTACKS = {"random": RandomNoise(draws=4), "fgsm": FGSM(draws=8), "pgd": PGD(steps=5, draws=8)}
BUDGETS = [0.0, 0.02, 0.05, 0.1, 0.2]


def test_the_room_offers_the_function_and_not_its_module():
    assert yuragi.robustness.evaluate is evaluate
    assert all(hasattr(yuragi.robustness, name) for name in yuragi.robustness.__all__)


def test_a_deterministic_network(reader, unseen, generator):
    result = evaluate(reader, *unseen, ATTACKS, BUDGETS[::-1], generator)
    assert result["fraction_correct"].dims == ("attack", "epsilon", "image")
    assert list(result["attack"].values) == ["random", "fgsm", "pgd", "worst"]
    assert list(result["epsilon"].values) == BUDGETS
    accuracy = result["fraction_correct"].mean("image")
    with torch.no_grad():
        clean = float((reader(unseen[0]).argmax(1) == unseen[1]).float().mean())
    assert clean > 0.85
    assert np.allclose(accuracy.sel(epsilon=0), clean)
    assert bool((result["fraction_correct"].diff("epsilon") <= 0).all())  # image by image
    assert float(accuracy.sel(attack="pgd", epsilon=0.1)) < clean - 0.5
    assert float(accuracy.sel(attack="random", epsilon=0.1)) > clean - 0.2
    assert np.array_equal(result["fraction_correct"].sel(attack="worst"), result["fraction_correct"].drop_sel(attack="worst").min("attack"))
    assert np.array_equal(result["majority_correct"], result["fraction_correct"] == 1)
    assert np.array_equal(result["label"], unseen[1])
    assert result.attrs["stochastic"] == 0
    assert result.attrs["scoring_draws"] == 1
    assert {key: text for key, text in result.attrs.items() if key.startswith("guard")} == {
        f"guard_{name}": "ok" for name in ["pixels", "logits", "mode", "gradients", "randomness", "wrapper", "saturation", "ascent", "ordering"]
    }


def test_a_stochastic_network(noisy, unseen, generator):
    result = evaluate(noisy, *unseen, ATTACKS, BUDGETS, generator, scoring_draws=50, selection_draws=40)
    fraction = result["fraction_correct"]
    for attack in result["attack"].values:
        assert np.array_equal(fraction.sel(attack=attack, epsilon=0), result["clean_fraction_correct"])
        assert np.array_equal(result["majority_correct"].sel(attack=attack, epsilon=0), result["clean_majority_correct"])
    assert ((fraction > 0) & (fraction < 1)).any()  # images that some draws get right and some do not
    assert np.allclose(fraction * 50, np.round(fraction * 50), atol=1e-4)
    accuracy = fraction.mean("image")
    assert bool((accuracy.diff("epsilon") <= 0.005).all())
    assert (accuracy.sel(attack="worst") <= accuracy.drop_sel(attack="worst").min("attack") + 0.005).all()
    assert float(accuracy.sel(attack="pgd", epsilon=0.1)) < float(accuracy.sel(attack="random", epsilon=0.1)) - 0.2
    assert result.attrs["stochastic"] == 1
    assert (result.attrs["scoring_draws"], result.attrs["selection_draws"]) == (50, 40)
    assert result.attrs["guard_randomness"] == "ok"


def test_scores_are_of_fresh_draws(noisy, unseen, generator):
    seeds: dict[str, set[int]] = {"attack": set(), "selection": set(), "scoring": set()}
    original = noisy.sample_logits

    def recording(images, noise, draws):
        purpose = "attack" if images.requires_grad else {5: "selection", 50: "scoring"}.get(draws)
        if purpose:
            seeds[purpose].add(noise.initial_seed())
        return original(images, noise, draws)

    noisy.sample_logits = recording
    evaluate(noisy, *unseen, {"fgsm": FGSM(), "pgd": PGD(steps=2)}, [0.0, 0.05, 0.1], generator, scoring_draws=50, selection_draws=5)
    assert len(seeds["scoring"]) == 1  # the same noise for every attack and ε: differences between them are of the images alone, ...
    assert len(seeds["selection"]) == 1
    assert len(seeds["attack"]) == 1 + 2 + 2 * 2  # ... each gradient has noise of its own (and so have the guards), ...
    assert not seeds["scoring"] & (seeds["attack"] | seeds["selection"])  # ... and none of it is scored on


def test_results_do_not_depend_on_the_company(noisy, unseen):
    def run(attacks, budgets) -> xr.Dataset:
        return evaluate(noisy, *unseen, attacks, budgets, torch.Generator().manual_seed(4), scoring_draws=10, selection_draws=10)

    alone, again, together = run({"pgd": ATTACKS["pgd"]}, [0.1]), run({"pgd": ATTACKS["pgd"]}, [0.1]), run(ATTACKS, [0.0, 0.1])
    xr.testing.assert_identical(alone, again)
    assert np.array_equal(alone["fraction_correct"].sel(attack="pgd", epsilon=0.1), together["fraction_correct"].sel(attack="pgd", epsilon=0.1))


@pytest.mark.parametrize("chunk", [1, 33, 10_000])
def test_chunks_do_not_matter_for_a_deterministic_network(chunk, reader, unseen):
    images, labels = unseen[0][:30], unseen[1][:30]
    whole, cut = (evaluate(reader, images, labels, ATTACKS, [0.1], torch.Generator().manual_seed(4), chunk=c) for c in (1024, chunk))
    xr.testing.assert_equal(whole, cut)


def test_chunks_do_not_bias_a_stochastic_network(noisy, unseen):
    whole, cut = (
        evaluate(noisy, *unseen, {"fgsm": FGSM(draws=16)}, [0.1], torch.Generator().manual_seed(4), scoring_draws=50, chunk=c)["fraction_correct"]
        for c in (10_000, 13)
    )
    assert abs(float(whole.mean() - cut.mean())) < 0.02


def test_the_network_is_left_as_it_was(reader, unseen, generator):
    reader.train()
    evaluated = evaluate(reader, *unseen, ATTACKS, [0.1], generator)
    assert reader.training
    assert reader.dropout.training
    assert reader.features.grad is None
    assert "training mode" in evaluated.attrs["guard_mode"]
    reader.eval()
    in_evaluation_mode = evaluate(reader, *unseen, ATTACKS, [0.1], torch.Generator().manual_seed(1))
    assert np.array_equal(evaluated["fraction_correct"], in_evaluation_mode["fraction_correct"])


def test_a_stronger_image_from_a_smaller_budget_is_kept(reader, unseen, generator):
    class Blunted(PGD):
        """Finds nothing at large budgets: what an attack with a bad step size does."""

        def _attacked(self, model, images, labels, generator, chunk):
            return super()._attacked(model, images, labels, generator, chunk) if self.eps < 0.15 else images.clone()

    accuracy = evaluate(reader, *unseen, {"blunted": Blunted(steps=5)}, [0.0, 0.1, 0.2], generator)["fraction_correct"].mean("image")
    assert float(accuracy.sel(attack="blunted", epsilon=0.1)) < float(accuracy.sel(attack="blunted", epsilon=0.0)) - 0.3
    assert float(accuracy.sel(attack="blunted", epsilon=0.2)) == float(accuracy.sel(attack="blunted", epsilon=0.1))


def test_recognition_counts_before_loss():
    recognised_at_large_loss = Score(torch.tensor([1.0]), torch.tensor([True]), torch.tensor([1.2]))
    missed_at_small_loss = Score(torch.tensor([0.0]), torch.tensor([False]), torch.tensor([1.0]))
    assert stronger(missed_at_small_loss, recognised_at_large_loss).item()
    assert not stronger(recognised_at_large_loss, missed_at_small_loss).item()
    assert not stronger(missed_at_small_loss, missed_at_small_loss).item()


def test_results_are_written_and_read(reader, unseen, generator, tmp_path):
    result = evaluate(reader, *unseen, ATTACKS, [0.0, 0.1], generator)
    write_netcdf(result, tmp_path / "result.nc")
    xr.testing.assert_identical(read_netcdf(tmp_path / "result.nc"), result)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": torch.full((120, 1, 8, 8), 2.0)}, r"images: values from 2 to 2; pixels must be in \[0, 1\]"),
        ({"labels": torch.zeros(3).long()}, "labels: shape"),
        ({"labels": torch.full((120,), 10)}, "labels: 10 occurs but the network has classes 0 to 9"),
        ({"attacks": {}}, "attacks: none given"),
        ({"attacks": {"worst": FGSM()}}, "the name 'worst' is taken"),
        ({"threat": []}, "epsilons"),
        ({"threat": [0.1, 0.1]}, "each once"),
        ({"threat": [0.1, 8]}, r"eps = 8 is outside \[0, 1\]; .* 8 of 255 grey levels are 0.031373"),
        ({"scoring_draws": 0}, "scoring_draws = 0"),
        ({"selection_draws": 0}, "selection_draws = 0"),
        ({"chunk": 0}, "chunk = 0"),
    ],
)
def test_bad_input(changed, message, reader, unseen, generator):
    arguments = {"images": unseen[0], "labels": unseen[1], "attacks": ATTACKS, "threat": [0.1], "generator": generator}
    with pytest.raises(InputError, match=message) as caught:
        evaluate(reader, **(arguments | changed))
    assert "\n" not in str(caught.value)
