"""How arms were trained and what attacks are, as far as tables of adversarial training tell it (`yuragi.robustness.adversarial_tables`)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from yuragi.attacks.base import Attack
from yuragi.settings import Settings


class ArmDescription(Settings):
    """How the networks of one arm were trained, as far as adversarial training is concerned.

    >>> ArmDescription(method="fgsm", leaks_possible=True, width=2, ordinary="plain_wide").ordinary
    'plain_wide'
    """

    method: str | None = Field(None, min_length=1, description="kind of the attack that it was trained on; null: ordinary training")
    recipe: str = Field(
        "none",
        min_length=1,
        description="how it was trained on that attack, in words that differ where the settings do; `none` for ordinary training",
    )
    leaks_possible: bool = Field(False, description="whether that attack's direction uses the true label")
    width: float = Field(1.0, gt=0, description="multiplier of all widths of the network")
    batch_norm: Literal["none", "mixture", "separate"] = Field(
        "mixture", description="what batch normalisation averages over: clean and attacked images together, or each apart; `none` without it"
    )
    constraint: str = Field("none", min_length=1, description="kinds of the penalties and of the noise that it carries, or `none`")
    ordinary: str | None = Field(
        None, min_length=1, description="the arm that is the same but for adversarial training; null for ordinary arms and where there is none"
    )

    @model_validator(mode="after")
    def _hangs_together(self) -> ArmDescription:
        if self.method is None and self.leaks_possible:
            raise ValueError("leaks_possible = true: an arm without a method was trained on no attack; name the method or set false")
        if self.method is None and self.ordinary is not None:
            raise ValueError(f"ordinary = '{self.ordinary}': an arm without a method is ordinary itself; name the method or set null")
        return self


ITERATED = ("gradients", "answers")
"""The knowledge of attacks that go step by step."""


def describe_attack(attack: Attack) -> dict[str, Any]:
    """The kind of an attack, whether it goes step by step (by many gradients or many answers), and whether its direction uses the true label.

    >>> from yuragi.attacks import PGD, StepLL
    >>> describe_attack(PGD())
    {'attack_kind': 'pgd', 'iterated': True, 'uses_true_label': True}
    >>> describe_attack(StepLL())
    {'attack_kind': 'step_ll', 'iterated': False, 'uses_true_label': False}
    """
    return {
        "attack_kind": attack.kind,
        "iterated": attack.knowledge in ITERATED,
        "uses_true_label": attack.uses_true_label,
    }
