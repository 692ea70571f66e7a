"""A small convolutional network, from digits of 8 by 8 pixels to colour images of 32 by 32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from yuragi.errors import InputError
from yuragi.models.base import Architecture

if TYPE_CHECKING:
    import torch


Width = Annotated[int, Field(ge=1)]


class CNN(Architecture):
    """Two stages of convolution, relu and 2 by 2 maximum, ``conv1`` and ``conv2``, then dense ``hidden1`` and ``output``.

    The dense layer takes whatever the two stages leave of the image, a quarter of its height and width. Weights start as N(0, gain² / inputs) with
    gain √2, and 1 for the output; biases start at 0.

    >>> import torch
    >>> network = CNN(channels=(4, 8), hidden=32).build((3, 32, 32), 10, torch.Generator().manual_seed(0))
    >>> {name: network.width(name) for name in network.layer_names}
    {'conv1': 1024, 'conv2': 512, 'hidden1': 32, 'output': 10}
    """

    kind: Literal["cnn"] = "cnn"
    channels: tuple[Width, Width] = Field((16, 32), description="Channels of `conv1` and `conv2`.")
    hidden: Width = Field(128, description="Units of `hidden1`.")
    kernel: int = Field(3, ge=1, description="Height and width of the convolution kernels, odd.")

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

        from yuragi.models._initialise import convolution, linear

        n_channels, height, width = image_shape
        if min(height, width) < 4:
            raise InputError(
                f"image_shape = {image_shape}: two poolings leave nothing of it; give images of 4 by 4 pixels or more, or use perceptron"
            )
        first, second = self.channels
        return {
            "conv1": nn.Sequential(convolution(n_channels, first, self.kernel, "relu", generator), nn.ReLU(), nn.MaxPool2d(2)),
            "conv2": nn.Sequential(convolution(first, second, self.kernel, "relu", generator), nn.ReLU(), nn.MaxPool2d(2)),
            "hidden1": nn.Sequential(nn.Flatten(), linear(second * (height // 4) * (width // 4), self.hidden, "relu", generator), nn.ReLU()),
            "output": linear(self.hidden, n_classes, "none", generator),
        }
