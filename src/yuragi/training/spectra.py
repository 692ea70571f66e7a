"""The covariance spectrum that a network has learned."""

from __future__ import annotations

import torch
import xarray as xr

from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.models.units import Units, samples
from yuragi.regularizers.covariance import layer_covariances
from yuragi.spectra.cvpca import spectrum_array

_BLOCK = 2048
"""Units that are held in double precision at a time."""


def layer_spectrum(network: torch.nn.Module, images: torch.Tensor, layer: str, *, units: Units = "both", chunk: int = 2048) -> xr.DataArray:
    """The covariance eigenvalues of a layer's activity without noise, over held-out images: what `fit_power_law` takes.

        λ_n = n-th eigenvalue of C = X'X / (S − 1),    X = samples × units, each unit's mean over samples removed

    Where there are fewer samples than units it is the n-th eigenvalue of XX' / (S − 1), which are the same but for zeros: a layer of 16,384 units
    over 2,000 images takes the activity and a matrix of 2,000 by 2,000. Sums are in double precision.

    network
        a `yuragi.models.network.Network`
    images
        I held-out images (image, channel, height, width), values in [0, 1]
    layer
        name of the layer; an `InputError` lists those that exist
    units
        what a unit of a convolutional layer is: ``channel``, with every position of every image a sample; ``position``, with every channel of every
        image a sample; ``both``, a channel at a position, with every image a sample. A dense layer has nothing to choose
    chunk
        images that go through the network at a time

    Returns λ over `rank` (1-based), descending, in squared units of activity, of length min(S − 1, units). Raises `InputError` for fewer than two
    images and activity that is not finite too.
    """
    with evaluation_mode(network), torch.no_grad():
        one = samples(network.activities(images[:1], [layer], flat=False)[layer], units)
    n_samples, n_units = len(images) * len(one), one.shape[1]
    fewer_samples = 2 <= n_samples < n_units
    matrix = (
        _gram(network, images, layer, units, chunk) if fewer_samples else layer_covariances(network, images, [layer], units=units, chunk=chunk)[layer]
    )
    # Rounding may leave a null direction slightly below zero, which no covariance has.
    eigenvalues = torch.linalg.eigvalsh(matrix).flip(0)[: min(n_samples - 1, n_units)].clamp(min=0).cpu().numpy()
    attributes = {"estimator": "pca", "layer": layer, "images": len(images), "samples": n_samples, "units": n_units, "unit": units}
    return spectrum_array(eigenvalues, attributes)


def _gram(network: torch.nn.Module, images: torch.Tensor, layer: str, units: Units, chunk: int) -> torch.Tensor:
    """XX' / (S − 1), (sample, sample)."""
    with evaluation_mode(network), torch.no_grad():
        values = torch.cat([samples(network.activities(part, [layer], flat=False)[layer], units) for part in images.split(chunk)])
    if values.device.type == "mps":
        values = values.cpu()  # Apple's devices have no double precision
    gram = torch.zeros((len(values), len(values)), dtype=torch.float64, device=values.device)
    for block in values.split(_BLOCK, dim=1):
        centred = block.double() - block.double().mean(0)
        gram.addmm_(centred, centred.T)
    if not gram.isfinite().all():
        raise InputError(f"layer '{layer}': its activity over these images is not finite; the training diverged, so train with a lower learning_rate")
    return gram / (len(values) - 1)
