"""One epoch of a training: the steps of the optimiser."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import torch

from yuragi.models._statistics import frozen_statistics
from yuragi.randomness import derive_seed
from yuragi.regularizers.base import Batch, Penalty, State
from yuragi.training.adversarial import AdversarialTraining
from yuragi.training.augmentation import Augmentation
from yuragi.training.devices import seeded_generator
from yuragi.training.examples import Examples
from yuragi.training.memory import naming_the_knob
from yuragi.training.processes import DivergedError
from yuragi.training.schedule import learning_rate
from yuragi.training.settings import TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from yuragi.targets import BrainTarget

# Steps between two looks at the losses within an epoch: each look waits for what the device still computes.
LOOK = 100


@dataclass(frozen=True)
class Task:
    """What is minimised, over what, and how.

    network
        as it is trained
    training
        the images to train on, with the labels to learn
    settings, seed, penalty, target, adversarial, chunk
        as given to `train`
    """

    network: torch.nn.Module
    training: Examples
    settings: TrainingSettings
    seed: int
    penalty: Penalty | None
    target: BrainTarget | None
    adversarial: AdversarialTraining | None
    chunk: int

    def generator(self, *names: object, device: torch.device | str = "cpu") -> torch.Generator:
        """A generator of this training's own for what the names say."""
        return seeded_generator(derive_seed(self.seed, *names), device)


def one_epoch(
    fabric: Fabric, forward: torch.nn.Module, optimiser: Any, task: Task, state: State, epoch: int
) -> tuple[dict[str, int | float], State, float]:
    """Take the steps of one epoch; its row of the history, what the penalty has learned, and the seconds that it took.

    Of several processes each takes its share of every mini-batch, and the gradient is that of the whole: the share's mean counts in proportion to
    its images. Adversarial images are shared out alike. A penalty and batch normalisation see the share of their process.

    forward
        a `TrainingPass` of the network, set up for several processes or compiled where that is asked for
    optimiser
        as Fabric's ``setup_optimizers`` returns it
    epoch
        1-based
    """
    settings, penalty, network, device = task.settings, task.penalty, task.network, fabric.device
    count, rank, processes = len(task.training), fabric.global_rank, fabric.world_size
    own = (rank,) if rank else ()
    noise = task.generator("noise", epoch, *own, device=device)
    drawn = task.generator("penalty", epoch, *own, device=device)
    adversarial = task.adversarial if task.adversarial is not None and epoch > task.adversarial.clean_epochs else None
    attacking = task.generator("adversarial", epoch, *own, device=device)
    measuring = task.generator("penalty's measurement", epoch, device=device)
    # On the processor, so that every device meets the same images in the same order and cut in the same way.
    order = torch.randperm(count, generator=task.generator("order", epoch))
    augmentation = None
    if settings.crop_padding or settings.flip:
        generator = task.generator("augmentation", epoch)
        augmentation = Augmentation.drawn(count, generator, padding=settings.crop_padding, flip=settings.flip).placed(task.training.images.device)
    batches = order.to(task.training.images.device).tensor_split(ceil(count / settings.batch))
    first = (epoch - 1) * len(batches)
    # Sums stay on the device until the epoch's end: reading one waits for all that was queued before it.
    losses, penalties, correct, attacked, attacked_correct = sums = torch.zeros(5, len(batches), device=device)
    network.train()
    started = time.monotonic()
    for step, whole in enumerate(batches):
        if penalty is not None and (step == 0 or (penalty.refresh is not None and step % penalty.refresh == 0)):
            if step:
                # What has diverged would be measured as a layer of dead units.
                _check_losses(losses[:step], epoch, settings)
                _check_parameters(network, step, epoch, settings)
            with naming_the_knob("chunk", task.chunk, "lower it, or penalise a smaller layer"):
                state = penalty.prepare(network, task.training.images, task.target, state, measuring, chunk=task.chunk)
        due = penalty is not None and penalty.due(first + step)
        with naming_the_knob("training.batch", settings.batch):
            which = whole.tensor_split(processes)[rank]
            batch = task.training.batch(which, device)
            images, labels = batch.images if augmentation is None else augmentation.of(batch.images, which), batch.labels
            if settings.channels_last:
                images = images.contiguous(memory_format=torch.channels_last)
            part = _share(adversarial.part(len(whole), settings), rank, processes) if adversarial is not None else 0
            if part:
                made = adversarial.attacked(network, images[:part], labels[:part], attacking, chunk=task.chunk)
                images = torch.cat([made, images[part:]])
            apart = part if part and adversarial.batch_norm == "separate" else 0
            with fabric.autocast():
                logits, activities = forward(images, noise, penalty.reads() if penalty is not None and due else (), apart)
            loss = adversarial.loss(logits, labels, part) if part else torch.nn.functional.cross_entropy(logits, labels)
            losses[step] = loss.detach() * len(which)
            right = logits.argmax(1) == labels
            correct[step], attacked[step], attacked_correct[step] = right.sum(), part, right[:part].sum()
            if penalty is not None and due:
                with frozen_statistics(network):
                    added = penalty.every * penalty.loss(Batch(network, images, labels, logits, activities, drawn), state)
                penalties[step] = added.detach() * len(which)
                losses[step] += penalties[step]
                loss = loss + added
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(settings, first + step, len(batches))
            optimiser.zero_grad()
            fabric.backward(loss * (processes * len(which) / len(whole)) if processes > 1 else loss)
            optimiser.step()
        if (step + 1) % LOOK == 0:
            _check_losses(losses[: step + 1], epoch, settings)
    if processes > 1:
        sums = fabric.all_reduce(sums, reduce_op="sum")
    *totals, attacks, survived = sums.cpu().double().sum(1).tolist()
    seconds = time.monotonic() - started
    network.eval()
    _check_losses(sums[0], epoch, settings)
    _check_parameters(network, len(batches), epoch, settings)
    row = {"epoch": epoch} | {name: total / count for name, total in zip(("loss", "penalty", "train_accuracy"), totals, strict=True)}
    if task.adversarial is not None:
        row["adversarial"] = int(adversarial is not None)
    if attacks:
        row["adversarial_train_accuracy"] = survived / attacks
    return row | (penalty.report(state) if penalty is not None else {}), state, seconds


def _share(count: int, rank: int, processes: int) -> int:
    """How many of so many things a process takes, as `tensor_split` cuts them.

    >>> [_share(5, rank, 2) for rank in range(2)]
    [3, 2]
    """
    return count // processes + (rank < count % processes)


def _check_losses(losses: torch.Tensor, epoch: int, settings: TrainingSettings) -> None:
    broken = (~losses.isfinite()).nonzero()
    if len(broken):
        raise _diverged(int(broken[0]) + 1, epoch, settings)


def _check_parameters(network: torch.nn.Module, steps: int, epoch: int, settings: TrainingSettings) -> None:
    # A last step that breaks the parameters shows in no loss of its epoch.
    if not torch.stack([parameter.isfinite().all() for parameter in network.parameters()]).all():
        raise _diverged(steps, epoch, settings)


def _diverged(step: int, epoch: int, settings: TrainingSettings) -> DivergedError:
    return DivergedError(
        f"the training became infinite or undefined at step {step} of epoch {epoch} with learning_rate = {settings.learning_rate}; "
        "lower it, or the penalty's weight"
    )
