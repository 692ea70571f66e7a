"""The residual network of 50 layers for images of about 224 by 224 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from yuragi.errors import InputError
from yuragi.models.base import Architecture

if TYPE_CHECKING:
    import torch

UNITS = (3, 4, 6, 3)
"""Residual units of each stage."""

SMALLEST = 32
"""Height and width of which one position is left after five halvings."""


class ResNet50(Architecture):
    """A ResNet-50 of bottleneck units for large images: ``stem``, ``stage1`` … ``stage4``, ``output``.

        stem: 3 x 3 maximum of relu(BN(W ∗ pixels)),    stage k: units y = relu(P(x) + BN(W₃ ∗ relu(BN(W₂ ∗ relu(BN(W₁ ∗ x)))))
        output: W mean over positions of x + b

    The stem's convolution is 7 by 7, and it and the maximum halve height and width; so does each stage but the first. Stages have
    ``width`` x 4, 8, 16, 32 channels (He et al. 2015, arXiv 1512.03385; strides at the 3 by 3 convolutions). The activity of a stage is that after
    the relu of its last unit.

    Weights start as N(0, gain² / inputs) with gain √2, and 1 at the end of a branch and for the output; biases start at 0. Without batch
    normalisation each residual branch ends in a learned factor that starts at 1/√16 (SkipInit, De & Smith 2020, arXiv 2002.10444), which keeps
    activity from growing with depth, and convolutions have biases; with it they have none.

    >>> import torch
    >>> network = ResNet50(width=4).build((3, 64, 64), 10, torch.Generator().manual_seed(0))
    >>> {name: tuple(network.activities(torch.zeros(2, 3, 64, 64), [name], flat=False)[name].shape[1:]) for name in network.layer_names}
    {'stem': (4, 16, 16), 'stage1': (16, 16, 16), 'stage2': (32, 8, 8), 'stage3': (64, 4, 4), 'stage4': (128, 2, 2), 'output': (10,)}
    """

    width_keys: ClassVar = ("width",)

    kind: Literal["resnet50"] = "resnet50"
    width: Annotated[int, Field(ge=1)] = Field(
        64, description="Channels of the stem and of the middle convolutions of `stage1`; they double from stage to stage."
    )
    batch_norm: bool = Field(True, description="Whether batch normalisation follows each convolution.")

    def own_names(self) -> tuple[str, ...]:
        return ("stem", *(f"stage{number}" for number in range(1, len(UNITS) + 1)), "output")

    def own_layers(self, image_shape: tuple[int, int, int], n_classes: int, generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """``stem``, the stages, ``output``."""
        from torch import nn

        from yuragi.models._blocks import Bottleneck, MeanOverPositions, convolved
        from yuragi.models._initialise import linear

        if min(image_shape[1:]) < SMALLEST:
            raise InputError(
                f"image_shape = {image_shape}: too small for five halvings; give images of {SMALLEST} by {SMALLEST} pixels or more, or use resnet18"
            )
        entrance = convolved(image_shape[0], self.width, 7, generator, batch_norm=self.batch_norm, stride=2)
        layers: dict[str, nn.Module] = {"stem": nn.Sequential(*entrance, nn.MaxPool2d(3, stride=2, padding=1))}
        n_in = self.width
        for stage, n_units in enumerate(UNITS):
            units = []
            for position in range(n_units):
                n_middle = self.width * 2**stage
                stride = 2 if position == 0 and stage > 0 else 1
                units.append(Bottleneck(n_in, n_middle, stride, generator, batch_norm=self.batch_norm, n_units=sum(UNITS)))
                n_in = 4 * n_middle
            layers[f"stage{stage + 1}"] = nn.Sequential(*units)
        layers["output"] = nn.Sequential(MeanOverPositions(), linear(n_in, n_classes, "none", generator))
        return layers
