"""Measures the activity that noise is built on: its variance, and its leading directions where a noise asks for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import lazy_loader as lazy

from yuragi.models.modes import evaluation_mode
from yuragi.models.subspace import leading_directions

if TYPE_CHECKING:
    from yuragi.models.network import Network

torch = lazy.load("torch")

DIRECTION_IMAGES = 2048
"""Most images on which directions are measured, evenly spread over those given; variances are measured on all."""
HELD_BYTES = 2**28
"""Activity on these images is held between passes where it takes no more than this."""


def calibrate_noise(network: Network, images: torch.Tensor, batch: int) -> None:
    """Give every noise layer the stimulus-driven variance of its layer over images, and the directions that it asks for.

    V = Σ_u var_x h_u(x) over all images. A noise with a ``structure`` also gets the leading eigenvectors and eigenvalues of the covariance of what
    that structure makes of the layer's activity, by `leading_directions` over at most `DIRECTION_IMAGES` images. The answer depends on the network
    and the images alone.

    network
        a `yuragi.models.Network`, measured in evaluation mode and left in the mode that it was in
    images
        pixels in [0, 1], (image, channel, height, width), on any device
    batch
        images that pass at once
    """
    with evaluation_mode(network), torch.no_grad():
        for name, noise in network.noise.items():
            leading = None if getattr(noise, "structure", None) is None else _leading(network, name, noise, images, batch)
            activity = (network.activities(part.to(network.mean.device), [name])[name] for part in images.split(batch))
            noise.calibrate(activity) if leading is None else noise.calibrate(activity, leading)


def _leading(network: Network, name: str, noise: torch.nn.Module, images: torch.Tensor, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = images
    if len(images) > DIRECTION_IMAGES:
        chosen = images[torch.linspace(0, len(images) - 1, DIRECTION_IMAGES, dtype=torch.float64).round().long().to(images.device)]

    def activity(part: torch.Tensor) -> torch.Tensor:
        return network.activities(part, [name])[name]

    def seen() -> Iterable[torch.Tensor]:
        generator = noise.structure.generator()
        for part in chosen.split(batch):
            yield noise.structure.passed(part.to(network.mean.device), activity, generator)

    n_components = noise.directions.shape[1]
    held = list(seen()) if len(chosen) * noise.width * 4 <= HELD_BYTES else None
    return leading_directions(lambda: held if held is not None else seen(), n_components, generator=torch.Generator().manual_seed(0))
