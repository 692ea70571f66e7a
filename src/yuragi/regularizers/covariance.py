"""The covariance of a layer's activity over images."""

from __future__ import annotations

from collections.abc import Iterable

import lazy_loader as lazy

from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.models.precision import in_double
from yuragi.models.units import Units, samples

torch = lazy.load("torch")


def layer_covariances(
    network: torch.nn.Module, images: torch.Tensor, layers: Iterable[str], *, units: Units = "both", chunk: int = 2048
) -> dict[str, torch.Tensor]:
    """The covariance matrix of each layer's activity over images, without noise and without gradients.

        C = Σ_s (x_s − x̄)(x_s − x̄)ᵀ / (S − 1),    s = 1 … S samples

    summed in double precision.

    network
        a `yuragi.models.network.Network`
    images
        (image, channel, height, width), values in [0, 1], at least two
    layers
        names of layers; ``"input"`` is the pixels
    units
        what a unit of a convolutional layer is, and what a sample: a channel, sampled at every position of every image; a position, sampled in
        every channel of every image; or a channel at a position, sampled by image. Of a dense layer every image is a sample
    chunk
        images that go through the network at a time; the memory grows with it, the result does not depend on it

    Returns a matrix (unit, unit) for each layer. An `InputError` tells a layer that does not exist, too few images and activity that is not
    finite.
    """
    layers = list(layers)
    if len(images) < 2:
        raise InputError(f"images: a covariance needs at least 2, found {len(images)}; give more")
    origins: dict[str, torch.Tensor] = {}
    sums: dict[str, torch.Tensor] = {}
    products: dict[str, torch.Tensor] = {}
    counts = dict.fromkeys(layers, 0)
    device = next(network.parameters()).device
    with evaluation_mode(network), torch.no_grad():
        for part in images.split(chunk):
            for layer, activity in network.activities(part.to(device), layers, flat=False).items():
                values = in_double(samples(activity, units))
                counts[layer] += len(values)
                if layer not in origins:
                    origins[layer] = values.mean(0)
                    sums[layer] = torch.zeros_like(origins[layer])
                    products[layer] = values.new_zeros(values.shape[1], values.shape[1])
                # Sums of squares about a point near the mean lose no digits when the mean is large.
                values = values - origins[layer]
                sums[layer] += values.sum(0)
                products[layer].addmm_(values.T, values)
    covariances = {layer: (products[layer] - torch.outer(sums[layer], sums[layer]) / count) / (count - 1) for layer, count in counts.items()}
    for layer, covariance in covariances.items():
        if not covariance.isfinite().all():
            raise InputError(
                f"layer '{layer}': its activity over these images is not finite; the training diverged, so train with a lower learning_rate"
            )
    return covariances
