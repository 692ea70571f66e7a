"""Noise put into a trained network after its training, made as large as a comparison asks for.

Standard deviations of noise at different places cannot be compared: layers differ in units, in width and in how much of them the
classes need. So defences are compared where they cost the same clean accuracy, or where they add the same share of variance.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import lazy_loader as lazy

from yuragi.attacks.passes import check_images, fresh_seed
from yuragi.attacks.scores import score
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode

if TYPE_CHECKING:
    from yuragi.models.network import Network
    from yuragi.targets import BrainTarget

torch = lazy.load("torch")

INPUT = "input"
Directions = Literal["random", "responses", "shuffled"]

LARGEST = 1e8
"""A relative variance beyond which a network that still answers well does not depend on the noisy layer."""


class Matched(NamedTuple):
    """A network with noise of the size that was asked for.

    network
        the layers of the network given, with the noise
    relative_variance
        ρ by layer
    clean, accuracy
        fraction of correct answers without noise, and over the draws of it, on the calibration images
    """

    network: Network
    relative_variance: dict[str, float]
    clean: float
    accuracy: float


def noisy_versions(
    network: Network,
    layer: str,
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    target: BrainTarget | None = None,
    directions: Directions = "random",
    steps: int = 1,
    rectified: bool | None = None,
) -> dict[str, Network]:
    """The network with noise at the pixels, at a layer, and at both, each with relative variance 1 a place and calibrated.

    network
        a `yuragi.models.Network`; noise that it has is left out, and weights are shared
    layer
        the hidden layer whose activity gets noise
    images
        pixels in [0, 1], (image, channel, height, width), over which activity varies: training images
    generator
        source of the directions of the noise
    target
        the brain target with a spontaneous model; None: no network with spontaneous noise
    directions
        of the spontaneous noise, as `yuragi.noise.Spontaneous` has them
    steps
        time steps a draw, over which logits are averaged
    rectified
        whether hidden activity below 0 is set to 0 after the noise; None: where no activity of the layer over the images is negative

    Returns networks by name: ``input`` (white, not clipped), ``hidden_white``, ``hidden_spontaneous`` (with a target), ``both`` (``input`` and
    ``hidden_white``).

    Errors: `InputError` for a layer that does not exist or is the input, and a target without a spontaneous model.
    """
    from yuragi.noise.spontaneous import Spontaneous
    from yuragi.noise.white import WhiteNoise

    if layer == INPUT:
        raise InputError("layer = 'input': noise at the input is compared with noise at a hidden layer; name one of those")
    bare = network.noise_free()
    width = bare.width(layer)
    if rectified is None:
        rectified = _never_negative(bare, layer, images)
    pixels = WhiteNoise(layer=INPUT, relative_variance=1.0, steps=steps).build(bare.width(INPUT), None, generator)
    white = WhiteNoise(layer=layer, relative_variance=1.0, steps=steps, rectified=rectified).build(width, None, generator)
    places = {"input": {INPUT: pixels}, "hidden_white": {layer: white}}
    if target is not None:
        spontaneous = Spontaneous(layer=layer, relative_variance=1.0, steps=steps, rectified=rectified, directions=directions)
        places["hidden_spontaneous"] = {layer: spontaneous.build(width, target, generator)}
    places["both"] = {INPUT: copy.deepcopy(pixels), layer: copy.deepcopy(white)}
    made = {name: bare.with_noise(noise).eval() for name, noise in places.items()}
    for version in made.values():
        version.calibrate(images)
    return made


def with_relative_variance(network: Network, relative_variance: Mapping[str, float]) -> Network:
    """The same layers with the same noise of another size: ρ by layer, for the layers with noise. The network given is left as it is.

    Errors: `InputError` for a layer without noise, a negative ρ, and noise at an absolute level.
    """
    noise = {name: copy.deepcopy(module) for name, module in network.noise.items()}
    for name, value in relative_variance.items():
        if name not in noise:
            raise InputError(f"relative_variance: the network has no noise at '{name}', only at {', '.join(noise) or 'no layer'}")
        if not (value >= 0 and math.isfinite(value)):
            raise InputError(f"relative_variance = {value} at '{name}': give a finite number of at least 0")
        if noise[name].gain is not None and noise[name].gain.absolute:
            raise InputError(f"noise at '{name}' is at an absolute level, which relative_variance does not change; give it a relative variance")
        noise[name].relative_variance.fill_(value)
    return network.with_noise(noise)


def match_energy(network: Network, relative_variance: float) -> Network:
    """The network with noise whose relative variances add up to one number: ρ at its one place, or equal shares of it at several.

    Errors: as `with_relative_variance`.
    """
    return with_relative_variance(network, dict.fromkeys(network.noise, relative_variance / max(len(network.noise), 1)))


def match_accuracy(
    network: Network,
    images: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    *,
    drop: float = 0.02,
    draws: int = 16,
    tolerance: float = 0.001,
    chunk: int = 1024,
) -> Matched:
    """The network with its noise made so large that clean accuracy falls by ``drop``.

    Accuracy is the mean over images and draws of single draws (of T time steps each) being right. All sizes meet the same draws, so that accuracy
    is a smooth function of the size, and bisection of log ρ finds it. Noise at several places grows by one common factor.

    network
        a `yuragi.models.Network` with calibrated noise, left as it is
    images, labels
        calibration images, pixels in [0, 1], and their classes, int64: others than those that are attacked
    generator
        source of the noise
    drop
        fraction of correct answers that the noise costs, above 0
    draws
        noise draws per image
    tolerance
        of the accuracy, at which the search ends; few images and draws may end it earlier, where no size is closer
    chunk
        the most images × draws × time steps that are held at once

    Errors: `InputError` for a network without noise, a drop that is not reached by any noise, and images and labels that do not fit.
    """
    check_images(images, labels)
    if not network.stochastic:
        raise InputError("network: it has no noise that could be matched; give it some with with_noise")
    if not 0 < drop < 1:
        raise InputError(f"drop = {drop}: the fraction of correct answers that the noise costs; give a number between 0 and 1, for instance 0.02")
    seed = fresh_seed(generator)
    own = {name: float(module.relative_variance) for name, module in network.noise.items()}

    def accuracy(of: Network) -> float:
        noise = torch.Generator(generator.device).manual_seed(seed)
        with evaluation_mode(of):
            return float(score(of, images, labels, noise, draws, chunk).fraction_correct.double().mean())

    def sized(log_factor: float) -> Network:
        return with_relative_variance(network, {name: value * math.exp(log_factor) for name, value in own.items()})

    clean = accuracy(network.noise_free())
    wanted = clean - drop
    low = high = math.log(1e-3 / max(own.values()))
    while accuracy(sized(high)) > wanted:
        low, high = high, high + math.log(4)
        if math.exp(high) * max(own.values()) > LARGEST:
            raise InputError(
                f"drop = {drop:g}: no noise at {', '.join(own)} lowers the clean accuracy of {clean:.3f} so far; lower it, or choose another layer"
            )
    if low == high:
        low = high - math.log(1e6)
    reached = math.inf
    for _ in range(30):
        middle = (low + high) / 2
        found = accuracy(sized(middle))
        if abs(found - wanted) < abs(reached - wanted):
            best, reached = middle, found
        if abs(reached - wanted) <= tolerance:
            break
        low, high = (middle, high) if found > wanted else (low, middle)
    matched = sized(best)
    return Matched(matched, {name: float(module.relative_variance) for name, module in matched.noise.items()}, clean, reached)


def _never_negative(network: Network, layer: str, images: torch.Tensor) -> bool:
    with evaluation_mode(network), torch.no_grad():
        return all(bool((network.activities(part.to(network.mean.device), [layer])[layer] >= 0).all()) for part in images.split(1024))
