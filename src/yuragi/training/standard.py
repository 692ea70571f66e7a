"""Ordinary training: cross-entropy, with a penalty on hidden activity where one is given."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.regularizers.base import Penalty
from yuragi.training.accuracy import accuracy, measured
from yuragi.training.adversarial import AdversarialTraining
from yuragi.training.devices import check_number, deterministic, fastest, resolve_device
from yuragi.training.epoch import Task, one_epoch
from yuragi.training.examples import Examples, checked
from yuragi.training.labels import randomised_labels
from yuragi.training.live import Pace, write_live
from yuragi.training.memory import naming_the_knob
from yuragi.training.passes import TrainingPass
from yuragi.training.processes import DivergedError, fabric_for, launched
from yuragi.training.resume import Progress, checkpoint_path, load_progress, remove_checkpoint, save_progress, specification
from yuragi.training.settings import TrainingSettings
from yuragi.training.stopping import best_epoch, is_over
from yuragi.training.watching import under_attack

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from yuragi.targets import BrainTarget

__all__ = ["train", "remove_checkpoint"]

# Epochs of small networks last milliseconds, and a checkpoint as long: one a second loses little work and costs little.
CHECKPOINT_SECONDS = 1.0


def train(
    network: torch.nn.Module,
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    settings: TrainingSettings,
    *,
    seed: int,
    penalty: Penalty | None = None,
    target: BrainTarget | None = None,
    adversarial: AdversarialTraining | None = None,
    validation: tuple[np.ndarray | torch.Tensor, np.ndarray | torch.Tensor] | None = None,
    scratch: str | os.PathLike[str] | None = None,
    key: str = "training",
    device: str = "cpu",
    devices: int = 1,
    chunk: int = 2048,
    live: str | os.PathLike[str] | None = None,
    measure: Callable[[torch.nn.Module, int], Mapping[str, float]] | None = None,
    description: str = "training, epochs",
) -> pd.DataFrame:
    """Train a network in place: minimise the cross-entropy plus the penalty, and return the history.

    The noise of a stochastic network is on: one draw for each image and step. Its variance is set anew, relative to the stimulus-driven
    variance, before the first and after every epoch. The penalty acts on activity without noise. The same arguments give the same bytes on
    one device with one number of threads, whether or not the training was interrupted, unless the settings forgo it with ``deterministic: false``.

    network
        a `yuragi.models.network.Network`; changed, and left on the device in evaluation mode. Where the settings stop early it is that of the best
        epoch
    images
        (image, channel, height, width), values in [0, 1]
    labels
        class of each image, int64, (image,)
    settings
        epochs, batch, learning rate and the rest
    seed
        decides the order of images, their augmentation, the noise, the random labels and which images are held aside; each epoch derives its own
        generators from it
    penalty
        a penalty on hidden activity
    target
        the brain target, where the penalty names its stages
    adversarial
        replaces a part of every mini-batch by adversarial images; a penalty then acts on the activity that the mixed mini-batch causes
    validation
        held-out images and labels, for the column ``held_out_accuracy``: nothing is decided by them
    scratch, key
        folder for checkpoints, and the name of this run in it: a digest of specification and code. The last epoch reached is taken up from there; a
        checkpoint of another specification under the same key is not used, and is overwritten. None: no checkpoints. `remove_checkpoint` removes
        them
    device, devices
        ``auto``, ``cpu``, ``cuda`` or ``mps``, and how many of it: GPUs of this machine, or processes on its processor. Several share every
        mini-batch; then a penalty and batch normalisation see the share of their process, and a script needs ``if __name__ == "__main__"``
    chunk
        most images that go through the network at once where activity and accuracy are measured; mini-batches have ``settings.batch``
    live
        a CSV file that holds the history so far after every epoch, with seconds and images a second. None: no such file
    measure
        called with the network and the epoch after each one, in evaluation mode; its numbers join the row. None: nothing more is measured
    description
        what the progress line says

    Returns one row an epoch: ``epoch`` (1-based), ``loss`` (minimised, mean over images, weight decay aside), ``penalty`` (its part of the
    loss), ``train_accuracy`` (of the mini-batches as they were met), what the penalty reports, with images held aside ``validation_loss`` and
    ``validation_accuracy`` and, with ``validation``, ``held_out_accuracy``. With adversarial training also ``adversarial`` (whether the epoch had
    adversarial images, 0 or 1), ``adversarial_train_accuracy`` (on those of the mini-batches) and, of images held out or aside,
    ``watched_clean_accuracy``, ``watched_attack_accuracy`` (under the training's attack) and ``watched_pgd_accuracy``. An
    `InputError` tells images or labels that do not fit, a training that diverged (its last good checkpoint stays) and memory that does not suffice.
    """
    where = resolve_device(device)
    check_number(where, devices, settings.batch)
    if penalty is not None:
        penalty.check(target)
    if adversarial is not None:
        adversarial.check(settings)
    given = checked(network, images, labels)
    held_out = checked(network, *validation, "held-out ") if validation is not None else None
    training, aside = given.divided(settings.validation_fraction, seed)
    if settings.batch > len(training):
        raise InputError(f"batch = {settings.batch}: there are only {len(training)} training images; lower it to at most that")
    path = checkpoint_path(scratch, key) if scratch is not None else None
    spec = None
    if path is not None:
        everything = {"images": given.images, "labels": given.labels}
        if held_out is not None:
            everything |= {"held-out images": held_out.images, "held-out labels": held_out.labels}
        spec = specification(network, everything, settings, seed, penalty, target, adversarial, where, devices)
    if settings.random_labels:
        drawn, _ = randomised_labels(training.labels.cpu().numpy(), settings.random_labels, network.n_classes, seed)
        training = Examples(training.images, torch.from_numpy(drawn).to(training.labels.device))
    if devices > 1:
        network.cpu()  # whose memory processes can share
    run = _Run(Task(network, training, settings, seed, penalty, target, adversarial, chunk), aside, held_out, path, spec, live, measure, description)
    history = launched(fabric_for(where, devices, settings), _trained, run)
    network.to(where).eval()
    return pd.DataFrame(history)


@dataclass(frozen=True)
class _Run:
    """A task with all that is watched and kept beside it."""

    task: Task
    aside: Examples | None
    held_out: Examples | None
    path: Path | None
    spec: dict[str, Any] | None
    live: str | os.PathLike[str] | None
    measure: Callable[[torch.nn.Module, int], Mapping[str, float]] | None
    description: str


def _trained(fabric: Fabric, run: _Run) -> list[dict[str, int | float]]:
    """Train in this process, and return the history."""
    given = run.task.network
    if fabric.world_size > 1:  # the memory of the given one is shared by the processes and the caller
        run = replace(run, task=replace(run.task, network=copy.deepcopy(run.task.network)))
    settings, network, device = run.task.settings, run.task.network, fabric.device
    with naming_the_knob("network", type(network).__name__, "make its layers smaller"):
        network.to(device, memory_format=torch.channels_last if settings.channels_last else torch.preserve_format).eval()
    placed = {name: part.placed(device, settings.data_on_device) for name, part in vars(run).items() if isinstance(part, Examples)}
    run = replace(run, task=replace(run.task, training=run.task.training.placed(device, settings.data_on_device)), **placed)
    with deterministic() if settings.deterministic else fastest():
        optimiser = _optimiser(network, settings)
        progress, precision = Progress(), {}
        if run.path is not None and run.spec is not None:
            progress, precision = load_progress(run.path, run.spec, network, optimiser)
        if precision:
            fabric.strategy.precision.load_state_dict(precision)
        if not progress.history:
            _calibrate(run)
        _epochs(fabric, run, optimiser, progress)
        if progress.best:
            network.load_state_dict(progress.best)
    network.to(memory_format=torch.contiguous_format)
    if network is not given and fabric.is_global_zero:
        given.load_state_dict(network.state_dict())
    return progress.history


def _epochs(fabric: Fabric, run: _Run, optimiser: torch.optim.Optimizer, progress: Progress) -> None:
    """Epoch after epoch until the last, or until waiting is no use; ``progress`` grows with them."""
    task, settings, network = run.task, run.task.settings, run.task.network
    forward = fabric.strategy.setup_module(TrainingPass(network))
    if settings.compile:
        # Of fixed shapes: a compilation for any shape would depend on which batches were met before an interruption.
        forward = torch.compile(forward, dynamic=False)
    steps = fabric.setup_optimizers(optimiser)
    saved = time.monotonic()
    epochs = range(len(progress.history) + 1, settings.epochs + 1)
    for epoch in track(epochs, run.description) if fabric.is_global_zero else epochs:
        if is_over(progress.history, settings):
            break
        started = time.monotonic()
        try:
            row, progress.penalty, seconds = one_epoch(fabric, forward, steps, task, progress.penalty, epoch)
        except DivergedError as error:
            kept = run.path is not None and run.path.exists()
            raise DivergedError(f"{error}; the last good checkpoint stays in {run.path}" if kept else str(error)) from None
        _calibrate(run)
        # One process decides for all, for their numbers may differ in the last digit.
        progress.history.append(fabric.broadcast(row | _watched(run, epoch)))
        if settings.patience is not None and best_epoch(progress.history, settings) == epoch:
            progress.best = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        progress.paces.append(Pace(time.monotonic() - started, len(task.training) / max(seconds, 1e-9)))
        if not fabric.is_global_zero:
            continue
        if run.live is not None:
            write_live(progress.history, progress.paces, run.live)
        last = epoch == settings.epochs or is_over(progress.history, settings)
        if run.path is not None and (last or time.monotonic() - saved >= CHECKPOINT_SECONDS):
            save_progress(run.path, run.spec, progress, network, optimiser, fabric.strategy.precision.state_dict())
            saved = time.monotonic()


def _watched(run: _Run, epoch: int) -> dict[str, float]:
    """What is measured on images that are not trained on."""
    task, device, watched = run.task, next(run.task.network.parameters()).device, {}
    with naming_the_knob("chunk", task.chunk):
        if run.aside is not None:
            generator = task.generator("held aside", epoch, device=device)
            scores = measured(task.network, run.aside.images, run.aside.labels, generator, chunk=task.chunk)
            watched["validation_loss"] = float(scores.loss.double().mean())
            watched["validation_accuracy"] = float(scores.fraction_correct.double().mean())
        if run.held_out is not None:
            generator = task.generator("held-out", epoch, device=device)
            watched["held_out_accuracy"] = accuracy(task.network, run.held_out.images, run.held_out.labels, generator, chunk=task.chunk)
        examples = run.held_out if run.held_out is not None else run.aside
        if task.adversarial is not None and examples is not None:

            def generator(purpose: str) -> torch.Generator:
                return task.generator("watched", purpose, epoch, device=device)

            watched |= under_attack(task.network, examples, task.adversarial, generator, chunk=task.chunk)
        if run.measure is not None:
            watched |= run.measure(task.network, epoch)
    return watched


def _calibrate(run: _Run) -> None:
    if run.task.network.stochastic:
        with naming_the_knob("chunk", run.task.chunk):
            run.task.network.calibrate(run.task.training.images, batch=run.task.chunk)


def _optimiser(network: torch.nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    if settings.optimiser == "sgd":
        return torch.optim.SGD(network.parameters(), lr=settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay)
    return torch.optim.Adam(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
