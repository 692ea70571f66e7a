"""What `train` adds to the steps of the optimiser."""

from __future__ import annotations

import functools
from copy import deepcopy
from math import ceil

import torch

from benchmarks.comparisons.penalty import built, examples, perceptron
from benchmarks.peers import Comparison, Sides
from yuragi.randomness import derive_seed
from yuragi.training import TrainingSettings, train

SEED = 5


def epoch(batch: int, units: int = 2000, count: int = 10_000) -> Sides:
    """An epoch of `train`, and its steps in a bare loop; both hand back the first layer's weights."""
    place = perceptron(batch, units)
    network = built(place)
    images, labels = examples(place.image_shape, count)
    settings = TrainingSettings(epochs=1, batch=batch)

    def ours() -> torch.Tensor:
        trained = deepcopy(network)
        train(trained, images, labels, settings, seed=SEED)
        return next(trained.parameters()).detach()

    def bare() -> torch.Tensor:
        trained = deepcopy(network)
        optimiser = torch.optim.Adam(trained.parameters(), lr=settings.learning_rate)
        order = torch.randperm(count, generator=torch.Generator().manual_seed(derive_seed(SEED, "order", 1)))
        for which in order.tensor_split(ceil(count / batch)):
            loss = torch.nn.functional.cross_entropy(trained(images[which]), labels[which])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return next(trained.parameters()).detach()

    return Sides(ours, bare)


def apart(ours: torch.Tensor, peer: torch.Tensor) -> float:
    """The largest difference of a weight."""
    return float((ours - peer).abs().max())


COMPARISONS = (
    Comparison(
        name="an epoch of train(), 10,000 images, 784-2000-10 tanh, batch 256",
        peer="the same steps in a bare loop",
        prepare=functools.partial(epoch, 256),
        difference=apart,
        tolerance=1e-6,
        warm_up=functools.partial(epoch, 64, 100, 200),
    ),
)
