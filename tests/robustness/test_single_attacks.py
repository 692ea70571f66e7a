"""Attacks each by itself: label leaking where it is planted, and nothing carried over from one attack or ε to another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import hadamard

from yuragi.attacks import FGSM, PGD, BasicIterative, RandomNoise, StepLL
from yuragi.errors import InputError
from yuragi.robustness.adversarial_tables import single_attack_table
from yuragi.robustness.adversarial_training import ArmDescription
from yuragi.robustness.evaluate import evaluate
from yuragi.robustness.single_attacks import evaluate_single_attacks
from yuragi.robustness.threat import ThreatModel

CLASSES = 4
THREAT = ThreatModel(epsilons=(0.05, 0.1))


class Leaky(torch.nn.Module):
    """Images have pixels at 0, 1/4, 1/2, ..., and an attack's change is what is left beside that.

    On an image as it is, the answer is the class of the template that the image is nearest to. On a changed one, it is the class whose template the
    change goes against most, the template of the image in doubt: an attack goes away from the true class where it uses the label. Gradients are those
    of a linear reader by the templates.
    """

    def __init__(self) -> None:
        super().__init__()
        self.templates = torch.nn.Parameter(torch.tensor(hadamard(64)[1 : 1 + CLASSES], dtype=torch.float32))
        self.dropout = torch.nn.Dropout(0.9)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pixels = self.dropout(images.flatten(1))
        grid = (4 * pixels).round() / 4
        change = pixels - grid
        changed = change.abs().amax(1) > 0.01
        seen = (0.01 * (grid - 0.5) - change * changed[:, None]) @ self.templates.T
        answers = torch.nn.functional.one_hot(seen.argmax(1), CLASSES).float()
        linear = pixels @ self.templates.T
        return answers + linear - linear.detach()


class LeakyAndNoisy(Leaky):
    """Draws whose answers are exchanged at random, one in ten."""

    stochastic = True

    def sample_logits(self, images: torch.Tensor, generator: torch.Generator, draws: int) -> torch.Tensor:
        exchanged = torch.rand(draws, len(images), 1, generator=generator) < 0.1
        logits = self(images)[None].expand(draws, -1, -1)
        return torch.where(exchanged, logits.roll(1, 2), logits)


@pytest.fixture
def mixed() -> tuple[torch.Tensor, torch.Tensor]:
    """Forty images, of which the network knows 24: planted clean accuracy 0.6."""
    known = torch.arange(40) % CLASSES
    images = 0.5 + 0.25 * torch.tensor(hadamard(64)[1 : 1 + CLASSES], dtype=torch.float32)[known].reshape(40, 1, 8, 8)
    return images, torch.where(torch.arange(40) < 24, known, (known + 1) % CLASSES)


def measured(model, data, attacks, generator, **options):
    return evaluate_single_attacks(model, *data, attacks, options.pop("threat", THREAT), generator, **options)


def test_planted_label_leaking_is_found_and_the_control_has_none(mixed, generator):
    attacks = {"fgsm": FGSM(), "step_ll": StepLL(), "noise": RandomNoise()}
    result = measured(Leaky(), mixed, attacks, generator)
    assert float(result["clean_fraction_correct"].mean()) == pytest.approx(0.6)
    assert bool((result["fraction_correct"].sel(attack="fgsm") == 1).all())
    assert bool((result["fraction_correct"].sel(attack="step_ll") == result["clean_fraction_correct"]).all())
    assert float(result["fraction_correct"].sel(attack="noise").mean()) < 0.5  # one in four by chance

    described = {"leaky": ArmDescription(method="fgsm", leaks_possible=True)}
    table = single_attack_table([result.assign_coords(arm="leaky", seed=0)], described, attacks, np.random.default_rng(0))
    leaks = table[table["attack"] == "fgsm"]
    assert leaks["leaking"].tolist() == pytest.approx([0.4, 0.4])
    assert (leaks["leaking_low"] > 0.2).all()
    assert (leaks["leaking_p_holm"] < 0.01).all()
    control = table[table["attack"] == "step_ll"]
    assert (control[["leaking", "leaking_low", "leaking_high"]] == 0).all(axis=None)
    assert (control["leaking_p"] == 1).all()
    assert (table.loc[table["attack"] == "noise", "leaking"] < 0).all()


def test_the_strongest_adversary_shows_no_leaking(mixed, generator):
    result = evaluate(Leaky(), *mixed, {"fgsm": FGSM()}, [0, 0.05, 0.1], generator)
    assert float(result["fraction_correct"].mean("image").max()) == pytest.approx(0.6)


def test_images_that_are_wrong_are_attacked_to_the_end(mixed, generator):
    stops = BasicIterative(step_size=0.05, steps=1)
    assert stops.drop_fooled
    result = measured(Leaky(), mixed, {"steps": stops}, generator)
    assert bool((result["fraction_correct"].sel(epsilon=0.05) == 1).all())


def test_accuracy_may_rise_with_the_budget(generator):
    class Blind(torch.nn.Module):
        """Class 1 for images whose pixels are between 0.55 and 0.65, else class 0; its gradient always tells to brighten."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            mean = images.flatten(1).mean(1)
            inside = ((mean > 0.55) & (mean < 0.65)).float() - 0.5
            z = inside + mean - mean.detach()
            return torch.stack([-z, z], 1)

    data = torch.full((5, 1, 2, 2), 0.5), torch.zeros(5, dtype=torch.int64)
    result = measured(Blind(), data, {"fgsm": FGSM()}, generator, threat=ThreatModel(epsilons=(0.3, 0, 0.1)))
    assert result["epsilon"].values.tolist() == [0.1, 0.3]
    assert result["fraction_correct"].mean("image").values.tolist() == [[0, 1]]
    assert evaluate(Blind(), *data, {"fgsm": FGSM()}, [0.1, 0.3], generator)["fraction_correct"].values.max() == 0


