"""Multilayer perceptrons: the networks in which a spectrum can be imposed on every layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from yuragi.models.base import Architecture

if TYPE_CHECKING:
    import torch


class Perceptron(Architecture):
    """Dense layers ``hidden1``, ``hidden2``, … and ``output``.

        h_l = φ(W_l h_(l-1) + b_l),    h_0 = pixels,    logits = W h_L + b

    W starts as N(0, gain² / inputs), gain √2 for relu, 4 for sigmoid, and 1 for tanh and the output; b starts at 0. With batch normalisation
    h_l = BN(φ(…)): after the nonlinearity, so that what a penalty, noise or an analysis finds at a layer is normalised.

    The perceptrons of Nassar et al. 2020 (arXiv 2012.04729) are ``hidden=(2000,)`` and ``hidden=(1000, 1000, 1000)`` with tanh on images of
    28 by 28; their code has batch normalisation after the nonlinearity too.

    >>> import torch
    >>> network = Perceptron(hidden=(50, 20)).build((1, 8, 8), 10, torch.Generator().manual_seed(0))
    >>> network.layer_names
    ('hidden1', 'hidden2', 'output')
    """

    width_keys: ClassVar = ("hidden",)

    kind: Literal["perceptron"] = "perceptron"
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (500,), min_length=1, description="Units of each hidden layer, from the first to the last."
    )
    activation: Literal["tanh", "relu", "sigmoid"] = Field("tanh", description="φ, the nonlinearity of the hidden layers.")
    batch_norm: bool = Field(False, description="Whether batch normalisation follows the nonlinearity of each hidden layer.")

    def own_names(self) -> tuple[str, ...]:
        return (*(f"hidden{number}" for number in range(1, len(self.hidden) + 1)), "output")

    def own_widths(self) -> dict[str, int]:
        return {f"hidden{number}": width for number, width in enumerate(self.hidden, start=1)}

    def own_layers(self, image_shape: tuple[int, int, int], n_classes: int, generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """``hidden1`` … with their nonlinearity, then ``output``."""
        from torch import nn

        from yuragi.models._blocks import ACTIVATIONS
        from yuragi.models._initialise import linear

        layers: dict[str, nn.Module] = {}
        n_in = math.prod(image_shape)
        for number, n_out in enumerate(self.hidden, start=1):
            flatten = [nn.Flatten()] if number == 1 else []
            normalised = [nn.BatchNorm1d(n_out)] if self.batch_norm else []
            layer = linear(n_in, n_out, self.activation, generator)
            layers[f"hidden{number}"] = nn.Sequential(*flatten, layer, ACTIVATIONS[self.activation](), *normalised)
            n_in = n_out
        layers["output"] = linear(n_in, n_classes, "none", generator)
        return layers
