"""What every front end has in common: it turns images into what the first layer sees."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from yuragi.plugins import Plugin

if TYPE_CHECKING:
    import torch

FRONT_END = "front_end"
"""The name of the layer that a front end becomes: noise may act after it, and analyses may look at it."""


class FrontEnd(Plugin):
    """A stage before the first layer of a network, after its normalisation."""

    @abstractmethod
    def build(self, image_shape: tuple[int, int, int], generator: torch.Generator) -> torch.nn.Module:
        """The module, on the CPU.

        image_shape
            (channel, height, width) of the images
        generator
            the only source of what is random in it
        """

    @abstractmethod
    def output_shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """(channel, height, width) of what it returns; an `InputError` tells images that it cannot take."""
