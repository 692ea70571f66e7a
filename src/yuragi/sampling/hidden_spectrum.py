"""The covariance spectrum of hidden activity driven by stimuli: of sampled networks, and of a network trained by gradients, made comparable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from yuragi.errors import InputError
from yuragi.sampling.checks import binary_patterns
from yuragi.sampling.learning import Posterior
from yuragi.sampling.model import sigmoid

if TYPE_CHECKING:
    import torch


def bernoulli_responses(probabilities: np.ndarray, generator: np.random.Generator, *, trials: int, sweeps: int) -> xr.DataArray:
    """Counts of independent bits, n_rsi ~ Binomial(sweeps, p_si): what units with these probabilities would show in as many trials and sweeps.

    probabilities
        p, (stimulus, unit), such as the sigmoid activations of a network trained by gradients

    Returns `(repeat, stimulus, unit)`, so that the same cross-validated estimator applies to it. Errors: `InputError` for values outside [0, 1].

    >>> bernoulli_responses(np.array([[0.0, 1.0]]), np.random.default_rng(0), trials=2, sweeps=5).values.tolist()
    [[[0, 5]], [[0, 5]]]
    """
    p = np.asarray(probabilities, dtype=float)
    if p.ndim != 2 or not ((p >= 0) & (p <= 1)).all():
        raise InputError(f"probabilities: shape {p.shape}; give (stimulus, unit) in [0, 1], such as activations of sigmoid units")
    counts = generator.binomial(sweeps, p, (trials, *p.shape)).astype(np.uint16)
    return xr.DataArray(counts, dims=("repeat", "stimulus", "unit"), attrs={"units": f"ones in {sweeps} sweeps", "sweeps": sweeps})


def first_layer_probabilities(posterior: Posterior, bits: np.ndarray) -> np.ndarray:
    """E[P(s = 1 | stimulus)] of layer 1 over the samples of the synapses (stimulus, unit): its responses without any noise, in closed form.

    bits
        stimuli at layer 0 (stimulus, unit), 0 or 1
    """
    stimuli, settings = binary_patterns(bits, posterior.settings.layers[0], "bits"), posterior.settings
    total = sum(sigmoid(settings.scales[0] * synapses.potentials(0, stimuli.T)) for synapses in posterior)
    return np.asarray(total).T / len(posterior)


def hidden_activations(network: torch.nn.Module, pixels: np.ndarray, layer: str = "hidden1", chunk: int = 1024) -> np.ndarray:
    """Activations of a layer of a network trained by gradients (image, unit), without noise.

    network
        a `yuragi.models.network.Network`
    pixels
        (image, channel, height, width), as the network takes them
    """
    import torch

    from yuragi.models.modes import evaluation_mode

    with evaluation_mode(network), torch.no_grad():
        parts = [network.activities(part, [layer])[layer] for part in torch.from_numpy(pixels).split(chunk)]
    return torch.cat(parts).double().cpu().numpy()
