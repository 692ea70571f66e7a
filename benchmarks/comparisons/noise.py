"""What noise adds to a forward pass."""

from __future__ import annotations

import functools

import numpy as np
import torch

from benchmarks.comparisons.penalty import Place, examples, perceptron
from benchmarks.peers import Comparison, Sides
from yuragi.models.resnet18 import ResNet18
from yuragi.noise import Spontaneous, WhiteNoise
from yuragi.targets import BrainTarget, SpontaneousModel

FEW, MANY = 16, 94
"""Components of the spontaneous models that come with yuragi, and of one of a human recording by regions."""


@functools.cache
def target(components: int) -> BrainTarget:
    """An autoregression of order 1 whose components drive one another, their variances falling as 1/n."""
    rng = np.random.default_rng(0)
    coefficients = 0.6 * np.eye(components) + 0.02 * rng.standard_normal((components, components))
    model = SpontaneousModel.from_autoregression(coefficients[None], np.diag(np.arange(1, components + 1) ** -1.0), 1.0)
    return BrainTarget(spontaneous=model, variance_ratio=0.4)


def forward_pass(place: Place, components: int | None, steps: int) -> Sides:
    """A pass without gradients, with noise and without; without, what follows the layer runs on as many copies as there are time steps.

    components
        of the spontaneous noise; None: white noise
    """
    noise = (WhiteNoise if components is None else Spontaneous)(layer=place.layer, steps=steps)
    network = place.architecture.build(place.image_shape, 10, torch.Generator().manual_seed(0), [noise], target=target(components or 1)).eval()
    plain = place.architecture.build(place.image_shape, 10, torch.Generator().manual_seed(0)).eval()
    network.calibrate(examples(place.image_shape, place.measured)[0])
    images, _ = examples(place.image_shape, place.batch)
    generator = torch.Generator().manual_seed(1)

    @torch.no_grad()
    def with_noise() -> torch.Tensor:
        return network(images, generator)

    @torch.no_grad()
    def without() -> torch.Tensor:
        values = images
        for name, layer in plain.layers.items():
            values = layer(values)
            if name == place.layer and steps > 1:
                values = values.repeat(steps, *[1] * (values.ndim - 1))
        return values.reshape(steps, len(images), -1).mean(0)

    return Sides(with_noise, None, without)


def places() -> list[Place]:
    resnet = ResNet18()
    return [
        perceptron(256),
        *(Place(f"ResNet-18 of width 64 at {layer}, 32 x 32, batch 32", resnet, layer, (3, 32, 32), 32, 32) for layer in ("stage1", "stage4")),
    ]


def kind(components: int | None) -> str:
    return "white noise" if components is None else f"spontaneous noise, {components} components"


COMPARISONS = tuple(
    Comparison(
        name=f"{kind(components)}, T = {steps}, added to a forward pass of {place.label}",
        peer="the pass without noise" if steps == 1 else f"without noise, {steps} copies from that layer on",
        prepare=functools.partial(forward_pass, place, components, steps),
        faster=10.0,
        rounds=41 if place.batch == 256 else 9,
        warm_up=functools.partial(forward_pass, perceptron(64, 200), components, steps),
    )
    for place in places()
    for components in ((FEW, MANY, None) if place.layer == "hidden1" else (MANY, None))
    for steps in ((1, 5) if place.layer != "stage1" else (1,))
)
