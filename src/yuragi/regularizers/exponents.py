"""Penalties that ask layers for an exponent of the covariance spectrum, and what they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from yuragi.errors import InputError, unknown
from yuragi.regularizers.base import Penalty

if TYPE_CHECKING:
    from yuragi.targets import BrainTarget

Alpha = Annotated[float, Field(gt=0)]


class ExponentPenalty(Penalty):
    """A penalty that asks hidden layers for an exponent of the covariance spectrum."""

    layers: dict[str, Alpha | str] = Field(
        min_length=1, description="for each penalised layer its exponent: a number, or the name of a stage of the brain target"
    )

    rank_keys: ClassVar[tuple[str, str]] = ("ranks", "ranks")
    """The options that hold the first and the last rank asked for, which messages name."""

    @property
    def needs_target(self) -> bool:
        """True when a layer takes its exponent from the brain target."""
        return any(isinstance(value, str) for value in self.layers.values())

    def reads(self) -> tuple[str, ...]:
        return tuple(self.layers)

    def check(self, target: BrainTarget | None) -> None:
        for layer in self.layers:
            self.alpha(layer, target)

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
