"""What could explain a network's robustness without its spectrum: saturation, norms of weights, margins, smoothness, spatial frequency."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import lazy_loader as lazy

from yuragi.attacks.passes import check_images, fresh_seed, pieces, sample_logits, time_steps, useful_draws
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.models.precision import in_double

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

np = lazy.load("numpy")
pd = lazy.load("pandas")
torch = lazy.load("torch")

SATURATED = 0.95
"""A tanh beyond this part of its range is saturated."""

LOW_FREQUENCY = 0.25
"""Half the Nyquist frequency, in cycles per pixel."""

POWER_STEPS, POWER_TOLERANCE = 500, 1e-6
"""Power iteration ends where a step raises the norm by less than this part of it."""


def network_properties(
    network: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
    *,
    layers: Sequence[str] | None = None,
    draws: int = 8,
    chunk: int = 1024,
    radius: float = 0.03,
) -> pd.DataFrame:
    """What of a network may account for its robustness without its spectrum, one row a layer and property.

    Properties of a layer, of its activity h without noise over the images and of its weights W:

    ``activity_variance``
        Σ_u Var h_u, summed over units
    ``saturation``
        where the layer has a tanh: the fraction of its values with |tanh| > 0.95
    ``silent_activity``, ``dead_units``
        where the layer rectifies: the fraction of values that are 0, and of units that are 0 for every image; of the layer's output, or of its last
        rectifier where the output can be negative
    ``weight_frobenius``
        (Σ ‖W‖_F²)^½ over the layer's dense and convolution kernels; biases and the factors of normalisations are left out
    ``weight_spectral``
        max_v ‖W v‖₂ / ‖v‖₂, the largest singular value, and the largest over kernels where the layer has several. Of a convolution it is the norm
        of the operator on maps of the size at hand, padding and stride included, by power iteration, which comes from below; not that
        of the kernel as a matrix

    Properties of the network, in rows whose layer is empty, with z the logits averaged over draws of the noise, and means over images:

    ``margin_median``, ``margin_5th``
        m = z_y − max_{j≠y} z_j, its median and 5th percentile
    ``distance_linf_…``, ``distance_l2_…``
        m / ‖∇_x m‖₁ and m / ‖∇_x m‖₂: how far the boundary is to first order, in pixel units, if changes are bounded in L∞ or L2; negative
        for what is wrongly classified
    ``gradient_l1``, ``gradient_l2``
        mean of ‖∇_x z_y‖₁ and ‖∇_x z_y‖₂
    ``jacobian_squared_norm``
        mean of ‖∂z/∂x‖_F² = Σ_c ‖∇_x z_c‖₂²
    ``gradient_change``
        mean ‖∇_x z_y(x + δ) − ∇_x z_y(x)‖₂ / mean ‖∇_x z_y(x)‖₂, the noise being the same at both: 0 where the network is locally linear.
        δ is uniform on [−radius, radius] for each pixel, and x + δ is clipped to [0, 1]
    ``low_frequency_share``
        fraction of the spectral power of ∇_x z_y below half the Nyquist frequency, |f| < 1/4 cycles per pixel, channels pooled; 0.196 for a white
        gradient on large images. A preference for low frequencies is itself a defence

    Percentiles are order statistics without interpolation. The network is measured in evaluation mode. The Jacobian takes one backward pass a class.

    network
        a `yuragi.models.network.Network`
    images, labels
        x, (image, channel, height, width), pixels in [0, 1], and y, (image)
    generator
        source of the noise, of δ and of the first vectors of power iteration
    layers
        those that are measured; None: all
    draws
        K, over which the logits of a stochastic network are averaged
    chunk
        most images × draws × time steps that go through the network at once
    radius
        of the neighbourhood in ``gradient_change``, in pixel units

    Returns a table with the columns layer, property and value. Errors: `InputError` for a layer that does not exist, for images and labels that do
    not fit, and for fewer than two images.

    >>> import torch
    >>> from yuragi.models import Perceptron
    >>> network = Perceptron(hidden=(20,)).build((1, 8, 8), 3, torch.Generator().manual_seed(0))
    >>> images, labels = torch.rand(9, 1, 8, 8), torch.arange(9) % 3
    >>> table = network_properties(network, images, labels, torch.Generator().manual_seed(0))
    >>> table[table.layer == "hidden1"].property.tolist()
    ['activity_variance', 'saturation', 'weight_frobenius', 'weight_spectral']
    """
    check_images(images, labels)
    if images.ndim != 4 or len(images) < 2:
        raise InputError(f"images: shape {tuple(images.shape)}; give two or more as (image, channel, height, width)")
    if int(labels.max()) >= network.n_classes:
        raise InputError(f"labels: {int(labels.max())} occurs, but the network has classes 0 to {network.n_classes - 1}; check the data set")
    if chunk < 1 or draws < 1:
        raise InputError(f"chunk = {chunk}, draws = {draws}: both must be at least 1")
    if not radius > 0:
        raise InputError(f"radius = {radius}: gradients are compared at two different points; give a number above 0")
    layers = list(network.layer_names if layers is None else layers)
    with evaluation_mode(network):
        of_layers = _activity(network, images, layers, chunk)
        for layer, values in _weights(network, images[:1], layers, generator).items():
            of_layers[layer] |= values
        of_network = _answers(network, images, labels, generator, useful_draws(network, draws), chunk, radius)
    rows = [(layer, name, value) for layer, values in (of_layers | {"": of_network}).items() for name, value in values.items()]
    return pd.DataFrame(rows, columns=["layer", "property", "value"])


def _activity(network: torch.nn.Module, images: torch.Tensor, layers: list[str], chunk: int) -> dict[str, dict[str, float]]:
    found: dict[str, _Activity] = {layer: _Activity() for layer in layers}
    with torch.no_grad(), _last_outputs(network, layers) as outputs:
        for part in images.split(chunk):
            for layer, values in network.activities(part, layers).items():
                found[layer].add(values, outputs.get((layer, torch.nn.Tanh)), outputs.get((layer, torch.nn.ReLU)))
    return {layer: activity.properties() for layer, activity in found.items()}


class _Activity:
    """Moments and counts of a layer's activity, gathered over batches."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, torch.Tensor, torch.Tensor]] = []
        self.lowest = math.inf
        self.saturated: list[float] = []
        self.zeros: dict[str, list[float]] = {"output": [], "rectifier": []}
        self.alive: dict[str, torch.Tensor] = {}

    def add(self, values: torch.Tensor, tanh: torch.Tensor | None, rectifier: torch.Tensor | None) -> None:
        wide = in_double(values)
        self.batches.append((len(wide), wide.mean(0), (wide - wide.mean(0)).square().sum(0)))
        self.lowest = min(self.lowest, float(values.min()))
        if tanh is not None:
            self.saturated += (tanh.abs() > SATURATED).float().flatten(1).mean(1).tolist()
        for name, rectified in (("output", values), ("rectifier", rectifier)):
            if rectified is not None:
                zero = rectified.flatten(1) == 0
                self.zeros[name] += zero.float().mean(1).tolist()
                alive = ~zero.all(0)
                self.alive[name] = alive | self.alive[name] if name in self.alive else alive

    def properties(self) -> dict[str, float]:
        count = sum(n for n, _, _ in self.batches)
        mean = torch.stack([n * batch for n, batch, _ in self.batches]).sum(0) / count
        squares = torch.stack([within + n * (batch - mean).square() for n, batch, within in self.batches]).sum(0)
        found = {"activity_variance": float(squares.sum()) / (count - 1)}
        if self.saturated:
            found["saturation"] = float(np.mean(self.saturated))
        which = "output" if self.lowest >= 0 else "rectifier"
        if which in self.alive:
            found |= {"silent_activity": float(np.mean(self.zeros[which])), "dead_units": float((~self.alive[which]).float().mean())}
        return found


