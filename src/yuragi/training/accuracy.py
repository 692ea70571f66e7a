"""How many images a network recognises."""

from __future__ import annotations

import torch

from yuragi.attacks.passes import evaluation_mode
from yuragi.attacks.scores import score


def accuracy(
    network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, *, draws: int = 8, chunk: int = 4096
) -> float:
    """The fraction of images whose label has the largest logit, averaged over draws of the noise: the accuracy of a single draw.

    network
        a `yuragi.models.network.Network`, or any module that returns logits
    images
        (image, channel, height, width), values in [0, 1]
    labels
        class of each image, int64, (image,)
    generator
        source of the noise; a deterministic network does not use it
    draws
        draws a stochastic network is averaged over
    chunk
        most images times draws times time steps that go through the network at a time
    """
    with evaluation_mode(network):
        return float(score(network, images, labels, generator, draws, chunk).fraction_correct.double().mean())
