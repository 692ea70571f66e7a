"""A small convolutional network, from digits of 8 by 8 pixels to colour images of 32 by 32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from yuragi.errors import InputError
from yuragi.models.base import Architecture

if TYPE_CHECKING:
    import torch


Width = Annotated[int, Field(ge=1)]


class CNN(Architecture):
    """Two stages of convolution, nonlinearity and 2 by 2 maximum, ``conv1`` and ``conv2``, then dense ``hidden1`` and ``output``.

    The dense layer takes whatever the two stages leave of the image, with padding a quarter of its height and width. Weights start as
    N(0, gain² / inputs) with gain √2 for relu, and 1 for tanh and the output; biases start at 0. Batch normalisation stands before each
    nonlinearity, and what comes before it has no bias.

    The network of Nassar et al. 2020 (arXiv 2012.04729) is ``CNN(channels=(16, 32), hidden=1000, activation="tanh", padding=False)``: of images of
    28 by 28 pixels 32 x 5 x 5 = 800 values reach its dense layer.

    >>> import torch
    >>> network = CNN(channels=(4, 8), hidden=32).build((3, 32, 32), 10, torch.Generator().manual_seed(0))
    >>> {name: network.width(name) for name in network.layer_names}
    {'conv1': 1024, 'conv2': 512, 'hidden1': 32, 'output': 10}
    """

    width_keys: ClassVar = ("channels", "hidden")

    kind: Literal["cnn"] = "cnn"
    channels: tuple[Width, Width] = Field((16, 32), description="Channels of `conv1` and `conv2`.")
    hidden: Width = Field(128, description="Units of `hidden1`.")
    kernel: int = Field(3, ge=1, description="Height and width of the convolution kernels, odd.")
    activation: Literal["relu", "tanh"] = Field("relu", description="The nonlinearity.")
    padding: bool = Field(True, description="Whether a border of zeros keeps height and width at each convolution.")
    batch_norm: bool = Field(False, description="Whether batch normalisation stands before each nonlinearity.")

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError(f"{kernel} is even, and only an odd kernel keeps the image centred; give {kernel - 1} or {kernel + 1}")
        return kernel

    def own_names(self) -> tuple[str, ...]:
        return ("conv1", "conv2", "hidden1", "output")

    def own_widths(self) -> dict[str, int]:
        return {"hidden1": self.hidden}

    def own_layers(self, image_shape: tuple[int, int, int], n_classes: int, generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """``conv1``, ``conv2``, ``hidden1``, each with its nonlinearity, then ``output``."""
        from torch import nn

        from yuragi.models._blocks import ACTIVATIONS, convolved
        from yuragi.models._initialise import linear

        n_channels, *size = image_shape
        smallest = 4 if self.padding else 3 * self.kernel + 1
        if min(size) < smallest:
            raise InputError(
                f"image_shape = {image_shape}: two convolutions and poolings leave nothing of it; "
                f"give images of {smallest} by {smallest} pixels or more, or use perceptron"
            )
        lost = 0 if self.padding else self.kernel - 1
        layers: dict[str, nn.Module] = {}
        for number, n_out in enumerate(self.channels, start=1):
            convolution = convolved(
                n_channels, n_out, self.kernel, generator, batch_norm=self.batch_norm, activation=self.activation, padding=self.padding
            )
            layers[f"conv{number}"] = nn.Sequential(*convolution, nn.MaxPool2d(2))
            size = [(length - lost) // 2 for length in size]
            n_channels = n_out
        dense = linear(n_channels * size[0] * size[1], self.hidden, self.activation, generator)
        normalised = [nn.BatchNorm1d(self.hidden)] if self.batch_norm else []
        layers["hidden1"] = nn.Sequential(nn.Flatten(), dense, *normalised, ACTIVATIONS[self.activation]())
        layers["output"] = linear(self.hidden, n_classes, "none", generator)
        return layers
