"""A threshold: pixels as bits, as networks of binary units see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from yuragi.models.front_ends.base import FRONT_END, FrontEnd

if TYPE_CHECKING:
    import torch


class Binarise(FrontEnd):
    """Every value becomes 1 above a threshold and 0 elsewhere.

        y = 1 where x > θ, else 0,    ∂y/∂x := 1

    The derivative is 0 wherever it exists; the pass back takes that of the identity (straight-through), which is what an attacker does who knows the
    threshold (Athalye et al. 2018, arXiv 1802.00420). A network behind it does not see changes smaller than a pixel's distance to θ: on images of
    pixels near 0 and 1 the threshold is a defence by itself, so that a network is compared with one that has it too.

    >>> import torch
    >>> from yuragi.models import Perceptron
    >>> network = Perceptron(hidden=(20,), front_end=Binarise()).build((1, 8, 8), 10, torch.Generator().manual_seed(0))
    >>> network.activities(torch.tensor([0.2, 0.7]).repeat(32).reshape(1, 1, 8, 8), ["front_end"])["front_end"][0, :4].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """

    kind: Literal["binarise"] = "binarise"
    threshold: float = Field(0.5, description="θ, compared with pixels after the network's normalisation.")

    def output_shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The shape of the images; any will do."""
        return image_shape

    def build(self, image_shape: tuple[int, int, int], generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """The threshold; nothing in it is random, so that ``generator`` is left as it is."""
        from yuragi.models.front_ends._threshold import Threshold

        return {FRONT_END: Threshold(self.threshold)}