@contextlib.contextmanager
def _last_outputs(network: torch.nn.Module, layers: list[str]) -> Iterator[dict[tuple[str, type], torch.Tensor]]:
    """What the last tanh and the last rectifier of each layer returned in the latest pass."""
    outputs: dict[tuple[str, type], torch.Tensor] = {}

    def keep(layer: str, module: torch.nn.Module) -> RemovableHandle:
        return module.register_forward_hook(lambda module, inputs, output: outputs.__setitem__((layer, type(module)), output))

    kinds = torch.nn.Tanh | torch.nn.ReLU
    known = [layer for layer in layers if layer in network.layers]
    handles = [keep(layer, module) for layer in known for module in network.layers[layer].modules() if isinstance(module, kinds)]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _weights(network: torch.nn.Module, image: torch.Tensor, layers: list[str], generator: torch.Generator) -> dict[str, dict[str, float]]:
    shapes: dict[torch.nn.Module, torch.Size] = {}
    linear = {
        layer: [module for module in network.layers[layer].modules() if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)]
        for layer in layers
        if layer in network.layers
    }
    handles = [
        module.register_forward_pre_hook(lambda module, inputs: shapes.__setitem__(module, inputs[0].shape))
        for module in itertools.chain.from_iterable(linear.values())
    ]
    try:
        with torch.no_grad():
            network.activities(image, layers)
    finally:
        for handle in handles:
            handle.remove()
    return {
        layer: {
            "weight_frobenius": math.hypot(*(float(in_double(module.weight.detach()).norm()) for module in modules)),
            "weight_spectral": max(_operator_norm(module, shapes[module], generator) for module in modules),
        }
        for layer, modules in linear.items()
        if modules
    }


def _operator_norm(module: torch.nn.Module, shape: torch.Size, generator: torch.Generator) -> float:
    """The largest singular value of a dense layer or of a convolution on maps of this shape."""
    if isinstance(module, torch.nn.Linear):
        weight = in_double(module.weight.detach())
        gram = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
        return math.sqrt(max(0.0, float(torch.linalg.eigvalsh(gram)[-1])))
    weight = in_double(module.weight.detach())
    linear = copy.deepcopy(module).to(weight)
    linear.bias = None
    vector = torch.randn((1, *shape[1:]), generator=generator, device=generator.device).to(weight)
    norm = 0.0
    with torch.enable_grad():
        for _ in range(POWER_STEPS):
            vector = (vector / vector.norm()).detach().requires_grad_()
            image = linear(vector)
            before, norm = norm, float(image.detach().norm())
            if norm == 0 or norm - before < POWER_TOLERANCE * norm:
                break
            (vector,) = torch.autograd.grad(image, vector, image.detach())
    return norm


