"""A fresh network for a seed: arms of an experiment start from the same parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from yuragi.models.base import Architecture
from yuragi.noise.base import Noise
from yuragi.randomness import derive_seed
from yuragi.training.devices import seeded_generator
from yuragi.training.memory import naming_the_knob

if TYPE_CHECKING:
    from yuragi.models.network import Network
    from yuragi.targets import BrainTarget


def build_network(
    architecture: Architecture,
    image_shape: tuple[int, int, int],
    n_classes: int,
    *,
    seed: int,
    noise: Noise | None = None,
    target: BrainTarget | None = None,
    normalisation: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Network:
    """A network as it is before training.

    The parameters and the directions of the noise have generators of their own, derived from the seed: networks of one architecture and seed
    start from the same parameters whatever their noise, and noises of as many components have the same directions.

    architecture
        a plug-in of `yuragi.models`
    image_shape
        (channel, height, width)
    n_classes
        number of classes
    seed
        the experiment's seed
    noise
        a plug-in of `yuragi.noise`, or None
    target
        the brain target, where the noise reads it
    normalisation
        (mean, standard deviation), each with one number per channel, in pixel units; None leaves pixels as they are

    >>> from yuragi.models.perceptron import Perceptron
    >>> build_network(Perceptron(hidden=(20,)), (1, 8, 8), 10, seed=0).layer_names
    ('hidden1', 'output')
    """
    generator = seeded_generator(derive_seed(seed, "parameters"))
    with naming_the_knob("network", architecture.kind, "make its layers smaller"):
        return architecture.build(image_shape, n_classes, generator, [noise] if noise is not None else [], target=target, normalisation=normalisation)
