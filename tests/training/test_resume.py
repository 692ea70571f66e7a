"""An interrupted training ends in the same bytes as one that was left alone."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.models.perceptron import Perceptron
from yuragi.noise.modified import Modified
from yuragi.noise.neuronal import NeuronalNoise
from yuragi.noise.white import WhiteNoise
from yuragi.regularizers.spectral import SpectralPenalty
from yuragi.training import resume, standard
from yuragi.training.build import build_network
from yuragi.training.checkpoint import save_network
from yuragi.training.settings import TrainingSettings
from yuragi.training.standard import remove_checkpoint, train

ARCHITECTURE = Perceptron(hidden=(40,))
SPEC = {"network": ARCHITECTURE.model_dump(mode="json")}
NOISE = WhiteNoise(layer="hidden1", relative_variance=0.2)


@pytest.fixture(autouse=True)
def _checkpoint_every_epoch(monkeypatch) -> None:
    monkeypatch.setattr("yuragi.training.standard.CHECKPOINT_SECONDS", 0.0)


def run(digits, path: Path, settings: TrainingSettings, *, seed: int = 0, noise: WhiteNoise | None = NOISE, **options) -> pd.DataFrame:
    network = build_network(ARCHITECTURE, (1, 8, 8), 10, seed=seed, noise=noise)
    history = train(network, digits.images, digits.labels, settings, seed=seed, validation=(digits.test_images, digits.test_labels), **options)
    save_network(network, SPEC, path)
    return history


def stopped_after(epochs: int, digits, tmp_path: Path, settings: TrainingSettings, monkeypatch, **options) -> None:
    """Train, and break off once so many checkpoints are written."""
    written = []

    def save_then_stop(*arguments):
        resume.save_progress(*arguments)
        written.append(1)
        if len(written) == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(standard, "save_progress", save_then_stop)
    with pytest.raises(KeyboardInterrupt):
        run(digits, tmp_path / "never.safetensors", settings, scratch=tmp_path / "scratch", **options)
    monkeypatch.setattr(standard, "save_progress", resume.save_progress)


@pytest.mark.parametrize("optimiser", [{}, {"optimiser": "sgd", "momentum": 0.9}, {"optimiser": "sgd"}])
@pytest.mark.parametrize("penalty", [None, SpectralPenalty(layers={"hidden1": 1.0})])
def test_resumed_equals_undisturbed(digits, tmp_path, monkeypatch, capsys, optimiser, penalty) -> None:
    settings = TrainingSettings(epochs=5, batch=150, **optimiser)
    whole = run(digits, tmp_path / "whole.safetensors", settings, penalty=penalty)
    stopped_after(2, digits, tmp_path, settings, monkeypatch, penalty=penalty)
    resumed = run(digits, tmp_path / "resumed.safetensors", settings, penalty=penalty, scratch=tmp_path / "scratch")
    assert "resumed after epoch 2" in capsys.readouterr().err
    assert (tmp_path / "whole.safetensors").read_bytes() == (tmp_path / "resumed.safetensors").read_bytes()
    pd.testing.assert_frame_equal(whole, resumed, check_exact=True)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "another file"])
def test_a_damaged_checkpoint_is_ignored(digits, tmp_path, monkeypatch, capsys, damage) -> None:
    settings = TrainingSettings(epochs=3, batch=200)
    run(digits, tmp_path / "whole.safetensors", settings)
    stopped_after(2, digits, tmp_path, settings, monkeypatch)
    checkpoint = tmp_path / "scratch" / "training" / "checkpoint.safetensors"
    content = bytearray(checkpoint.read_bytes())
    content[-5] ^= 1
    checkpoint.write_bytes({"truncated": content[:-100], "flipped": content, "empty": b"", "another file": b"<html>"}[damage])
    run(digits, tmp_path / "again.safetensors", settings, scratch=tmp_path / "scratch")
    assert "checkpoint ignored" in capsys.readouterr().err
    assert (tmp_path / "whole.safetensors").read_bytes() == (tmp_path / "again.safetensors").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"settings": TrainingSettings(epochs=3, batch=200, learning_rate=2e-3)},
        {"penalty": SpectralPenalty(layers={"hidden1": 1.0})},
        {"noise": WhiteNoise(layer="hidden1", relative_variance=0.3)},
        {"noise": NeuronalNoise(layer="hidden1", level=0.5)},
        {"noise": Modified(layer="hidden1", relative_variance=0.2, components=4, strength=1.0)},
    ],
)
def test_a_checkpoint_of_another_specification_is_never_used(digits, tmp_path, monkeypatch, capsys, change) -> None:
    settings = TrainingSettings(epochs=3, batch=200)
    # Of the same kind of noise, of which no parameter tells it apart.
    beside = {
        NeuronalNoise: {"noise": NeuronalNoise(layer="hidden1", level=0.1)},
        Modified: {"noise": Modified(layer="hidden1", relative_variance=0.2, components=4, strength=2.0)},
    }
    stopped_after(2, digits, tmp_path, settings, monkeypatch, **beside.get(type(change.get("noise")), {}))
    options = {"settings": settings} | change
    run(digits, tmp_path / "fresh.safetensors", **options)
    run(digits, tmp_path / "beside.safetensors", **options, scratch=tmp_path / "scratch")
    assert "of another specification" in capsys.readouterr().err
    assert (tmp_path / "fresh.safetensors").read_bytes() == (tmp_path / "beside.safetensors").read_bytes()


def test_a_finished_training_is_not_repeated_and_its_checkpoint_goes(digits, tmp_path, monkeypatch) -> None:
    settings = TrainingSettings(epochs=2, batch=200)
    first = run(digits, tmp_path / "first.safetensors", settings, scratch=tmp_path / "scratch", key="run-1")
    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", lambda self: pytest.fail("a step was taken"))
        second = run(digits, tmp_path / "second.safetensors", settings, scratch=tmp_path / "scratch", key="run-1")
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    (tmp_path / "scratch" / "run-1" / ".checkpoint.safetensors.left.safetensors").touch()
    remove_checkpoint(tmp_path / "scratch", "run-1")
    assert list((tmp_path / "scratch").iterdir()) == []
    remove_checkpoint(tmp_path / "scratch", "run-1")


def train_for_a_while(scratch: str | None, output: str) -> None:
    """What the killed process runs, and what finishes its work."""
    standard.CHECKPOINT_SECONDS = 0.0
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    images, labels = generator.random((1500, 1, 8, 8), dtype=np.float32), generator.integers(10, size=1500)
    network = build_network(ARCHITECTURE, (1, 8, 8), 10, seed=0, noise=NOISE)
    penalty = SpectralPenalty(layers={"hidden1": 1.0})
    standard.train(network, images, labels, TrainingSettings(epochs=50, batch=300), seed=0, penalty=penalty, scratch=scratch)
    save_network(network, SPEC, output)


def test_a_killed_process_resumes_to_the_same_bytes(tmp_path, capsys) -> None:
    train_for_a_while(None, str(tmp_path / "whole.safetensors"))
    checkpoint = tmp_path / "scratch" / "training" / "checkpoint.safetensors"
    arguments = [sys.executable, __file__, str(tmp_path / "scratch"), str(tmp_path / "resumed.safetensors")]
    # Killed at moments that fall anywhere in an epoch or in the writing of a checkpoint.
    for pause in (0.0, 0.037):
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        deadline = time.monotonic() + 60
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(pause)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / "resumed.safetensors").exists()
    train_for_a_while(str(tmp_path / "scratch"), str(tmp_path / "resumed.safetensors"))
    assert "resumed after epoch" in capsys.readouterr().err
    assert (tmp_path / "whole.safetensors").read_bytes() == (tmp_path / "resumed.safetensors").read_bytes()


if __name__ == "__main__":
    train_for_a_while(*sys.argv[1:])
