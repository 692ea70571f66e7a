"""What training can do beside the plain loop: each part against what it claims."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from yuragi.attacks import PGD, StepLL
from yuragi.errors import InputError
from yuragi.models.network import Network
from yuragi.models.perceptron import Perceptron
from yuragi.noise.layer import SpontaneousNoise
from yuragi.noise.white import WhiteNoise
from yuragi.regularizers.spectral import SpectralPenalty
from yuragi.regularizers.spectral_constraint import SpectralConstraint
from yuragi.training import resume, standard
from yuragi.training.adversarial import AdversarialTraining
from yuragi.training.augmentation import Augmentation
from yuragi.training.build import build_network
from yuragi.training.passes import TrainingPass
from yuragi.training.processes import DivergedError, launched
from yuragi.training.settings import TrainingSettings
from yuragi.training.standard import train


@pytest.fixture(autouse=True)
def _checkpoint_every_epoch(monkeypatch) -> None:
    monkeypatch.setattr("yuragi.training.standard.CHECKPOINT_SECONDS", 0.0)


class Remembering(SpectralPenalty):
    """Keeps a number from one measurement to the next, and a mean of what it draws."""

    def prepare(self, network, images, target, previous, generator, **options):
        state = super().prepare(network, images, target, previous, generator, **options)
        drawn = torch.rand((), generator=generator)
        return state | {"count": previous.get("count", torch.tensor(0)) + 1, "mean": 0.5 * previous.get("mean", torch.tensor(0.0)) + 0.5 * drawn}

    def loss(self, batch, state):
        return super().loss(batch, state) * state["mean"]

    def report(self, state):
        return {"measurements": float(state["count"])}


def convolutional(*, noisy: bool = True) -> Network:
    """Two layers with batch normalisation and, after the first, noise."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = {
            "conv1": nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
            "output": nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
        }
    noise = {"conv1": SpontaneousNoise(64, np.zeros((0, 1, 1)), np.eye(1), relative_variance=0.3)} if noisy else {}
    return Network(layers, 10, ((0.3,), (0.4,)), noise, image_shape=(1, 8, 8))


def perceptron(noise: WhiteNoise | None = None) -> Network:
    return build_network(Perceptron(hidden=(40,)), (1, 8, 8), 10, seed=0, noise=noise)


def parameters(network: nn.Module) -> np.ndarray:
    return torch.cat([parameter.detach().flatten().double() for parameter in network.parameters()]).numpy()


def same(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in mine)


EVERYTHING = TrainingSettings(
    epochs=5,
    batch=64,
    learning_rate=0.02,
    optimiser="sgd",
    momentum=0.9,
    weight_decay=1e-4,
    schedule="cosine",
    warmup_epochs=1,
    crop_padding=1,
    flip=True,
    random_labels=0.1,
    validation_fraction=0.2,
    patience=4,
    stop_on="accuracy",
    precision="16-mixed",
    channels_last=True,
    data_on_device=False,
)


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed"])
@pytest.mark.parametrize(
    ("after", "adversarial"),
    [
        (1, None),
        (3, None),
        (1, AdversarialTraining(attack=PGD(eps=0.2, steps=2), clean_epochs=1)),
        (3, AdversarialTraining(attack=StepLL(eps=0.2), clean_epochs=1, batch_norm="separate")),
    ],
)
def test_a_resumed_training_with_everything_on_ends_in_the_same_bytes(digits, tmp_path, monkeypatch, precision, after, adversarial) -> None:
    settings = EVERYTHING.model_copy(update={"precision": precision})
    penalty = Remembering(layers={"conv1": 1.0}, weight=0.1, anchor=3, every=2)

    def run(**options) -> tuple[Network, pd.DataFrame]:
        network = convolutional()
        return network, train(
            network, digits.images[:300], digits.labels[:300], settings, seed=3, penalty=penalty, adversarial=adversarial, **options
        )

    whole, history = run()
    saved = []

    def save_then_stop(*arguments) -> None:
        resume.save_progress(*arguments)
        saved.append(arguments[-1])
        if len(saved) == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(standard, "save_progress", save_then_stop)
        with pytest.raises(KeyboardInterrupt):
            run(scratch=tmp_path)
    resumed, again = run(scratch=tmp_path)
    assert same(whole, resumed)
    pd.testing.assert_frame_equal(history, again, check_exact=True)
    assert list(history.measurements) == list(range(1, 1 + len(history)))
    assert int(whole.layers["conv1"][1].num_batches_tracked) > 0
    # The scaler of half precision has counted its steps; bfloat16 has none.
    assert ("scale" in saved[-1]) == (precision == "16-mixed")
    assert whole.layers["conv1"][0].weight.is_contiguous()