def _answers(
    network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, draws: int, chunk: int, radius: float
) -> dict[str, float]:
    kept: dict[str, list[torch.Tensor]] = {}
    steps = time_steps(network)
    for part, n_draws in _grouped(pieces(len(images), draws, chunk, steps)):
        x, y = images[part], labels[part]
        seed = fresh_seed(generator)
        uniform = torch.rand(x.shape, generator=generator, device=generator.device, dtype=x.dtype).to(x.device)
        neighbour = (x + radius * (2 * uniform - 1)).clamp(0, 1)
        logits, jacobian = _jacobian(network, x, range(network.n_classes), _again(generator, seed), n_draws)
        rows = torch.arange(len(y), device=y.device)
        runner_up = logits.scatter(1, y[:, None], -torch.inf).argmax(1)
        margin = logits[rows, y] - logits[rows, runner_up]
        own = jacobian[y, rows]
        slope = (own - jacobian[runner_up, rows]).flatten(1)
        _, (moved,) = _jacobian(network, neighbour, [y], _again(generator, seed), n_draws)
        measured = {
            "margin": margin,
            "distance_linf": _ratio(margin, slope.abs().sum(1)),
            "distance_l2": _ratio(margin, slope.norm(dim=1)),
            "gradient_l1": own.flatten(1).abs().sum(1),
            "gradient_l2": own.flatten(1).norm(dim=1),
            "jacobian_squared_norm": jacobian.square().sum((0, 2, 3, 4)),
            "gradient_change": (moved - own).flatten(1).norm(dim=1),
            "low_frequency_share": _low_frequency_share(own),
        }
        for name, values in measured.items():
            kept.setdefault(name, []).append(in_double(values).cpu())
    return _summary({name: torch.cat(parts).numpy() for name, parts in kept.items()})


def _summary(measured: dict[str, np.ndarray]) -> dict[str, float]:
    found = {
        f"{name}_{what}": float(np.quantile(measured[name], level, method="inverted_cdf"))
        for name in ("margin", "distance_linf", "distance_l2")
        for what, level in (("median", 0.5), ("5th", 0.05))
    }
    found |= {name: float(measured[name].mean()) for name in ("gradient_l1", "gradient_l2", "jacobian_squared_norm")}
    change, size, share = float(measured["gradient_change"].mean()), found["gradient_l2"], measured["low_frequency_share"]
    found["gradient_change"] = change / size if size > 0 else 0.0 if change == 0 else math.inf
    found["low_frequency_share"] = float(share[~np.isnan(share)].mean()) if not np.isnan(share).all() else math.nan
    return found


def _grouped(parts: Iterable[tuple[slice, int]]) -> Iterator[tuple[slice, list[int]]]:
    """Each slice of the images once, with the numbers of draws that add up to all of them."""
    for _, group in itertools.groupby(parts, key=lambda piece: piece[0].start):
        together = list(group)
        yield together[0][0], [n_draws for _, n_draws in together]


def _jacobian(
    network: torch.nn.Module, images: torch.Tensor, classes: Sequence[int | torch.Tensor], generator: torch.Generator, n_draws: list[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits averaged over draws, (image, class), and the gradient by the pixels of those asked for, (class, image, channel, height, width).

    classes
        each the number of a class, or one class for every image
    """
    logits = images.new_zeros((len(images), network.n_classes))
    gradients = images.new_zeros((len(classes), *images.shape))
    for number in n_draws:
        with torch.enable_grad():
            pixels = images.detach().requires_grad_()
            part = sample_logits(network, pixels, generator, number).sum(0) / sum(n_draws)
            rows = torch.arange(len(images), device=images.device)
            for place, wanted in enumerate(classes):
                total = part[rows, wanted].sum()
                gradients[place] += torch.autograd.grad(total, pixels, retain_graph=True, allow_unused=True, materialize_grads=True)[0]
        logits += part.detach()
    return logits, gradients


def _again(generator: torch.Generator, seed: int) -> torch.Generator:
    return torch.Generator(generator.device).manual_seed(seed)


def _ratio(margin: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
    """margin / norm; without a slope the boundary is infinitely far."""
    return torch.where(norm > 0, margin / norm, torch.where(margin == 0, 0.0, margin.sign() * torch.inf))


def _low_frequency_share(gradients: torch.Tensor) -> torch.Tensor:
    """Of each image; NaN where the gradient is 0."""
    power = torch.fft.fft2(gradients).abs().square().sum(1)
    rows, columns = (torch.fft.fftfreq(size, device=gradients.device) for size in gradients.shape[2:])
    low = torch.hypot(rows[:, None], columns[None, :]) < LOW_FREQUENCY
    return (power * low).sum((1, 2)) / power.sum((1, 2))
