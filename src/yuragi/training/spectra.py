"""The covariance spectrum that a network has learned."""

from __future__ import annotations

import torch
import xarray as xr

from yuragi.regularizers.covariance import layer_covariances
from yuragi.spectra.cvpca import spectrum_array


def layer_spectrum(network: torch.nn.Module, images: torch.Tensor, layer: str, *, chunk: int = 2048) -> xr.DataArray:
    """The covariance eigenvalues of a layer's activity without noise, over held-out images: what `fit_power_law` takes.

        λ_n = n-th eigenvalue of Σ_i (x_i − x̄)(x_i − x̄)ᵀ / (I − 1)

    network
        a `yuragi.models.network.Network`
    images
        I held-out images (image, channel, height, width), values in [0, 1]
    layer
        name of the layer; an `InputError` lists those that exist
    chunk
        images that go through the network at a time

    Returns λ over `rank` (1-based), descending, in squared units of activity, of length min(I − 1, units).
    """
    covariance = layer_covariances(network, images, [layer], chunk=chunk)[layer]
    count = min(len(images) - 1, len(covariance))
    # Rounding may leave a null direction slightly below zero, which no covariance has.
    eigenvalues = torch.linalg.eigvalsh(covariance).flip(0)[:count].clamp(min=0).cpu().numpy()
    attributes = {"estimator": "pca", "layer": layer, "images": len(images), "units": len(covariance)}
    return spectrum_array(eigenvalues, attributes)