def test_a_checkpoint_knows_which_key_of_its_specification_differs(digits, tmp_path, capsys) -> None:
    settings = TrainingSettings(epochs=1, batch=200)
    train(perceptron(), digits.images, digits.labels, settings, seed=0, scratch=tmp_path)
    other = perceptron()
    train(other, digits.images, digits.labels, settings.model_copy(update={"learning_rate": 0.01}), seed=0, scratch=tmp_path)
    fresh = perceptron()
    train(fresh, digits.images, digits.labels, settings.model_copy(update={"learning_rate": 0.01}), seed=0)
    assert "is of another specification, settings.learning_rate = 0.001 and not 0.01" in capsys.readouterr().err
    assert same(other, fresh)


def test_early_stopping_returns_the_best_epoch(digits, tmp_path, monkeypatch) -> None:
    # Half of the labels drawn at random: the validation loss rises once they are learnt by rote.
    settings = TrainingSettings(epochs=200, batch=60, learning_rate=1e-2, random_labels=0.5, validation_fraction=0.3, patience=4)
    network = perceptron()
    history = train(network, digits.images, digits.labels, settings, seed=0, scratch=tmp_path)
    best = int(history.validation_loss.idxmin()) + 1
    assert len(history) == best + 4 < 200
    expected = perceptron()
    shorter = settings.model_copy(update={"epochs": best, "patience": None})
    other = train(expected, digits.images, digits.labels, shorter, seed=0)
    assert same(network, expected)
    pd.testing.assert_frame_equal(history[:best], other)
    # What has stopped stays stopped.
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self: pytest.fail("a step was taken"))
    again = perceptron()
    pd.testing.assert_frame_equal(train(again, digits.images, digits.labels, settings, seed=0, scratch=tmp_path), history)
    assert same(network, again)


def test_images_held_aside_are_not_trained_on_and_the_accuracy_is_theirs(digits) -> None:
    met: list[torch.Tensor] = []
    network = perceptron()
    network.register_forward_pre_hook(lambda module, arguments: met.append(arguments[0].detach().clone()) if module.training else None)
    images = (digits.images + np.arange(600, dtype=np.float32)[:, None, None, None] * 1e-5).clip(0, 1)
    settings = TrainingSettings(epochs=1, batch=450, validation_fraction=0.25)
    history = train(network, images, digits.labels, settings, seed=0)
    trained_on = {image.numpy().tobytes() for image in torch.cat(met)}
    aside = np.array([image.tobytes() not in trained_on for image in images])
    assert aside.sum() == 150
    answers = network(torch.from_numpy(images[aside])).argmax(1).numpy()
    assert history.validation_accuracy[0] == pytest.approx((answers == digits.labels[aside]).mean())
    with pytest.raises(InputError, match="it holds 0 aside"):
        train(perceptron(), digits.images[:4], digits.labels[:4], TrainingSettings(batch=2, validation_fraction=0.01), seed=0)


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("noise", [None, WhiteNoise(layer="hidden1", relative_variance=0.1)])
def test_mixed_precision_costs_less_than_two_points_on_digits(digits, precision, noise) -> None:
    accuracies, weights = {}, {}
    for kind in ("32", precision):
        network = perceptron(noise)
        settings = TrainingSettings(epochs=15, batch=100, learning_rate=3e-3, precision=kind)
        history = train(network, digits.images, digits.labels, settings, seed=0, validation=(digits.test_images, digits.test_labels))
        accuracies[kind], weights[kind] = history.held_out_accuracy.iloc[-1], parameters(network)
        assert all(parameter.dtype == torch.float32 for parameter in network.parameters())
    assert accuracies[precision] > max(0.9, accuracies["32"] - 0.02)
    assert np.abs(weights["32"] - weights[precision]).max() > 1e-5  # it was in use


