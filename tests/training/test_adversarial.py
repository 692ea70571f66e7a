"""Mixed mini-batches: which images are replaced, within which ε, with which weight, and what batch normalisation sees."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats

from yuragi.attacks import FGSM, PGD, StepLL
from yuragi.errors import InputError
from yuragi.models.cnn import CNN
from yuragi.models.perceptron import Perceptron
from yuragi.noise.white import WhiteNoise
from yuragi.regularizers.spectral import SpectralPenalty
from yuragi.settings import validate
from yuragi.training.accuracy import accuracy
from yuragi.training.adversarial import AdversarialTraining
from yuragi.training.build import build_network
from yuragi.training.passes import TrainingPass
from yuragi.training.settings import TrainingSettings
from yuragi.training.standard import train
from yuragi.training.stopping import best_epoch, is_over

SETTINGS = TrainingSettings(epochs=4, batch=60, learning_rate=0.01)


def trained(digits, adversarial: AdversarialTraining | None, settings: TrainingSettings = SETTINGS, noise: WhiteNoise | None = None, **options):
    network = build_network(Perceptron(hidden=(64,), activation="relu"), (1, 8, 8), 10, seed=0, noise=noise)
    history = train(
        network,
        digits.images,
        digits.labels,
        settings,
        seed=0,
        adversarial=adversarial,
        validation=(digits.test_images, digits.test_labels),
        **options,
    )
    return network, history


def test_the_loss_is_the_published_mean_of_both_parts(generator) -> None:
    logits, labels = torch.randn(8, 5, generator=generator), torch.randint(5, (8,), generator=generator)
    each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    for weight, part in ((0.3, 4), (1.0, 3), (0.0, 5), (2.5, 8)):
        found = AdversarialTraining(attack=FGSM(), weight=weight).loss(logits, labels, part)
        wanted = (each[part:].sum() + weight * each[:part].sum()) / (8 - part + weight * part)
        torch.testing.assert_close(found, wanted)
    # With one weight for all, it is the ordinary loss, whatever the part.
    torch.testing.assert_close(AdversarialTraining(attack=FGSM(), weight=1).loss(logits, labels, 3), each.mean())


def test_sizes_follow_the_truncated_normal_and_a_wrong_width_would_show(generator) -> None:
    drawn = AdversarialTraining(attack=FGSM(eps=0.4)).budgets(20_000, generator).double().numpy()
    assert stats.kstest(drawn, stats.truncnorm(0, 2, scale=0.2).cdf).pvalue > 0.001
    # Clipping in place of truncation, and another width.
    clipped = np.abs(np.random.default_rng(0).normal(0, 0.2, 20_000)).clip(max=0.4)
    assert stats.kstest(clipped, stats.truncnorm(0, 2, scale=0.2).cdf).pvalue < 1e-6
    assert stats.kstest(drawn, stats.truncnorm(0, 4, scale=0.1).cdf).pvalue < 1e-6
    assert AdversarialTraining(attack=FGSM(eps=0.4), epsilons="fixed").budgets(3, generator).tolist() == pytest.approx([0.4] * 3)


def test_each_image_stays_within_the_size_that_was_drawn_for_it(digits, generator) -> None:
    network = build_network(Perceptron(hidden=(16,)), (1, 8, 8), 10, seed=0)
    adversarial = AdversarialTraining(attack=FGSM(eps=0.2))
    images, labels = torch.from_numpy(digits.images[:200]), torch.from_numpy(digits.labels[:200])
    budgets = adversarial.budgets(200, torch.Generator().manual_seed(5))
    made = adversarial.attacked(network, images, labels, torch.Generator().manual_seed(5))
    distance = (made - images).abs().flatten(1).amax(1)
    torch.testing.assert_close(distance, budgets, atol=1e-6, rtol=0)
    assert made.min() >= 0
    assert made.max() <= 1


@pytest.mark.parametrize(("k", "part"), [(None, 30), (15, 15), (60, 60), (1, 1)])
def test_so_many_images_of_every_mini_batch_are_attacked_with_the_weights_of_the_moment(digits, monkeypatch, k, part) -> None:
    met = []

    def spied(self, model, around, labels, generator, chunk):
        met.append((len(labels), model.layers["hidden1"][1].weight.detach().clone()))
        assert not model.training
        return around.images

    monkeypatch.setattr(FGSM, "_within", spied)
    trained(digits, AdversarialTraining(attack=FGSM(), k=k, watched_images=0), TrainingSettings(epochs=1, batch=60))
    assert [count for count, _ in met] == [part] * 10
    assert all(not torch.equal(before, after) for (_, before), (_, after) in itertools.pairwise(met))


def test_a_smaller_mini_batch_has_as_large_a_part_and_keeps_clean_images() -> None:
    settings = TrainingSettings(batch=20)
    for k, count, part in ((None, 11, 6), (5, 12, 3), (19, 11, 10), (19, 10, 9), (20, 10, 10)):
        assert AdversarialTraining(attack=FGSM(), k=k).part(count, settings) == part


def test_images_that_do_not_change_with_weight_one_give_ordinary_training(digits, monkeypatch) -> None:
    monkeypatch.setattr(FGSM, "_within", lambda self, model, around, labels, generator, chunk: around.images)
    mixed, _ = trained(digits, AdversarialTraining(attack=FGSM(), weight=1, watched_images=0))
    plain, _ = trained(digits, None)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(mixed.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def test_the_first_epochs_are_clean_and_the_history_says_so(digits) -> None:
    adversarial = AdversarialTraining(attack=FGSM(eps=0.3), clean_epochs=2)
    network, history = trained(digits, adversarial)
    assert history["adversarial"].tolist() == [0, 0, 1, 1]
    assert history["adversarial_train_accuracy"].isna().tolist() == [True, True, False, False]
    clean, _ = trained(digits, None, SETTINGS.model_copy(update={"epochs": 2}))
    early, _ = trained(digits, adversarial.model_copy(update={"clean_epochs": 3}), SETTINGS)
    assert len(clean.state_dict()) == len(network.state_dict())
    assert not torch.equal(early.state_dict()["layers.hidden1.1.weight"], network.state_dict()["layers.hidden1.1.weight"])


def test_early_stopping_waits_for_adversarial_images_and_returns_a_network_that_met_them(digits) -> None:
    settings = TrainingSettings(epochs=4, batch=60, validation_fraction=0.2, patience=1)
    losses = (0.5, 0.1, 0.9, 0.8)
    rows = [{"validation_loss": loss, "adversarial": int(epoch > 2)} for epoch, loss in enumerate(losses, start=1)]
    assert [is_over(rows[:epoch], settings) for epoch in range(1, 5)] == [False] * 4
    assert [best_epoch(rows[:epoch], settings) for epoch in range(1, 5)] == [1, 2, 3, 4]
    assert is_over([*rows, {"validation_loss": 0.85, "adversarial": 1}], settings)
    adversarial = AdversarialTraining(attack=FGSM(eps=0.3), k=60, weight=1, clean_epochs=2, watched_images=0)
    network, history = trained(digits, adversarial, settings)
    assert history["adversarial"].tolist()[:3] == [0, 0, 1]
    clean, _ = trained(digits, None, settings.model_copy(update={"epochs": 2}))
    assert not torch.equal(clean.state_dict()["layers.hidden1.1.weight"], network.state_dict()["layers.hidden1.1.weight"])


def test_it_makes_networks_robust_to_its_attack_and_ordinary_training_does_not(digits, generator) -> None:
    settings = TrainingSettings(epochs=30, batch=60, learning_rate=0.005)
    images, labels = torch.from_numpy(digits.test_images), torch.from_numpy(digits.test_labels)
    robust = {}
    for name, adversarial in {"plain": None, "fgsm": AdversarialTraining(attack=FGSM(eps=0.2), weight=1)}.items():
        network, _ = trained(digits, adversarial, settings)
        robust[name] = accuracy(network, FGSM(eps=0.15)(network, images, labels, generator), labels, generator)
    assert robust["fgsm"] > robust["plain"] + 0.25


def test_the_watched_images_show_the_attack_of_the_training_and_pgd(digits) -> None:
    network, history = trained(digits, AdversarialTraining(attack=FGSM(eps=0.2), watched_images=400, watched_steps=20))
    last = history.iloc[-1]
    images, labels = torch.from_numpy(digits.test_images), torch.from_numpy(digits.test_labels)
    generator = torch.Generator().manual_seed(0)
    assert last["watched_clean_accuracy"] == pytest.approx(last["held_out_accuracy"])
    assert last["watched_attack_accuracy"] == pytest.approx(accuracy(network, FGSM(eps=0.2)(network, images, labels, generator), labels, generator))
    assert last["watched_pgd_accuracy"] < last["watched_attack_accuracy"] < last["watched_clean_accuracy"]
    nearer = AdversarialTraining(attack=FGSM(eps=0.2), watched_eps=0.02, watched_images=400, watched_steps=20)
    assert trained(digits, nearer)[1].iloc[-1]["watched_pgd_accuracy"] > last["watched_pgd_accuracy"] + 0.1
    assert not any("watched" in name for name in trained(digits, AdversarialTraining(attack=FGSM(), watched_images=0))[1])


class TestBatchNormalisation:
    """What the running statistics see is what the network answers with afterwards."""

    def means(self, apart: int | None, images: torch.Tensor) -> list[torch.Tensor]:
        network = build_network(CNN(channels=(4, 4), hidden=8, batch_norm=True), (1, 8, 8), 10, seed=0).train()
        if apart is None:
            network(images, torch.Generator())
        else:
            TrainingPass(network)(images, torch.Generator(), (), apart)
        return [buffer.clone() for name, buffer in network.named_buffers() if "running" in name]

    def test_the_mixture_normalises_all_and_separate_parts_leave_the_clean_one_in_charge(self) -> None:
        generator = torch.Generator().manual_seed(0)
        images = torch.cat([torch.rand(6, 1, 8, 8, generator=generator), torch.rand(10, 1, 8, 8, generator=generator) ** 4])
        torch.testing.assert_close(self.means(0, images), self.means(None, images))
        torch.testing.assert_close(self.means(6, images), self.means(None, images[6:]))
        assert not torch.allclose(self.means(6, images)[0], self.means(None, images)[0])

    def test_each_part_is_normalised_by_itself(self) -> None:
        images = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        images[:6] **= 4
        network = build_network(CNN(channels=(4, 4), hidden=8, batch_norm=True), (1, 8, 8), 10, seed=0).train()
        logits, activities = TrainingPass(network)(images, torch.Generator(), ("conv1", "hidden1"), 6)
        for part in (slice(0, 6), slice(6, 16)):
            torch.testing.assert_close(logits[part], network(images[part], torch.Generator()))
        assert activities["conv1"].shape[0] == activities["hidden1"].shape[0] == 16
        assert not torch.allclose(logits, network(images, torch.Generator()))


@pytest.mark.parametrize("batch_norm", ["mixture", "separate"])
@pytest.mark.parametrize("devices", [1, 2])
def test_it_carries_a_penalty_and_noise_and_the_same_arguments_give_the_same_numbers(digits, batch_norm, devices) -> None:
    adversarial = AdversarialTraining(attack=PGD(eps=0.1, steps=2, draws=1), batch_norm=batch_norm, watched_images=20)
    options = {
        "adversarial": adversarial,
        "settings": TrainingSettings(epochs=2, batch=100),
        "noise": WhiteNoise(layer="hidden1", relative_variance=0.2),
        "penalty": SpectralPenalty(layers={"hidden1": 1.0}),
        "devices": devices,
    }
    (one, first), (two, second) = trained(digits, **options), trained(digits, **options)
    assert first.equals(second)
    assert all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())
    assert first["penalty"].gt(0).all()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"weight": -0.1}, "weight = -0.1"),
        ({"attack": {"kind": "fgms", "eps": 0.1}}, "did you mean 'fgsm'? Known: basic_iterative, fgsm, iterative_ll, pgd"),
        ({"attack": {"kind": "square", "eps": 0.1}}, "'square' does not exist"),
        ({"attack": {"kind": "fgsm", "eps": 8}}, "8 of 255 grey levels are 0.031373"),
        ({"attack": {"kind": "fgsm", "eps": 0}}, "eps = 0"),
        ({"k": 0}, "k = 0"),
        ({"watched_eps": 1.5}, "watched_eps = 1.5 is outside [0, 1]"),
        ({"lambda": 1}, "lambda: this key does not exist"),
    ],
)
def test_bad_values_are_told_in_one_line(values, told) -> None:
    with pytest.raises(InputError, match="adversarial") as error:
        validate(AdversarialTraining, {"attack": {"kind": "fgsm"}} | values, "adversarial")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"k": 61}, "k = 61: a mini-batch has batch = 60 images"),
        ({"k": 60, "weight": 0.0}, "weight = 0 with k = 60"),
        ({"k": 60, "batch_norm": "separate"}, "batch_norm = separate with k = 60"),
        ({"clean_epochs": 4}, "clean_epochs = 4: the training has 4 epochs"),
    ],
)
def test_what_does_not_fit_the_training_is_refused_before_it_starts(digits, options, told) -> None:
    with pytest.raises(InputError, match=told):
        trained(digits, AdversarialTraining(attack=StepLL(), **options))


def test_an_attack_of_the_type_of_another_is_refused() -> None:
    with pytest.raises(ValidationError, match="attack"):
        AdversarialTraining(attack="fgsm")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