def test_fresh_draws_of_the_noise_are_averaged_and_shared(mixed, generator):
    result = measured(LeakyAndNoisy(), mixed, {"fgsm": FGSM(draws=64)}, generator, draws=2000, chunk=10**6)
    assert result.attrs == {"norm": "linf", "stochastic": 1, "draws": 2000}
    np.testing.assert_allclose(result["fraction_correct"], 0.9, atol=0.04)
    clean = result["clean_fraction_correct"]
    np.testing.assert_allclose(clean[:24], 0.9, atol=0.04)
    assert np.array_equal(result["fraction_correct"].sel(epsilon=0.05)[0, :24], clean[:24])  # the same answers under the same draws


def test_an_attack_does_not_depend_on_the_others(reader, unseen):
    def under(attacks, epsilons):
        fresh = torch.Generator().manual_seed(3)
        return measured(reader, unseen, attacks, fresh, threat=ThreatModel(epsilons=epsilons))

    pgd, fgsm = PGD(steps=3), FGSM()
    both = under({"fgsm": fgsm, "pgd": pgd}, (0.05, 0.1))
    alone = under({"pgd": pgd.at(0.3, "l2")}, (0.1,))
    assert np.array_equal(both["fraction_correct"].sel(attack="pgd", epsilon=0.1), alone["fraction_correct"].sel(attack="pgd", epsilon=0.1))
    assert both.identical(under({"fgsm": fgsm, "pgd": pgd}, (0.05, 0.1)))
    assert both["fraction_correct"].sel(attack="fgsm", epsilon=0.1).mean() < both["clean_fraction_correct"].mean()


def test_the_norm_is_that_of_the_threat(reader, unseen, generator):
    in_l2 = measured(reader, unseen, {"fgsm": FGSM()}, generator, threat=ThreatModel(norm="l2", epsilons=(0.1,)))
    in_linf = measured(reader, unseen, {"fgsm": FGSM(norm="l2")}, generator, threat=ThreatModel(epsilons=(0.1,)))
    assert in_l2.attrs["norm"] == "l2"
    assert float(in_linf["fraction_correct"].mean()) < float(in_l2["fraction_correct"].mean())  # 64 pixels: eight times as long in L2


def test_the_network_is_left_as_it_was(mixed, generator):
    model = Leaky().train()
    before = model.templates.detach().clone()
    result = measured(model, mixed, {"fgsm": FGSM()}, generator)
    assert float(result["clean_fraction_correct"].mean()) == pytest.approx(0.6)  # nothing was dropped out
    assert model.training
    assert model.dropout.training
    assert torch.equal(model.templates, before)
    assert model.templates.grad is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"attacks": {}}, "attacks: none given"),
        ({"attacks": {"clean": FGSM()}}, "attacks: the name 'clean' is taken"),
        ({"threat": ThreatModel(epsilons=(0,))}, r"epsilons = \[0.0\]: none is above 0"),
        ({"threat": ThreatModel(epsilons=(0.1,), knowledge="answers")}, "'fgsm' knows more"),
        ({"draws": 0}, "draws = 0"),
        ({"data": (torch.full((4, 1, 8, 8), 2.0), torch.zeros(4).long())}, "pixels"),
        ({"data": (torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 7]))}, "labels"),
        ({"model": lambda: torch.nn.Sequential(Leaky(), torch.nn.Softmax(1))}, "probabilities"),
    ],
)
def test_bad_input_is_refused_in_one_line(change, told, mixed, generator):
    given = {"model": Leaky, "data": mixed, "attacks": {"fgsm": FGSM()}} | change
    with pytest.raises(InputError, match=told) as caught:
        measured(given.pop("model")(), given.pop("data"), given.pop("attacks"), generator, **given)
    assert "\n" not in str(caught.value)