def test_channels_last_is_the_same_up_to_rounding(digits) -> None:
    trained = []
    for channels_last in (False, True):
        trained.append(convolutional(noisy=False))
        settings = TrainingSettings(epochs=1, batch=100, optimiser="sgd", learning_rate=0.05, channels_last=channels_last)
        train(trained[-1], digits.images, digits.labels, settings, seed=0)
    np.testing.assert_allclose(parameters(trained[0]), parameters(trained[1]), rtol=1e-3, atol=1e-5)


def test_where_the_images_are_changes_nothing(digits) -> None:
    networks = []
    for on_device in ("auto", True, False):
        networks.append(perceptron(WhiteNoise(layer="hidden1", relative_variance=0.1)))
        train(networks[-1], digits.images, digits.labels, TrainingSettings(epochs=2, batch=100, data_on_device=on_device), seed=0)
    assert same(networks[0], networks[1])
    assert same(networks[0], networks[2])


def test_the_augmented_images_are_those_that_were_drawn(digits) -> None:
    met: list[torch.Tensor] = []
    network = perceptron()
    network.register_forward_pre_hook(lambda module, arguments: met.append(arguments[0].detach().clone()) if module.training else None)
    train(network, digits.images, digits.labels, TrainingSettings(epochs=2, batch=600, crop_padding=1, flip=True), seed=0)
    found = [{image.numpy().tobytes() for image in batch} for batch in met]
    assert len(found[0] & found[1]) < 200  # each epoch draws anew
    images = torch.from_numpy(digits.images)
    choices = [(top, left, mirrored) for top in range(3) for left in range(3) for mirrored in (False, True)]
    possible = set()
    for top, left, mirrored in choices:
        every = Augmentation(torch.full((600,), top), torch.full((600,), left), torch.full((600,), mirrored), 1)
        possible |= {image.numpy().tobytes() for image in every.of(images, torch.arange(600))}
    assert found[0] <= possible


def test_the_schedule_reaches_the_optimiser(digits, monkeypatch) -> None:
    rates: list[float] = []
    step = torch.optim.SGD.step

    def recorded(self, *arguments, **options):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.SGD, "step", recorded)
    settings = TrainingSettings(epochs=4, batch=300, optimiser="sgd", learning_rate=0.1, schedule="steps", drop_after=(2,), warmup_epochs=1)
    train(perceptron(), digits.images, digits.labels, settings, seed=0)
    assert rates == pytest.approx([0.05, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01])


def test_the_live_file_has_a_row_after_each_epoch_and_the_history_no_times(digits, tmp_path, monkeypatch) -> None:
    seen: list[pd.DataFrame] = []

    def look(*arguments) -> None:
        seen.append(pd.read_csv(tmp_path / "live.csv"))
        resume.save_progress(*arguments)

    monkeypatch.setattr(standard, "save_progress", look)
    settings = TrainingSettings(epochs=3, batch=200)
    history = train(perceptron(), digits.images, digits.labels, settings, seed=0, scratch=tmp_path, live=tmp_path / "live.csv")
    assert [len(table) for table in seen] == [1, 2, 3]
    assert list(seen[-1].columns) == [*history.columns, "seconds", "images_per_second"]
    assert (seen[-1][["seconds", "images_per_second"]] > 0).all(axis=None)
    pd.testing.assert_frame_equal(seen[-1][list(history.columns)], history, check_dtype=False, rtol=1e-8)
    pd.testing.assert_frame_equal(train(perceptron(), digits.images, digits.labels, settings, seed=0), history, check_exact=True)


