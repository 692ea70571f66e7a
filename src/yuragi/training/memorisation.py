"""How fast and how far a network learns random labels by rote."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from yuragi.errors import InputError
from yuragi.randomness import derive_seed
from yuragi.regularizers.base import Penalty
from yuragi.training.accuracy import measured
from yuragi.training.devices import seeded_generator
from yuragi.training.labels import randomised_labels
from yuragi.training.settings import TrainingSettings
from yuragi.training.standard import remove_checkpoint, train

if TYPE_CHECKING:
    from yuragi.targets import BrainTarget
    from yuragi.training.adversarial import AdversarialTraining


def memorise(
    make_network: Callable[[], torch.nn.Module],
    images: np.ndarray,
    labels: np.ndarray,
    settings: TrainingSettings,
    *,
    seed: int,
    fractions: Sequence[float] = (0.5, 1.0),
    penalty: Penalty | None = None,
    target: BrainTarget | None = None,
    adversarial: AdversarialTraining | None = None,
    held_out: tuple[np.ndarray, np.ndarray] | None = None,
    draws: int = 8,
    scratch: str | os.PathLike[str] | None = None,
    key: str = "memorisation",
    device: str = "cpu",
    chunk: int = 2048,
) -> pd.DataFrame:
    """Train a fresh network for each fraction of random labels, and measure after every epoch how many of them it has learned.

        m = (a - 1/K) / (1 - 1/K)

    where a is the accuracy on the random labels of the training images, in evaluation mode, with the network's noise, averaged over draws, and K the
    number of classes. A random label is uniform over all classes and says nothing about its image: what was not learned by rote is guessed
    with a = 1/K, however well the network knows the images' true classes. So m is 0 for a network that memorised nothing and 1 for one that
    memorised all, at every fraction. The curve over epochs counts: which of two networks is ahead can change from epoch to epoch.

    make_network
        returns a fresh `yuragi.models.network.Network`, the same each time
    images, labels
        the training images (image, channel, height, width), in [0, 1], and their true classes, int64, (image,)
    settings
        epochs, batch, learning rate and the rest, without a ``validation_fraction``; ``random_labels`` is set to each fraction in turn
    seed
        as for `yuragi.training.train`; networks of the same seed meet the same random labels
    fractions
        of labels that are drawn at random, each in (0, 1]
    penalty, target, adversarial, device, chunk
        as for `yuragi.training.train`
    held_out
        images and true labels for the column ``held_out_accuracy``
    draws
        draws of the noise that accuracy is averaged over
    scratch, key
        as for `yuragi.training.train`; `remove_progress` removes the checkpoints

    Returns one row a fraction and epoch: ``random_labels`` (the fraction), the columns of the training's history, ``random_label_accuracy`` (a),
    ``memorised`` (m), ``true_label_accuracy`` (on the training images that kept their label; missing where there are none), and ``chance`` (1/K).

    Errors: `InputError` for a fraction outside (0, 1] or named twice, for one that leaves no image with a random label, and for settings that hold
    training images aside.

    Source: Zhang et al. 2017, ICLR (the test); the correction for guessing is that of multiple-choice tests.
    """
    if settings.validation_fraction:
        raise InputError(
            f"validation_fraction = {settings.validation_fraction}: learning by rote is measured on all images that it is given; set it to 0"
        )
    tables = []
    for fraction in _checked(fractions, len(labels)):
        network = make_network()
        drawn, where = randomised_labels(labels, fraction, network.n_classes, seed)
        history = train(
            network,
            images,
            labels,
            settings.model_copy(update={"random_labels": fraction}),
            seed=seed,
            penalty=penalty,
            target=target,
            adversarial=adversarial,
            validation=held_out,
            measure=_Measure(torch.from_numpy(images), torch.from_numpy(drawn), torch.from_numpy(where), seed, draws, chunk),
            scratch=scratch,
            key=_key(key, fraction),
            device=device,
            chunk=chunk,
            description=f"{fraction:.0%} random labels, epochs",
        )
        history.insert(0, "random_labels", fraction)
        tables.append(history if "true_label_accuracy" in history else history.assign(true_label_accuracy=np.nan))
    return pd.concat(tables, ignore_index=True)


def remove_progress(scratch: str | os.PathLike[str], key: str, fractions: Sequence[float]) -> None:
    """Remove the checkpoints of `memorise`, once its outputs are written; arguments as given to it."""
    for fraction in fractions:
        remove_checkpoint(scratch, _key(key, fraction))


def corrected_for_guessing(accuracy: float, n_classes: int) -> float:
    """The share of random labels that was learned, from the accuracy on them: (a - 1/K) / (1 - 1/K).

    >>> corrected_for_guessing(1.0, 4), corrected_for_guessing(0.625, 4), corrected_for_guessing(0.25, 4)
    (1.0, 0.5, 0.0)
    """
    return (accuracy - 1 / n_classes) / (1 - 1 / n_classes)


class _Measure:
    """What `train` calls after every epoch."""

    def __init__(self, images: torch.Tensor, drawn: torch.Tensor, where: torch.Tensor, seed: int, draws: int, chunk: int) -> None:
        self.images, self.drawn, self.where = images, drawn, where
        self.seed, self.draws, self.chunk = seed, draws, chunk

    def __call__(self, network: torch.nn.Module, epoch: int) -> Mapping[str, float]:
        parameter = next(network.parameters())
        images, generator = self.images.to(parameter.dtype), seeded_generator(derive_seed(self.seed, "memorised", epoch), parameter.device)
        found = measured(network, images, self.drawn, generator, draws=self.draws, chunk=self.chunk)
        correct = found.fraction_correct.double().cpu()
        accuracy, kept = float(correct[self.where].mean()), correct[~self.where]
        numbers = {
            "random_label_accuracy": accuracy,
            "memorised": corrected_for_guessing(accuracy, network.n_classes),
            "chance": 1 / network.n_classes,
        }
        return numbers | ({"true_label_accuracy": float(kept.mean())} if len(kept) else {})


def _key(key: str, fraction: float) -> str:
    return f"{key}-{fraction:g}"


def _checked(fractions: Sequence[float], n_images: int) -> list[float]:
    chosen = [float(fraction) for fraction in fractions]
    if not chosen or len(set(chosen)) < len(chosen):
        raise InputError(f"fractions = {chosen}: name one or more fractions of random labels, each once")
    for fraction in chosen:
        if not (0 < fraction <= 1 and round(fraction * n_images) > 0):
            raise InputError(
                f"fractions: {fraction:g} of {n_images} images leaves none with a random label or is no fraction; give numbers above 0, at most 1"
            )
    return chosen
