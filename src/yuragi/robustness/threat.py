"""What an adversary may do and what it knows: said before anything is attacked, and written into every result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from yuragi.attacks.balls import Norm, checked_eps
from yuragi.errors import InputError
from yuragi.settings import Settings

if TYPE_CHECKING:
    from yuragi.attacks.base import Attack

NORMS = {"linf": "L-infinity", "l2": "L2"}


class ThreatModel(Settings):
    """Untargeted changes of bounded size, by an adversary that knows the network, or only a part of it.

    >>> print(ThreatModel(epsilons=[0.1, 0]))
    untargeted; L-infinity change of at most 0, 0.1 in units of the pixel range; pixels stay in [0, 1]; knows the network and its noise
    """

    norm: Norm = Field("linf", description="how a change is measured")
    epsilons: tuple[float, ...] = Field(description="the largest sizes of the change, in units of the pixel range")
    knowledge: Literal["network and its noise", "network without its noise", "answers"] = Field(
        "network and its noise",
        description="what the adversary knows: weights and the distribution of the noise, weights alone, or the network's answers alone",
    )

    @model_validator(mode="after")
    def _are_budgets(self) -> ThreatModel:
        for eps in self.epsilons:
            checked_eps(eps, self.norm)
        if not self.epsilons or len(set(self.epsilons)) < len(self.epsilons):
            raise ValueError(f"epsilons = {list(self.epsilons)}: give one or more, each once")
        return self

    @property
    def budgets(self) -> list[float]:
        """The sizes, smallest first."""
        return sorted(self.epsilons)

    def allows(self, attack: Attack) -> bool:
        """Whether the attack knows no more than this adversary.

        >>> from yuragi.attacks import PGD, Square
        >>> [ThreatModel(epsilons=[0.1], knowledge="answers").allows(attack) for attack in (PGD(), Square())]
        [False, True]
        """
        if self.knowledge == "network without its noise":
            return not attack.adapts
        return self.knowledge == "network and its noise" or attack.knowledge in ("chance", "answers")

    def check(self, attacks: Mapping[str, Attack]) -> None:
        """Refuse attacks that know more than this adversary, with an `InputError`."""
        for name, attack in attacks.items():
            if not self.allows(attack):
                raise InputError(f"attacks: '{name}' knows more than the threat model's adversary, who knows the {self.knowledge}; leave it out")

    def __str__(self) -> str:
        sizes = ", ".join(f"{eps:g}" for eps in self.budgets)
        return (
            f"untargeted; {NORMS[self.norm]} change of at most {sizes} in units of the pixel range; pixels stay in [0, 1]; knows the {self.knowledge}"
        )