def test_the_pass_without_noise_leaves_running_statistics_alone(digits) -> None:
    images = torch.from_numpy(digits.images[:100])
    alone, watched = convolutional(), convolutional()
    for network in (alone, watched):
        network.calibrate(images)
        network.train()
    logits = alone(images, torch.Generator().manual_seed(1))
    found, activities = TrainingPass(watched)(images, torch.Generator().manual_seed(1), ("conv1",))
    assert torch.equal(logits, found)
    assert same(alone, watched)
    assert int(watched.layers["conv1"][1].num_batches_tracked) == 1
    # In that pass as in the other the mini-batch's own statistics normalise.
    reference = convolutional()
    reference.train()
    assert torch.equal(activities["conv1"], reference.activities(images, ["conv1"], flat=False)["conv1"])


class Passing(SpectralPenalty):
    """Runs the mini-batch through the network once more, darkened."""

    def loss(self, batch, state):
        return super().loss(batch, state) + 0.1 * batch.network(0.5 * batch.images, batch.generator).square().mean()


def test_passes_that_a_penalty_takes_leave_them_alone_too(digits) -> None:
    network = convolutional()
    penalty = Passing(layers={"conv1": 1.0}, anchor=3)
    train(network, digits.images, digits.labels, TrainingSettings(epochs=2, batch=200), seed=0, penalty=penalty)
    assert int(network.layers["conv1"][1].num_batches_tracked) == 2 * 3


def test_variables_of_a_cluster_in_the_environment_are_not_acted_on(digits, monkeypatch) -> None:
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "job", "SLURM_PROCID": "3", "SLURM_LOCALID": "3", "SLURM_NODEID": "0"}.items():
        monkeypatch.setenv(name, value)
    alone, within = perceptron(), perceptron()
    train(within, digits.images, digits.labels, TrainingSettings(epochs=1, batch=200), seed=0)
    monkeypatch.undo()
    train(alone, digits.images, digits.labels, TrainingSettings(epochs=1, batch=200), seed=0)
    assert same(alone, within)


def test_memory_that_does_not_suffice_names_the_batch(digits, monkeypatch) -> None:
    def exhausted(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", exhausted)
    with pytest.raises(InputError, match=r"out of memory with training.batch = 200: lower it"):
        train(perceptron(), digits.images, digits.labels, TrainingSettings(epochs=1, batch=200), seed=0)


def test_divergence_is_told_within_a_long_epoch_and_the_checkpoint_is_of_the_epoch_before(digits, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("yuragi.training.epoch.LOOK", 2)
    steps: list[int] = []

    class Exploding(SpectralPenalty):
        """Turns undefined in the third step of the second epoch."""

        def loss(self, batch, state):
            steps.append(1)
            return super().loss(batch, state) * (float("nan") if len(steps) >= 13 else 1.0)

    penalty = Exploding(layers={"hidden1": 1.0}, weight=0.01)
    with pytest.raises(InputError, match=r"at step 3 of epoch 2 with learning_rate = 0.001.*the last good checkpoint stays in") as caught:
        train(perceptron(), digits.images, digits.labels, TrainingSettings(epochs=3, batch=60), seed=0, penalty=penalty, scratch=tmp_path)
    assert "\n" not in str(caught.value)
    assert len(steps) == 14
    kept, record = resume.read_tensors(tmp_path / "training" / "checkpoint.safetensors")
    assert len(record["history"]) == 1
    assert all(tensor.isfinite().all() for tensor in kept.values())


def test_divergence_is_told_before_a_penalty_measures_what_has_diverged(digits) -> None:
    penalty = SpectralConstraint(layers={"hidden1": 1.0}, ranks=(3, 20), refresh_steps=2)
    settings = TrainingSettings(epochs=1, batch=100, optimiser="sgd", learning_rate=1e38)
    with pytest.raises(DivergedError, match=r"at step 2 of epoch 1 with learning_rate = 1e\+38"):
        train(perceptron(), digits.images, digits.labels, settings, seed=0, penalty=penalty)


def test_what_the_target_lacks_is_told_before_anything_is_measured(digits) -> None:
    network = perceptron(WhiteNoise(layer="hidden1", relative_variance=0.1))
    network.calibrate = lambda *arguments, **options: pytest.fail("it was calibrated")
    with pytest.raises(InputError, match=r"layers.hidden1: 'v4' names a stage of the brain target, but there is no target"):
        train(network, digits.images, digits.labels, TrainingSettings(batch=200), seed=0, penalty=SpectralPenalty(layers={"hidden1": "v4"}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"devices": 0}, "devices = 0: give 1 or more"),
        ({"devices": 300}, "a mini-batch of 200 images leaves some of them idle"),
        ({"devices": 2, "device": "cuda"}, r"this machine has 1 GPU\(s\)"),
        ({"devices": 2, "device": "cuda:0"}, "is a single one"),
    ],
)
def test_numbers_of_devices_that_do_not_work(digits, monkeypatch, options, message) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=message):
        train(perceptron(), digits.images, digits.labels, TrainingSettings(epochs=1, batch=200), seed=0, **options)


