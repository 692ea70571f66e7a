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

    def names(self) -> tuple[str, ...]:
        """The names of the layers that it becomes, in order, the first of them `FRONT_END`."""
        return (FRONT_END,)

    @abstractmethod
    def build(self, image_shape: tuple[int, int, int], generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """The modules by name, in the order of `names`, on the CPU.

        image_shape
            (channel, height, width) of the images
        generator
            the only source of what is random in them

        Errors: as `output_shape`.
        """

    @abstractmethod
    def output_shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """(channel, height, width) of what the last of them returns; an `InputError` tells images that it cannot take."""
