"""A layer's activity in the shape of recorded responses, so that the brain's rulers measure it."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr

from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.models.units import Units, samples


def layer_responses(network: torch.nn.Module, images: torch.Tensor, layer: str, *, units: Units = "both", chunk: int = 2048) -> xr.DataArray:
    """The activity of one layer, without noise, as responses (repeat, stimulus, unit): one repeat, a stimulus an image.

    What `yuragi.spectra` takes of a recording it takes of a layer: `pca_spectrum`, `fit_power_law`, `compare_hierarchy` with ``estimator="pca"``.

    network
        a `yuragi.models.network.Network`
    images
        (image, channel, height, width), values in [0, 1], at least two
    layer
        name of the layer; an `InputError` lists those that exist
    units
        what a unit of a convolutional layer is, as in `yuragi.training.spectra.layer_spectrum`; with ``channel`` every position of every image is a
        stimulus, with ``position`` every channel of every image
    chunk
        images that go through the network at a time

    Units that never change are left out and counted in the attribute ``constant_units``.
    """
    if len(images) < 2:
        raise InputError(f"images: a spectrum needs at least 2, found {len(images)}; give more")
    with evaluation_mode(network), torch.no_grad():
        batches = (network.activities(part, [layer], flat=False)[layer].cpu() for part in images.split(chunk))
        values = torch.cat([samples(activity, units).double() for activity in batches]).numpy()
    alive = np.ptp(values, axis=0) > 0
    if not alive.any():
        raise InputError(f"layer '{layer}': none of its {len(alive)} units changes over these images; the network is dead, train it otherwise")
    return xr.DataArray(
        values[None, :, alive],
        dims=("repeat", "stimulus", "unit"),
        coords={"stimulus": np.arange(len(values)), "unit": np.flatnonzero(alive)},
        name="responses",
        attrs={"layer": layer, "constant_units": int((~alive).sum())},
    )
