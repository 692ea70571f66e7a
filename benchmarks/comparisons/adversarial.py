"""What adversarial training costs beside ordinary training, with half of every mini-batch attacked in one step."""

from __future__ import annotations

import functools
from copy import deepcopy

from benchmarks.comparisons.penalty import Place, built, examples, perceptron
from benchmarks.peers import Comparison, Sides
from yuragi.attacks import FGSM, StepLL
from yuragi.attacks.base import BallAttack
from yuragi.models.cnn import CNN
from yuragi.training import AdversarialTraining, TrainingSettings, train

SEED = 5
MOST = 2.2
"""Times an ordinary step of as many images."""


def convolutional(batch: int) -> Place:
    network = CNN(channels=(32, 64), hidden=128, batch_norm=True)
    return Place(f"CNN of 32 and 64 channels with batch normalisation, 32 x 32, batch {batch}", network, "hidden1", (3, 32, 32), batch)


def epoch(place: Place, attack: BallAttack, steps: int) -> Sides:
    """So many mixed steps, and as many ordinary ones, both by `train`."""
    network = built(place)
    images, labels = examples(place.image_shape, place.batch * steps)
    settings = TrainingSettings(epochs=1, batch=place.batch)
    mixed = AdversarialTraining(attack=attack)

    def trained(adversarial: AdversarialTraining | None) -> None:
        train(deepcopy(network), images, labels, settings, seed=SEED, adversarial=adversarial)

    return Sides(lambda: trained(mixed), lambda: trained(None))


def comparison(place: Place, attack: BallAttack, steps: int) -> Comparison:
    return Comparison(
        name=f"{steps} steps with half of the images attacked by {attack.kind}, {place.label}",
        peer="as many ordinary steps",
        prepare=functools.partial(epoch, place, attack, steps),
        faster=1 / MOST,
        warm_up=functools.partial(epoch, place, attack, 2),
    )


COMPARISONS = (
    *(comparison(convolutional(batch), attack, 1600 // batch) for batch in (32, 128) for attack in (StepLL(), FGSM())),
    comparison(perceptron(128), StepLL(), 40),
)
