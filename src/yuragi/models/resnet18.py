"""The residual network of 18 layers for images of about 32 by 32 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from yuragi.errors import InputError
from yuragi.models.base import Architecture

if TYPE_CHECKING:
    import torch

UNITS = (2, 2, 2, 2)
"""Residual units of each stage."""


class ResNet18(Architecture):
    """A pre-activation ResNet-18: ``stem``, ``stage1`` … ``stage4``, ``output``.

        stem: relu(BN(W ∗ pixels)),    stage k: two units y = P(x) + W₂ ∗ relu(BN(W₁ ∗ relu(BN(x))))
        output: W mean over positions of relu(BN(x)) + b

    Convolutions are 3 by 3; stages have ``width`` x 1, 2, 4, 8 channels, and each but the first halves height and width, rounded up. As in He et
    al. 2016 (arXiv 1603.05027, appendix) the stem's activation serves the first unit, which has none of its own at its entrance, and one more
    activation follows the last sum. It belongs to ``output`` here, so that the activity of every stage is the same quantity: the sum at the end
    of its last unit, before any normalisation or relu, of both signs.

    Weights start as N(0, gain² / inputs) with gain √2, and 1 for the output; biases start at 0. Without batch normalisation each residual
    branch ends in a learned factor that starts at 1/√8 (SkipInit, De & Smith 2020, arXiv 2002.10444), which keeps activity from growing
    with depth, and convolutions have biases; with it they have none.

    >>> import torch
    >>> network = ResNet18(width=8).build((3, 32, 32), 10, torch.Generator().manual_seed(0))
    >>> {name: tuple(network.activities(torch.zeros(2, 3, 32, 32), [name], flat=False)[name].shape[1:]) for name in network.layer_names}
    {'stem': (8, 32, 32), 'stage1': (8, 32, 32), 'stage2': (16, 16, 16), 'stage3': (32, 8, 8), 'stage4': (64, 4, 4), 'output': (10,)}
    """

    width_keys: ClassVar = ("width",)

    kind: Literal["resnet18"] = "resnet18"
    width: Annotated[int, Field(ge=1)] = Field(64, description="Channels of the stem and of `stage1`; they double from stage to stage.")
    batch_norm: bool = Field(True, description="Whether batch normalisation stands before each relu.")

    def own_names(self) -> tuple[str, ...]:
        return ("stem", *(f"stage{number}" for number in range(1, len(UNITS) + 1)), "output")

    def own_layers(self, image_shape: tuple[int, int, int], n_classes: int, generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """``stem``, the stages, ``output``."""
        from torch import nn

        from yuragi.models._blocks import MeanOverPositions, PreActivationUnit, convolved, normalised
        from yuragi.models._initialise import linear

        smallest = 2 ** (len(UNITS) - 1)
        if min(image_shape[1:]) < smallest:
            raise InputError(
                f"image_shape = {image_shape}: nothing is left of it to halve; give images of {smallest} by {smallest} pixels or more, or use cnn"
            )
        layers: dict[str, nn.Module] = {"stem": nn.Sequential(*convolved(image_shape[0], self.width, 3, generator, batch_norm=self.batch_norm))}
        n_in = self.width
        for stage, n_units in enumerate(UNITS):
            units = []
            for position in range(n_units):
                first, n_out = position == 0, self.width * 2**stage
                units.append(
                    PreActivationUnit(
                        n_in,
                        n_out,
                        2 if first and stage > 0 else 1,
                        generator,
                        batch_norm=self.batch_norm,
                        n_units=sum(UNITS),
                        activated=first and stage == 0,
                    )
                )
                n_in = n_out
            layers[f"stage{stage + 1}"] = nn.Sequential(*units)
        readout = linear(n_in, n_classes, "none", generator)
        layers["output"] = nn.Sequential(*normalised(n_in, self.batch_norm), nn.ReLU(), MeanOverPositions(), readout)
        return layers
