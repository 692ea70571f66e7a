"""Passes that leave no trace in a network's running statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[nn.Module]:
    """Within it, batch normalisation in training mode normalises with the statistics of its batch, as always, and leaves the running ones alone.

    For images that are not the training images: what the network shall answer in evaluation mode must not depend on them. In evaluation
    mode nothing changes: the running statistics normalise. It acts on every module with a boolean ``track_running_stats``, the switch of PyTorch's
    own normalisations, of which a layer with running statistics of another sort has to have one too.

    network
        its modules are left as they were, after an error too

    >>> import torch
    >>> layer = nn.BatchNorm1d(2)
    >>> with frozen_statistics(layer):
    ...     answer = layer(torch.tensor([[0.0, 2.0], [4.0, 4.0]]))
    >>> layer.running_mean.tolist(), int(layer.num_batches_tracked)
    ([0.0, 0.0], 0)
    """
    tracking = [module for module in network.modules() if getattr(module, "track_running_stats", None) is True]
    try:
        for module in tracking:
            # In training mode PyTorch then neither counts the batch nor hands it the running statistics; in evaluation mode it still does.
            module.track_running_stats = False
        yield network
    finally:
        for module in tracking:
            module.track_running_stats = True
