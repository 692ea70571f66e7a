"""Multilayer perceptrons: the networks in which a spectrum can be imposed on every layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from yuragi.models.base import Architecture

if TYPE_CHECKING:
    import torch


class Perceptron(Architecture):
    """Dense layers ``hidden1``, ``hidden2``, … and ``output``.

        h_l = φ(W_l h_(l-1) + b_l),    h_0 = pixels,    logits = W h_L + b

    W starts as N(0, gain² / inputs), gain √2 for relu and 1 for tanh and the output; b starts at 0.

    >>> import torch
    >>> network = Perceptron(hidden=(50, 20)).build((1, 8, 8), 10, torch.Generator().manual_seed(0))
    >>> network.layer_names
    ('hidden1', 'hidden2', 'output')
    """

    kind: Literal["perceptron"] = "perceptron"
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (500,), min_length=1, description="Units of each hidden layer, from the first to the last."
    )
    activation: Literal["tanh", "relu"] = Field("tanh", description="φ, the nonlinearity of the hidden layers.")

    def own_names(self) -> tuple[str, ...]:
        return (*(f"hidden{number}" for number in range(1, len(self.hidden) + 1)), "output")

    def own_widths(self) -> dict[str, int]:
        return {f"hidden{number}": width for number, width in enumerate(self.hidden, start=1)}

    def own_layers(self, image_shape: tuple[int, int, int], n_classes: int, generator: torch.Generator) -> dict[str, torch.nn.Module]:
        """``hidden1`` … with their nonlinearity, then ``output``."""
        from torch import nn

        from yuragi.models._initialise import linear

        nonlinearity = {"tanh": nn.Tanh, "relu": nn.ReLU}[self.activation]
        layers: dict[str, nn.Module] = {}
        n_in = math.prod(image_shape)
        for number, n_out in enumerate(self.hidden, start=1):
            flatten = [nn.Flatten()] if number == 1 else []
            layers[f"hidden{number}"] = nn.Sequential(*flatten, linear(n_in, n_out, self.activation, generator), nonlinearity())
            n_in = n_out
        layers["output"] = linear(n_in, n_classes, "none", generator)
        return layers
