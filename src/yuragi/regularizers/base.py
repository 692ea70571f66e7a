"""What a penalty on hidden activity has to do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import lazy_loader as lazy
from pydantic import Field

from yuragi.errors import InputError, unknown
from yuragi.files import canonical_json
from yuragi.plugins import Plugin

if TYPE_CHECKING:
    from yuragi.targets import BrainTarget

torch = lazy.load("torch")

Alpha = Annotated[float, Field(gt=0)]


class Penalty(Plugin):
    """A term added to the training loss that pulls hidden layers towards an exponent of the covariance spectrum.

    The loss of a mini-batch is the cross-entropy plus `loss`. A penalty keeps no state of its own: what it learns about the network at the
    start of an epoch is returned by `prepare` and handed to `loss`.
    """

    layers: dict[str, Alpha | str] = Field(
        min_length=1, description="for each penalised layer its exponent: a number, or the name of a stage of the brain target"
    )
    weight: float = Field(1.0, ge=0, description="weight β of the penalty beside the cross-entropy")

    def __hash__(self) -> int:
        return hash(canonical_json(self.model_dump(mode="json")))

    @property
    def needs_target(self) -> bool:
        """True when a layer takes its exponent from the brain target."""
        return any(isinstance(value, str) for value in self.layers.values())

    def alpha(self, layer: str, target: BrainTarget | None) -> float:
        """The exponent asked of a layer; an `InputError` when the target or its stage is missing."""
        value = self.layers[layer]
        if not isinstance(value, str):
            return value
        if target is None:
            raise InputError(f"layers.{layer}: '{value}' names a stage of the brain target, but there is no target; give one, or a number")
        if value not in target.stages:
            raise unknown(f"layers.{layer}: stage", value, target.stages)
        return float(target.alpha(value))

    @abstractmethod
    def penalised_ranks(self) -> tuple[int, int | None]:
        """First and last rank, 1-based and inclusive, over which the exponent is asked for; None is the layer's last."""

    @abstractmethod
    def prepare(self, network: torch.nn.Module, images: torch.Tensor, target: BrainTarget | None, *, chunk: int = 2048) -> Any:
        """What `loss` needs during one epoch, measured without gradients on the whole training set.

        network
            the network at the start of the epoch
        images
            the training images, (image, channel, height, width), values in [0, 1]
        target
            the brain target, where `needs_target`
        chunk
            most images that go through the network at a time
        """

    @abstractmethod
    def loss(self, activities: Mapping[str, torch.Tensor], state: Any) -> torch.Tensor:
        """The penalty of a mini-batch, weight included: a scalar with a gradient.

        activities
            for each of `layers` its activity without noise, (image, unit)
        state
            what `prepare` returned
        """
