"""The pass of a training step through the network, which processes and compilation see as one."""

from __future__ import annotations

import torch

from yuragi.models._statistics import frozen_statistics


class TrainingPass(torch.nn.Module):
    """The logits of a mini-batch with noise, and the activity without noise of the layers that a penalty reads.

    network
        a `yuragi.models.network.Network`

    A network without noise gives both in one pass. A stochastic one takes a second, and that leaves running statistics alone: they belong to the
    network as it answers, with its noise, and move once a step.

    The first ``apart`` images, where there are any, are normalised by themselves, and the running statistics do not see them.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, images: torch.Tensor, noise: torch.Generator, layers: tuple[str, ...], apart: int = 0
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        if not apart:
            return self._together(images, noise, layers)
        with frozen_statistics(self.network):
            first, of_first = self._together(images[:apart], noise, layers)
        if apart == len(images):
            return first, of_first
        rest, of_rest = self._together(images[apart:], noise, layers)
        return torch.cat([first, rest]), {layer: torch.cat([of_first[layer], of_rest[layer]]) for layer in layers}

    def _together(self, images: torch.Tensor, noise: torch.Generator, layers: tuple[str, ...]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        network, dtype = self.network, images.dtype
        if not layers:
            return network(images, noise).to(dtype), {}
        if network.stochastic:
            logits = network(images, noise)
            with frozen_statistics(network):
                activities = network.activities(images, layers, flat=False)
        else:
            last = network.layer_names[-1]  # its activity is the logits
            activities = network.activities(images, [*layers, last], flat=False)
            logits = activities[last]
        # Out of mixed precision, so that losses and penalties are computed in full.
        return logits.to(dtype), {layer: activities[layer].to(dtype) for layer in layers}
