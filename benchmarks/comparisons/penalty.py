"""What the spectral penalties add to a training step: as published, without its waste, on the fitted ranks only, and every k-th step."""

from __future__ import annotations

import functools
from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import torch

from benchmarks.peers import Comparison, Sides
from yuragi.models.base import Architecture
from yuragi.models.network import Network
from yuragi.models.perceptron import Perceptron
from yuragi.models.resnet18 import ResNet18
from yuragi.regularizers import Batch, Penalty, SpectralConstraint, SpectralPenalty
from yuragi.regularizers.base import State
from yuragi.training.passes import TrainingPass

ALPHA, ANCHOR, LAST, EVERY = 1.0, 11, 500, 8
EPOCH = 10_000
"""Images in an epoch, where something is done once an epoch."""


class Place(NamedTuple):
    """A network, a layer of it, and the mini-batch.

    label
        what the table calls it
    measured
        images for eigenvectors where only their number counts, not the time that they take
    """

    label: str
    architecture: Architecture
    layer: str
    image_shape: tuple[int, int, int]
    batch: int
    measured: int = 3000


def perceptron(batch: int, units: int = 2000) -> Place:
    return Place(f"784-{units}-10 tanh, batch {batch:,}", Perceptron(hidden=(units,)), "hidden1", (1, 28, 28), batch)


STAGE4 = Place(
    "ResNet-18 of width 16 at stage4 (2,048 units: each channel at each place), 32 x 32, batch 128",
    ResNet18(width=16),
    "stage4",
    (3, 32, 32),
    128,
    1200,
)
RESNET = Place("ResNet-18 of width 64, 32 x 32, batch 32", ResNet18(), "stage4", (3, 32, 32), 32, 256)
STAGES = ("stage1", "stage2", "stage3", "stage4")


