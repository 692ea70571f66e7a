"""A stochastic network whose noise is held at one value: what is left of a defence once its randomness is known."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from yuragi.noise.streams import FrozenStream


class FrozenNoise(nn.Module):
    """The network under one value of its noise, z(x, ξ₀), the same in every pass: a deterministic network.

    Networks of `yuragi.models` give all images the same value. Another network that takes a generator gives every place in the batch its own, so
    that images must keep their places.

    network
        has ``sample_logits(images, generator, draws)``; its parameters are shared, not copied
    seed
        of ξ₀
    device
        where the noise is drawn

    Source: Carlini et al. 2019, arXiv 1902.06705, section 5.6: attacks must succeed once the randomness is one fixed value.

    >>> from yuragi.models import Perceptron
    >>> from yuragi.noise import WhiteNoise
    >>> noise = [WhiteNoise(layer="hidden1", relative_variance=1.0)]
    >>> network = Perceptron(hidden=(9,)).build((1, 2, 2), 3, torch.Generator().manual_seed(0), noise=noise)
    >>> network.calibrate(torch.rand(8, 1, 2, 2))
    >>> frozen, image = FrozenNoise(network, seed=1), torch.rand(1, 1, 2, 2)
    >>> torch.equal(frozen(image), frozen(image)), frozen.stochastic
    (True, False)
    """

    stochastic = False

    def __init__(self, network: nn.Module, seed: int, device: torch.device | str = "cpu") -> None:
        super().__init__()
        self.network = network
        self._noise = FrozenStream(seed, device)
        self.steps = getattr(network, "steps", 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the one draw, (image, class)."""
        return self.network.sample_logits(images, self._noise.begin(), 1)[0]
