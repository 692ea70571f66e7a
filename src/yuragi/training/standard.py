"""Ordinary training: cross-entropy, with a penalty on hidden activity where one is given."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from yuragi.attacks.passes import check_images
from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.randomness import derive_seed
from yuragi.regularizers.base import Batch, Penalty, State
from yuragi.training.accuracy import accuracy
from yuragi.training.devices import deterministic, resolve_device, seeded_generator
from yuragi.training.labels import randomised_labels
from yuragi.training.resume import checkpoint_path, fingerprint, load_progress, remove_checkpoint, save_progress
from yuragi.training.settings import TrainingSettings

if TYPE_CHECKING:
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
    validation: tuple[np.ndarray | torch.Tensor, np.ndarray | torch.Tensor] | None = None,
    scratch: str | os.PathLike[str] | None = None,
    key: str = "training",
    device: str = "cpu",
    chunk: int = 2048,
    description: str = "training, epochs",
) -> pd.DataFrame:
    """Train a network in place: minimise the cross-entropy plus the penalty, and return the history.

    The noise of a stochastic network is on: one draw for each image and step. Its variance is set anew, relative to the stimulus-driven
    variance, before the first and after every epoch. The penalty acts on activity without noise. The same arguments give the same bytes on
    one device with one number of threads, whether or not the training was interrupted.

    network
        a `yuragi.models.network.Network`; changed, and left on the device in evaluation mode
    images
        (image, channel, height, width), values in [0, 1]
    labels
        class of each image, int64, (image,)
    settings
        epochs, batch, learning rate and the rest
    seed
        decides the order of images, the noise and the random labels; each epoch derives its own generators from it
    penalty
        a penalty on hidden activity
    target
        the brain target, where the penalty names its stages
    validation
        held-out images and labels, for the column ``held_out_accuracy``
    scratch, key
        folder for checkpoints, and the name of this run in it: a digest of specification and code. The last epoch reached is taken up from there.
        None: no checkpoints. `remove_checkpoint` removes them
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``
    chunk
        most images that go through the network at once where activity and accuracy are measured; mini-batches have ``settings.batch``
    description
        what the progress line says

    Returns one row an epoch: ``epoch`` (1-based), ``loss`` (minimised, mean over images, weight decay aside), ``penalty`` (its part of the
    loss), ``train_accuracy`` (of the mini-batches as they were met) and, with ``validation``, ``held_out_accuracy``. An `InputError`
    tells images or labels that do not fit, and a training that diverged.
    """
    where = resolve_device(device)
    data = _on_device(network, images, labels, where)
    held_out = _on_device(network, *validation, where, "held-out ") if validation is not None else None
    if settings.batch > len(data.images):
        raise InputError(f"batch = {settings.batch}: there are only {len(data.images)} training images; lower it to at most that")
    network.to(where)
    everything = {"images": data.images, "labels": data.labels}
    if held_out is not None:
        everything |= {"held-out images": held_out.images, "held-out labels": held_out.labels}
    path = checkpoint_path(scratch, key) if scratch is not None else None
    digest = fingerprint(network, everything, settings, seed, penalty, target, where) if path is not None else ""
    optimiser = _optimiser(network, settings)
    if settings.random_labels:
        drawn, _ = randomised_labels(data.labels.cpu().numpy(), settings.random_labels, network.n_classes, seed)
        data = _Data(data.images, torch.from_numpy(drawn).to(where))

    with deterministic():
        network.eval()
        if network.stochastic:
            network.calibrate(data.images, batch=chunk)
        history, state = load_progress(path, digest, network, optimiser) if path is not None else ([], {})
        saved = time.monotonic()
        for epoch in track(range(len(history) + 1, settings.epochs + 1), description):
            row, state = _one_epoch(network, data, settings, optimiser, penalty, target, state, seed, epoch, chunk)
            if network.stochastic:
                network.calibrate(data.images, batch=chunk)
            if held_out is not None:
                generator = seeded_generator(derive_seed(seed, "held-out", epoch), where)
                row["held_out_accuracy"] = accuracy(network, held_out.images, held_out.labels, generator, chunk=chunk)
            history.append(row)
            if path is not None and (epoch == settings.epochs or time.monotonic() - saved >= CHECKPOINT_SECONDS):
                save_progress(path, digest, history, network, optimiser, state)
                saved = time.monotonic()
    return pd.DataFrame(history)


@dataclass(frozen=True)
class _Data:
    """Images (image, channel, height, width) and their labels (image,), on the device."""

    images: torch.Tensor
    labels: torch.Tensor


def _on_device(
    network: torch.nn.Module, images: np.ndarray | torch.Tensor, labels: np.ndarray | torch.Tensor, device: torch.device, which: str = ""
) -> _Data:
    data = _Data(_tensor(images), _tensor(labels))
    check_images(data.images, data.labels)
    if int(data.labels.max()) >= network.n_classes:
        raise InputError(
            f"{which}labels: {int(data.labels.max())} occurs, but the network has classes 0 to {network.n_classes - 1}; check the data set"
        )
    return _Data(data.images.to(next(network.parameters()).dtype).to(device), data.labels.to(device))


def _tensor(values: np.ndarray | torch.Tensor) -> torch.Tensor:
    # torch takes neither read-only arrays nor reversed ones.
    return values if isinstance(values, torch.Tensor) else torch.from_numpy(np.require(values, requirements=["C", "W"]))


def _optimiser(network: torch.nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    if settings.optimiser == "sgd":
        return torch.optim.SGD(network.parameters(), lr=settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay)
    return torch.optim.Adam(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)


def _one_epoch(
    network: torch.nn.Module,
    data: _Data,
    settings: TrainingSettings,
    optimiser: torch.optim.Optimizer,
    penalty: Penalty | None,
    target: BrainTarget | None,
    state: State,
    seed: int,
    epoch: int,
    chunk: int,
) -> tuple[dict[str, int | float], State]:
    """Take the optimiser's steps of one epoch; its row of the history, and what the penalty has learned."""
    count, device = len(data.images), data.images.device
    noise = seeded_generator(derive_seed(seed, "noise", epoch), device)
    drawn = seeded_generator(derive_seed(seed, "penalty", epoch), device)
    # On the processor, so that every device meets the images in the same order.
    order = torch.randperm(count, generator=seeded_generator(derive_seed(seed, "order", epoch))).to(device)
    batches = order.tensor_split(ceil(count / settings.batch))
    first = (epoch - 1) * len(batches)
    # Sums stay on the device until the epoch's end: reading one waits for all that was queued before it.
    losses, penalties, correct = (torch.zeros(len(batches), device=device) for _ in range(3))
    network.train()
    for step, batch in enumerate(batches):
        if penalty is not None and (step == 0 or (penalty.refresh is not None and step % penalty.refresh == 0)):
            state = penalty.prepare(network, data.images, target, state, drawn, chunk=chunk)
        images, labels = data.images[batch], data.labels[batch]
        due = penalty is not None and penalty.due(first + step)
        logits, activities = _forward(network, images, noise, penalty.reads() if penalty is not None and due else ())
        loss = torch.nn.functional.cross_entropy(logits, labels)
        if penalty is not None and due:
            added = penalty.every * penalty.loss(Batch(network, images, labels, logits, activities, drawn), state)
            penalties[step] = added.detach() * len(batch)
            loss = loss + added
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses[step] = loss.detach() * len(batch)
        correct[step] = (logits.argmax(1) == labels).sum()
    network.eval()
    _check_finite(network, losses, epoch, settings)
    sums = {"loss": losses, "penalty": penalties, "train_accuracy": correct}
    row = {"epoch": epoch} | {name: float(values.cpu().double().sum()) / count for name, values in sums.items()}
    return row | (penalty.report(state) if penalty is not None else {}), state


def _forward(
    network: torch.nn.Module, images: torch.Tensor, noise: torch.Generator, layers: tuple[str, ...]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The logits, and the activity without noise of the layers that a penalty reads, as they return it."""
    if not layers:
        return network(images, noise), {}
    if network.stochastic:
        return network(images, noise), network.activities(images, layers, flat=False)
    # Without noise one pass gives both: the last layer's activity is the logits.
    last = network.layer_names[-1]
    activities = network.activities(images, [*layers, last], flat=False)
    return activities[last], activities


def _check_finite(network: torch.nn.Module, losses: torch.Tensor, epoch: int, settings: TrainingSettings) -> None:
    broken = (~losses.isfinite()).nonzero()
    if len(broken) or not all(parameter.isfinite().all() for parameter in network.parameters()):
        # A last step that breaks the parameters shows in no loss of its epoch.
        step = int(broken[0]) + 1 if len(broken) else len(losses)
        raise InputError(
            f"the training became infinite or undefined at step {step} of epoch {epoch} with learning_rate = {settings.learning_rate}; "
            "lower it, or the penalty's weight"
        )