def examples(image_shape: tuple[int, int, int], count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images in [0, 1] whose covariance spectrum falls as 1/n, in random directions, and random labels."""
    generator = torch.Generator().manual_seed(1)
    pixels = image_shape[0] * image_shape[1] * image_shape[2]
    directions = torch.linalg.qr(torch.randn(pixels, pixels, generator=generator))[0]
    values = torch.randn(count, pixels, generator=generator) * torch.arange(1, pixels + 1) ** -0.5
    return (0.5 + 0.1 * values @ directions.T).clamp(0, 1).reshape(count, *image_shape), torch.randint(10, (count,), generator=generator)


def built(place: Place) -> Network:
    return place.architecture.build(place.image_shape, 10, torch.Generator().manual_seed(0)).train()


class Step:
    """An Adam step after step on one mini-batch, on a network of its own.

    term
        from the mini-batch what the loss gains, or None for a bare step
    layers
        whose activity the term reads
    every
        only every so many steps
    """

    def __init__(self, network: Network, place: Place, term: Callable[[Batch], torch.Tensor] | None, layers: tuple[str, ...], every: int = 1) -> None:
        self.forward, self.term, self.layers, self.every = TrainingPass(deepcopy(network)), term, layers, every
        self.images, self.labels = examples(place.image_shape, place.batch)
        self.optimiser = torch.optim.Adam(self.forward.parameters(), lr=1e-4)
        self.generator = torch.Generator().manual_seed(2)

    def __call__(self) -> None:
        """Take ``every`` steps, the first with the term."""
        for number in range(self.every):
            due = self.term is not None and number == 0
            logits, activities = self.forward(self.images, self.generator, self.layers if due else ())
            loss = torch.nn.functional.cross_entropy(logits, self.labels)
            if due:
                loss = loss + self.every * self.term(Batch(self.forward.network, self.images, self.labels, logits, activities, self.generator))
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()


def term_of(penalty: Penalty, state: State) -> Callable[[Batch], torch.Tensor]:
    return lambda batch: penalty.loss(batch, state)


def prepared(penalty: Penalty, network: Network, place: Place, count: int, previous: State | None = None) -> State:
    images, _ = examples(place.image_shape, count)
    state = penalty.prepare(network, images, None, previous or {}, torch.Generator().manual_seed(3))
    network.train()
    return state


def as_published(activity: torch.Tensor, eigenvectors: torch.Tensor) -> torch.Tensor:
    """The penalty as its authors compute it: the covariance of the mini-batch, Vᵀ C V whole, and a loop over its diagonal."""
    centred = activity - activity.mean(0)
    covariance = centred.T @ centred / (len(activity) - 1)
    variances = torch.diagonal(eigenvectors.T @ covariance @ eigenvectors).sort(descending=True).values
    scale = variances[ANCHOR - 1].detach() * ANCHOR**ALPHA
    total = activity.new_zeros(())
    for rank in range(ANCHOR + 1, len(variances) + 1):
        variance = variances[rank - 1]
        if variance > 0:
            excess = variance / (scale * rank**-ALPHA) - 1
            total = total + excess**2 + torch.relu(excess)
    return total / len(variances)


def published(place: Place) -> Sides:
    """The published penalty on all ranks: `SpectralPenalty`, and as published; each hands back how to find its gradient, which is not timed."""
    network = built(place)
    penalty = SpectralPenalty(layers={place.layer: ALPHA})
    state = prepared(penalty, network, place, place.measured)
    eigenvectors = state[f"{place.layer}/eigenvectors"]
    ours = Step(network, place, term_of(penalty, state), (place.layer,))
    theirs = Step(network, place, lambda batch: as_published(batch.activities[place.layer].flatten(1), eigenvectors), (place.layer,))
    activity = network.activities(ours.images, [place.layer])[place.layer].detach()

    def our_gradient() -> torch.Tensor:
        values = activity.clone().requires_grad_()
        batch = Batch(network, ours.images, ours.labels, values, {place.layer: values}, ours.generator)
        return torch.autograd.grad(penalty.loss(batch, state), values)[0]

    def their_gradient() -> torch.Tensor:
        # In double precision: V'CV loses digits where a variance is small, in single precision up to 1e-4 of this.
        values = activity.double().requires_grad_()
        return torch.autograd.grad(as_published(values, eigenvectors.double()), values)[0]

    return Sides(lambda: (ours(), our_gradient)[1], lambda: (theirs(), their_gradient)[1], Step(network, place, None, ()))


def gradients_apart(ours: Callable[[], torch.Tensor], peer: Callable[[], torch.Tensor]) -> float:
    """|g − g'| / |g'| for the gradients of the penalty at the layer's activity."""
    wanted = peer()
    return float((ours() - wanted).norm() / wanted.norm())


def beside_the_step(place: Place, penalty: Penalty) -> Sides:
    """A step with a penalty, or k steps where it enters every k-th, beside as many bare ones."""
    network = built(place)
    state = prepared(penalty, network, place, place.measured)
    steps = Step(network, place, term_of(penalty, state), penalty.reads(), penalty.every)
    return Sides(steps, None, Step(network, place, None, (), penalty.every))


def measurement(place: Place, penalty: Penalty) -> Sides:
    """What a penalty measures of the network from time to time, beside a bare step."""
    network = built(place)
    state = prepared(penalty, network, place, place.measured) if penalty.refresh is not None else {}
    images, _ = examples(place.image_shape, EPOCH)

    def ours() -> State:
        return penalty.prepare(network, images, None, state, torch.Generator().manual_seed(4))

    return Sides(ours, Step(network, place, None, ()))


def published_measurement(place: Place) -> Sides:
    """Once an epoch: the eigenvectors of the covariance over all training images, in double precision."""
    sides = measurement(place, SpectralPenalty(layers={place.layer: ALPHA}))
    network = built(place).eval()
    images, _ = examples(place.image_shape, EPOCH)

    def theirs() -> torch.Tensor:
        with torch.no_grad():
            activity = network.activities(images, [place.layer])[place.layer].double()
        centred = activity - activity.mean(0)
        return torch.linalg.eigh(centred.T @ centred / len(centred))[1]

    return Sides(sides.ours, theirs)


def on_ranks(place: Place, every: int = 1) -> SpectralConstraint:
    """The constraint, refreshed as rarely as it is applied."""
    return SpectralConstraint(layers={place.layer: ALPHA}, ranks=(ANCHOR, LAST), units="both", every=every, refresh_steps=50 * every)


BY_CHANNEL = SpectralConstraint(layers=dict.fromkeys(STAGES, ALPHA), ranks=(3, 50), units="channel", refresh_steps=100)
PLACES = (perceptron(3500), perceptron(256), STAGE4)
SMALL = perceptron(64, 600)


def added(what: str, place: Place) -> str:
    return f"{what}, added to a step of {place.label}"


def rounds(place: Place) -> int:
    return 21 if place.batch == 256 else 5


COMPARISONS = (
    *(
        Comparison(
            name=added("published penalty, all ranks", place),
            peer="as published: covariance of the mini-batch, VᵀCV, a loop over eigenvalues",
            prepare=functools.partial(published, place),
            difference=gradients_apart,
            tolerance=1e-5,
            faster=2.5,
            rounds=3,
            warm_up=functools.partial(published, SMALL),
        )
        for place in PLACES
    ),
    *(
        Comparison(
            name=added(what, place),
            peer="the bare step",
            prepare=functools.partial(beside_the_step, place, penalty),
            faster=1 / 0.8,
            rounds=rounds(place),
            warm_up=functools.partial(beside_the_step, SMALL, on_ranks(SMALL)),
        )
        for place in PLACES
        for what, penalty in (
            (f"constraint on ranks {ANCHOR}-{LAST} only (another loss: distance of log λ)", on_ranks(place)),
            (
                f"published penalty cut to ranks {ANCHOR}-{LAST} (another loss: nothing holds the rest)",
                SpectralPenalty(layers={place.layer: ALPHA}, last_rank=LAST),
            ),
        )
    ),
    *(
        Comparison(
            name=added(f"the constraint every {EVERY}th step, weighted by {EVERY}, in {EVERY} steps", place),
            peer=f"{EVERY} bare steps",
            prepare=functools.partial(beside_the_step, place, on_ranks(place, EVERY)),
            faster=1 / 0.15,
            rounds=rounds(place),
            warm_up=functools.partial(beside_the_step, SMALL, on_ranks(SMALL, EVERY)),
        )
        for place in PLACES
    ),
    Comparison(
        name=added("constraint on ranks 3-50 by channel at stage1 to stage4 (another loss)", RESNET),
        peer="the bare step",
        prepare=functools.partial(beside_the_step, RESNET, BY_CHANNEL),
        faster=10.0,
        rounds=9,
    ),
    *(
        Comparison(
            name=f"directions of the constraint, a step's share of what comes once in {penalty.refresh}, {place.label}",
            peer="the bare step",
            prepare=functools.partial(measurement, place, penalty),
            rounds=3,
            turns=penalty.refresh or 1,
            warm_up=functools.partial(measurement, SMALL, on_ranks(SMALL)),
        )
        for place, penalty in (*((place, on_ranks(place, every)) for place in PLACES[:2] for every in (1, EVERY)), (RESNET, BY_CHANNEL))
    ),
    Comparison(
        name=f"eigenvectors of the published penalty, 2,000 units, once an epoch of {EPOCH:,} images",
        peer="as published, in double precision",
        prepare=functools.partial(published_measurement, perceptron(256)),
        rounds=2,
        warm_up=functools.partial(published_measurement, SMALL),
    ),
    *(
        Comparison(
            name=f"eigenvectors of the published penalty, a step's share of what comes once an epoch of {EPOCH:,} images, {place.label}",
            peer="the bare step",
            prepare=functools.partial(measurement, place, SpectralPenalty(layers={place.layer: ALPHA})),
            rounds=2,
            turns=-(-EPOCH // place.batch),
            warm_up=functools.partial(measurement, SMALL, SpectralPenalty(layers={SMALL.layer: ALPHA})),
        )
        for place in PLACES[:2]
    ),
)