@pytest.mark.slow
def test_two_processes_train_the_network_of_one(digits, tmp_path: Path) -> None:
    # 601 images: the shares of a mini-batch differ by an image.
    images, labels = np.concatenate([digits.images, digits.test_images[:1]]), np.append(digits.labels, digits.test_labels[0])
    settings = TrainingSettings(epochs=2, batch=151, optimiser="sgd", learning_rate=0.1, momentum=0.5, crop_padding=1, validation_fraction=0.1)
    networks, histories = [], []
    for devices in (1, 2):
        networks.append(perceptron())
        options = {"scratch": tmp_path / str(devices), "live": tmp_path / f"{devices}.csv"}
        histories.append(train(networks[-1], images, labels, settings, seed=0, devices=devices, **options))
    np.testing.assert_allclose(parameters(networks[0]), parameters(networks[1]), rtol=1e-4, atol=1e-6)
    pd.testing.assert_frame_equal(*histories, rtol=1e-4)
    assert len(pd.read_csv(tmp_path / "2.csv")) == 2
    assert (tmp_path / "2" / "training" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        ("yuragi.errors.InputError: out of memory with training.batch = 7: lower it", InputError),
        ("yuragi.training.processes.DivergedError: the training became infinite", DivergedError),
        ("RuntimeError: something else", torch.multiprocessing.ProcessRaisedException),
    ],
)
def test_what_another_process_finds_wrong_is_told_here(last, kind) -> None:
    class Failing:
        world_size = 2

        def launch(self, call) -> None:
            text = f"\n\n-- Process 1 terminated with the following error:\nTraceback (most recent call last):\n  File ...\n{last}\n"
            raise torch.multiprocessing.ProcessRaisedException(text, 1, 1)

    with pytest.raises(kind, match=last.split(": ", 1)[1]) as caught:
        launched(Failing(), print)
    assert type(caught.value) is kind


def train_compiled_and_not() -> None:
    """Print the largest difference of parameters; for a process of its own, for shapes that are checked cannot be compiled."""
    # Traced and differentiated ahead, as ever, but run by torch itself: generating code takes a minute.
    torch.compile = functools.partial(torch.compile, backend="aot_eager")
    data = load_digits()
    images, labels = (data.images[:301, None] / 16).astype(np.float32), data.target[:301].astype(np.int64)
    trained = []
    for compiled in (False, True):
        trained.append(convolutional())
        settings = TrainingSettings(epochs=2, batch=151, optimiser="sgd", learning_rate=0.05, compile=compiled)
        train(trained[-1], images, labels, settings, seed=0, penalty=SpectralPenalty(layers={"conv1": 1.0}, weight=0.1, anchor=3))
    one, other = (network.state_dict() for network in trained)
    print(max(float((one[name].double() - other[name].double()).abs().max()) for name in one if one[name].numel()))


@pytest.mark.slow
def test_a_compiled_training_is_the_same_up_to_rounding() -> None:
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1e-5


if __name__ == "__main__":
    train_compiled_and_not()
