"""Training learns, is reproducible, follows its specification and says what is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.errors import InputError
from yuragi.models.perceptron import Perceptron
from yuragi.noise.white import WhiteNoise
from yuragi.regularizers.base import Batch, Penalty
from yuragi.regularizers.spectral import SpectralPenalty
from yuragi.spectra.power_law import fit_power_law
from yuragi.targets import BrainTarget, Stage
from yuragi.training.build import build_network
from yuragi.training.labels import randomised_labels
from yuragi.training.settings import TrainingSettings
from yuragi.training.spectra import layer_spectrum
from yuragi.training.standard import train

FAST = TrainingSettings(epochs=3, batch=200)
WIDE = Perceptron(hidden=(60,))


def network(seed: int = 0, noise: WhiteNoise | None = None) -> torch.nn.Module:
    return build_network(WIDE, (1, 8, 8), 10, seed=seed, noise=noise)


def same_parameters(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def penalty_of(penalty: Penalty, reference: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, target: BrainTarget | None) -> torch.Tensor:
    """The penalty of the whole data set as one mini-batch."""
    generator = torch.Generator().manual_seed(0)
    state = penalty.prepare(reference, images, target, {}, generator)
    activities = reference.activities(images, penalty.reads(), flat=False)
    return penalty.loss(Batch(reference, images, labels, reference(images, generator), activities, generator), state)


def test_it_learns_and_reports(digits) -> None:
    trained = network()
    settings = TrainingSettings(epochs=20, batch=100, learning_rate=3e-3)
    history = train(trained, digits.images, digits.labels, settings, seed=0, validation=(digits.test_images, digits.test_labels))
    assert list(history.columns) == ["epoch", "loss", "penalty", "train_accuracy", "held_out_accuracy"]
    assert list(history.epoch) == list(range(1, 21))
    assert history.held_out_accuracy.iloc[-1] > 0.9
    assert history.loss.iloc[-1] < history.loss.iloc[0] / 3
    assert (history.penalty == 0).all()
    assert not trained.training
    correct = (trained(torch.from_numpy(digits.test_images)).argmax(1).numpy() == digits.test_labels).mean()
    assert history.held_out_accuracy.iloc[-1] == pytest.approx(correct)


@pytest.mark.parametrize("noise", [None, WhiteNoise(layer="hidden1", relative_variance=0.2)])
def test_the_same_arguments_give_the_same_numbers_and_another_seed_others(digits, noise) -> None:
    networks, histories = [], []
    for seed in (0, 0, 1):
        torch.manual_seed(len(networks))  # global randomness must not matter
        networks.append(network(noise=noise))
        histories.append(train(networks[-1], digits.images, digits.labels, FAST, seed=seed, validation=(digits.test_images, digits.test_labels)))
    assert same_parameters(networks[0], networks[1])
    pd.testing.assert_frame_equal(histories[0], histories[1])
    assert not same_parameters(networks[0], networks[2])


def test_arms_of_one_seed_start_from_the_same_parameters() -> None:
    plain, noisy = network(), network(noise=WhiteNoise(layer="hidden1", relative_variance=0.2))
    mine, theirs = dict(plain.named_parameters()), dict(noisy.named_parameters())
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert not same_parameters(plain, network(seed=1))


def test_one_step_of_sgd_is_the_formula(digits) -> None:
    trained, reference = network(), network()
    images, labels = torch.from_numpy(digits.images), torch.from_numpy(digits.labels)
    settings = TrainingSettings(epochs=1, batch=600, optimiser="sgd", learning_rate=0.1, weight_decay=0.01)
    history = train(trained, images, labels, settings, seed=0)
    loss = torch.nn.functional.cross_entropy(reference(images), labels)
    decay = 0.01 / 2 * sum(parameter.square().sum() for parameter in reference.parameters())
    gradients = torch.autograd.grad(loss + decay, list(reference.parameters()))
    assert history.loss[0] == pytest.approx(loss.item(), rel=1e-5)
    for after, before, gradient in zip(trained.parameters(), reference.parameters(), gradients, strict=True):
        torch.testing.assert_close(after, before - 0.1 * gradient, rtol=1e-4, atol=1e-6)


def test_the_penalty_is_in_the_loss_of_a_step(digits) -> None:
    trained, reference = network(), network()
    images, labels = torch.from_numpy(digits.images), torch.from_numpy(digits.labels)
    penalty = SpectralPenalty(layers={"hidden1": "v1"}, weight=2.0)
    target = BrainTarget({"v1": Stage(1.0)})
    settings = TrainingSettings(epochs=1, batch=600, optimiser="sgd", learning_rate=0.1)
    history = train(trained, images, labels, settings, seed=0, penalty=penalty, target=target)
    added = penalty_of(penalty, reference, images, labels, target)
    loss = torch.nn.functional.cross_entropy(reference(images), labels) + added
    gradients = torch.autograd.grad(loss, list(reference.parameters()))
    assert history.penalty[0] == pytest.approx(added.item(), rel=1e-4)
    assert history.loss[0] == pytest.approx(loss.item(), rel=1e-4)
    for after, before, gradient in zip(trained.parameters(), reference.parameters(), gradients, strict=True):
        torch.testing.assert_close(after, before - 0.1 * gradient, rtol=1e-3, atol=1e-5)


def test_every_image_is_met_once_an_epoch_in_batches_of_equal_size(digits) -> None:
    class Recorder(torch.nn.Module):
        n_classes, stochastic, layer_names = 10, False, ("output",)

        def __init__(self) -> None:
            super().__init__()
            self.output = torch.nn.Linear(64, 10)
            self.met: list[torch.Tensor] = []

        def forward(self, images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
            self.met.append(images)
            return self.output(images.flatten(1))

    recorder = Recorder()
    images = np.linspace(0, 1, 601, dtype=np.float32)[:, None, None, None] * np.ones((1, 1, 8, 8), np.float32)
    train(recorder, images, np.zeros(601, dtype=np.int64), TrainingSettings(epochs=2, batch=200), seed=0)
    assert [len(met) for met in recorder.met] == [151, 150, 150, 150] * 2
    first, second = (torch.cat(recorder.met[4 * epoch : 4 * epoch + 4])[:, 0, 0, 0] for epoch in (0, 1))
    assert torch.equal(first.sort().values, torch.from_numpy(images[:, 0, 0, 0]))
    assert not torch.equal(first, second)


def test_the_penalty_moves_the_exponent_towards_the_target(digits) -> None:
    settings = TrainingSettings(epochs=60, batch=300, learning_rate=5e-3)
    test_images = torch.from_numpy(digits.test_images)
    alphas, accuracies = {}, {}
    for arm, penalty in {
        "plain": None,
        "no weight": SpectralPenalty(layers={"hidden1": 1.0}, weight=0.0),
        "towards 1": SpectralPenalty(layers={"hidden1": 1.0}, weight=5.0, anchor=5, last_rank=40),
        "towards 1.6": SpectralPenalty(layers={"hidden1": 1.6}, weight=5.0, anchor=5, last_rank=40),
    }.items():
        trained = network()
        history = train(trained, digits.images, digits.labels, settings, seed=0, penalty=penalty, validation=(digits.test_images, digits.test_labels))
        alphas[arm] = fit_power_law(layer_spectrum(trained, test_images, "hidden1"), ranks=(5, 40)).alpha
        accuracies[arm] = history.held_out_accuracy.iloc[-1]
    assert alphas["plain"] > 2
    assert alphas["no weight"] == pytest.approx(alphas["plain"], abs=0.02)
    assert abs(alphas["towards 1"] - 1) < 0.35
    assert abs(alphas["towards 1.6"] - 1.6) < 0.35
    assert alphas["towards 1"] + 0.3 < alphas["towards 1.6"]
    assert min(accuracies.values()) > 0.93


def test_noise_is_calibrated_to_the_trained_network(digits) -> None:
    trained = network(noise=WhiteNoise(layer="hidden1", relative_variance=0.5))
    train(trained, digits.images, digits.labels, FAST, seed=0)
    activity = trained.activities(torch.from_numpy(digits.images), ["hidden1"])["hidden1"].detach()
    assert trained.noise["hidden1"].stimulus_variance.item() == pytest.approx(activity.var(0).sum().item(), rel=1e-4)


def test_a_stochastic_network_is_penalised_without_its_noise(digits) -> None:
    noisy = network(noise=WhiteNoise(layer="hidden1", relative_variance=5.0))
    penalty = SpectralPenalty(layers={"hidden1": 1.0})
    history = train(noisy, digits.images, digits.labels, TrainingSettings(epochs=1, batch=600), seed=0, penalty=penalty)
    images = torch.from_numpy(digits.images)
    start = network()
    expected = penalty_of(penalty, start, images, torch.from_numpy(digits.labels), None)
    assert history.penalty[0] == pytest.approx(expected.item(), rel=1e-4)


def test_random_labels_are_learnt_by_rote_only(digits) -> None:
    drawn, where = randomised_labels(digits.labels, 0.4, 10, seed=3)
    assert where.sum() == 240
    np.testing.assert_array_equal(drawn[~where], digits.labels[~where])
    assert 0.8 < (drawn[where] != digits.labels[where]).mean() < 1
    settings = TrainingSettings(epochs=5, batch=200, random_labels=0.4)
    by_name, by_hand = network(), network()
    train(by_name, digits.images, digits.labels, settings, seed=3)
    train(by_hand, digits.images, drawn, settings.model_copy(update={"random_labels": 0.0}), seed=3)
    assert same_parameters(by_name, by_hand)


def test_callers_arrays_are_left_alone(digits) -> None:
    images, labels = digits.images.copy(), digits.labels.copy()
    train(network(), images, labels, TrainingSettings(epochs=1, batch=200, random_labels=0.5), seed=0)
    np.testing.assert_array_equal(images, digits.images)
    np.testing.assert_array_equal(labels, digits.labels)


def test_a_diverging_loss_stops_with_a_remedy(digits, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("yuragi.training.standard.CHECKPOINT_SECONDS", 0.0)
    diverging = network()

    class Exploding(SpectralPenalty):
        """Turns infinite in the third epoch."""

        def prepare(self, *arguments, **options):
            calls.append(1)
            return super().prepare(*arguments, **options)

        def loss(self, batch, state):
            return super().loss(batch, state) * (float("inf") if len(calls) == 3 else 1.0)

    calls: list[int] = []
    penalty = Exploding(layers={"hidden1": 1.0})
    with pytest.raises(InputError, match=r"step 1 of epoch 3 with learning_rate = 0.001; lower it.*checkpoint stays in"):
        train(diverging, digits.images, digits.labels, TrainingSettings(epochs=5, batch=200), seed=0, penalty=penalty, scratch=tmp_path)
    assert (tmp_path / "training" / "checkpoint.safetensors").exists()


def test_parameters_that_diverge_in_the_last_step_are_noticed(digits) -> None:
    settings = TrainingSettings(epochs=1, batch=600, optimiser="sgd", learning_rate=1e38, weight_decay=1e4)
    with pytest.raises(InputError, match="at step 1 of epoch 1"):
        train(network(), digits.images, digits.labels, settings, seed=0)


def test_read_only_and_double_images_do(digits) -> None:
    images = digits.images.astype(np.float64)
    images.flags.writeable = False
    double, single = network(), network()
    train(double, images, digits.labels[::-1][::-1], FAST, seed=0)
    train(single, digits.images, digits.labels, FAST, seed=0)
    assert same_parameters(double, single)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": TrainingSettings(batch=601)}, r"batch = 601: there are only 600 training images"),
        ({"labels": np.full(600, 10)}, r"labels: 10 occurs, but the network has classes 0 to 9"),
        ({"labels": np.zeros(599, dtype=np.int64)}, r"labels: shape \(599,\)"),
        ({"images": np.full((600, 1, 8, 8), 2.0, dtype=np.float32)}, r"pixels must be in \[0, 1\]"),
        ({"device": "tpu"}, r"device 'tpu' does not exist"),
        ({"device": "cuda:x"}, r"device 'cuda:x' does not exist"),
        ({"scratch": ".", "key": "a/b"}, r"key = 'a/b'"),
    ],
)
def test_errors_of_the_user_are_one_line(digits, change, message) -> None:
    arguments = {"images": digits.images, "labels": digits.labels, "settings": FAST, "seed": 0} | change
    with pytest.raises(InputError, match=message) as caught:
        train(network(), **arguments)
    assert "\n" not in str(caught.value)


def test_momentum_belongs_to_sgd() -> None:
    with pytest.raises(ValueError, match="only sgd takes it"):
        TrainingSettings(momentum=0.9)


def test_layer_spectrum_is_that_of_the_covariance(digits) -> None:
    images = torch.from_numpy(digits.test_images)
    spectrum = layer_spectrum(network(), images, "hidden1")
    activity = network().activities(images, ["hidden1"])["hidden1"].detach().double().numpy()
    np.testing.assert_allclose(spectrum.values, np.linalg.eigvalsh(np.cov(activity.T))[::-1], rtol=1e-9, atol=1e-12)
    assert list(spectrum["rank"].values[:2]) == [1, 2]
    assert layer_spectrum(network(), images[:20], "hidden1").sizes == {"rank": 19}
