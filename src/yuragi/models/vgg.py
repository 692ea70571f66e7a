"""VGG-like networks for images of about 32 by 32 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from yuragi.errors import InputError
from yuragi.models.base import Architecture

if TYPE_CHECKING:
    import torch

Width = Annotated[int, Field(ge=1)]


class VGG(Architecture):
    """Groups of 3 by 3 convolutions ``conv1``, ``conv2``, …, a 2 by 2 maximum after each group, then dense ``hidden1`` and ``output``.

    Each convolution is followed by a relu, which its layer includes; the last layer of a group includes the maximum too. The default groups are
    those of VGG-11 (Simonyan & Zisserman 2015, arXiv 1409.1556, configuration A). The maximum rounds height and width up, so that five groups
    take images of 28 by 28 as well as of 32 by 32. Weights start as N(0, gain² / inputs) with gain √2, and 1 for the output; biases start
    at 0. With batch normalisation it stands before each relu, and what comes before it has no bias.

    >>> import torch
    >>> network = VGG(groups=((8,), (16, 16)), hidden=32).build((1, 28, 28), 10, torch.Generator().manual_seed(0))
    >>> {name: network.width(name) for name in network.layer_names}
    {'conv1': 1568, 'conv2': 3136, 'conv3': 784, 'hidden1': 32, 'output': 10}
    """

    width_keys: ClassVar = ("groups", "hidden")

    kind: Literal["vgg"] = "vgg"
    groups: tuple[Annotated[tuple[Width, ...], Field(min_length=1)], ...] = Field(
        ((64,), (128,), (256, 256), (512, 512), (512, 512)),
        min_length=1,
        description="Channels of the convolutions, group by group; each group ends in a pooling.",
    )
    hidden: Width = Field(512, description="Units of `hidden1`.")
    batch_norm: bool = Field(False, description="Whether batch normalisation stands before each relu.")

    def own_names(self) -> tuple[str, ...]:
        return (*(f"conv{number}" for number in range(1, sum(map(len, self.groups)) + 1)), "hidden1", "output")

    def own_widths(self) -> dict[str, int]:
        return {"hidden1": self.hidden}

    def own_layers(self, image_shape: tuple[int, int, int], n_classes: int, generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """``conv1`` …, ``hidden1``, each with its relu, then ``output``."""
        from torch import nn

        from yuragi.models._blocks import convolved
        from yuragi.models._initialise import linear

        n_channels, height, width = image_shape
        smallest = 2 ** (len(self.groups) - 1) + 1
        if min(height, width) < smallest:
            raise InputError(
                f"image_shape = {image_shape}: {len(self.groups)} groups leave nothing for the last pooling; "
                f"give images of {smallest} by {smallest} pixels or more, or fewer groups"
            )
        layers: dict[str, nn.Module] = {}
        for group in self.groups:
            for position, n_out in enumerate(group, start=1):
                pooling = [nn.MaxPool2d(2, ceil_mode=True)] if position == len(group) else []
                convolution = convolved(n_channels, n_out, 3, generator, batch_norm=self.batch_norm)
                layers[f"conv{len(layers) + 1}"] = nn.Sequential(*convolution, *pooling)
                n_channels = n_out
            height, width = (height + 1) // 2, (width + 1) // 2
        dense = linear(n_channels * height * width, self.hidden, "relu", generator)
        normalised = [nn.BatchNorm1d(self.hidden)] if self.batch_norm else []
        layers["hidden1"] = nn.Sequential(nn.Flatten(), dense, *normalised, nn.ReLU())
        layers["output"] = linear(self.hidden, n_classes, "none", generator)
        return layers
