"""How many images a network recognises."""

from __future__ import annotations

import torch

from yuragi.attacks.passes import device_of, noise_stream
from yuragi.attacks.scores import Score, score
from yuragi.models.modes import evaluation_mode


def accuracy(
    network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, *, draws: int = 8, chunk: int = 4096
) -> float:
    """The fraction of images whose label has the largest logit, averaged over draws of the noise: the accuracy of a single draw.

    network
        a `yuragi.models.network.Network`, or any module that returns logits
    images
        (image, channel, height, width), values in [0, 1]; on the network's device, or elsewhere to be moved part by part
    labels
        class of each image, int64, (image,)
    generator
        source of the noise; a deterministic network does not use it
    draws
        draws a stochastic network is averaged over
    chunk
        most images times draws times time steps that go through the network at a time
    """
    return float(measured(network, images, labels, generator, draws=draws, chunk=chunk).fraction_correct.double().mean())


def measured(
    network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator, *, draws: int = 8, chunk: int = 4096
) -> Score:
    """The score of each image in evaluation mode; arguments as for `accuracy`."""
    device = device_of(network, images)
    noise = noise_stream(network, generator)
    size = len(images) if images.device == device else PART
    with evaluation_mode(network):
        parts = [
            score(network, images[start : start + size].to(device), labels[start : start + size].to(device), noise, draws, chunk)
            for start in range(0, len(images), size)
        ]
    return Score(*(torch.cat(values) for values in zip(*parts, strict=True)))


PART = 4096
"""Images that are moved to the network's device at once, where they lie elsewhere."""
