"""How much of a network's noise reaches its answer."""

from __future__ import annotations

import torch

from yuragi.attacks.passes import is_stochastic, pieces, sample_logits, time_steps
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode


def noise_at_readout(network: torch.nn.Module, images: torch.Tensor, generator: torch.Generator, *, draws: int = 16, chunk: int = 2048) -> float:
    """The variance of the logits over draws of the noise, relative to their variance over images; 0 for a network without noise.

        ρ_out = Σ_c E_i[var_k z_c(x_i, ξ_k)] / Σ_c var_i(E_k[z_c(x_i, ξ_k)])

    Noise that is strong in a hidden layer may hardly reach the logits: a network learns to read out along other directions. Then the noise is
    no defence. The variance over images is freed of the noise that is left in a mean over K draws.

    network
        a `yuragi.models.network.Network`, or any module that returns logits
    images
        x, at least two of them, (image, channel, height, width), values in [0, 1]
    generator
        source of the noise ξ
    draws
        K, at least two
    chunk
        most images times draws times time steps that go through the network at a time
    """
    if len(images) < 2 or draws < 2:
        raise InputError(f"images, draws: {len(images)} and {draws}; variances need at least 2 of each")
    if not is_stochastic(network):
        return 0.0
    sums: dict[int, torch.Tensor] = {}
    squares: dict[int, torch.Tensor] = {}
    with evaluation_mode(network), torch.no_grad():
        for part, n_draws in pieces(len(images), draws, chunk, time_steps(network)):
            logits = sample_logits(network, images[part], generator, n_draws).double()
            sums[part.start] = sums.get(part.start, 0) + logits.sum(0)
            squares[part.start] = squares.get(part.start, 0) + logits.square().sum(0)
    total, square = torch.cat(list(sums.values())), torch.cat(list(squares.values()))
    mean = total / draws
    over_draws = float(((square - draws * mean.square()) / (draws - 1)).sum(1).mean())
    over_images = float(mean.var(0).sum()) - over_draws / draws
    return over_draws / over_images if over_images > 0 else float("inf")
