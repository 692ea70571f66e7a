"""What the tables of adversarial training say of an arm, from the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yuragi.robustness.adversarial_training import ArmDescription

if TYPE_CHECKING:
    from yuragi.config.model import Config
    from yuragi.jobs.train import Arm
    from yuragi.models.base import Architecture
    from yuragi.settings import Settings


def described_arms(config: Config, experiment: str) -> dict[str, ArmDescription]:
    """A description of each arm that the study `single_attacks` of an experiment looks at."""
    arms = {name: config.arms[name] for name in config.studied_arms(experiment, "single_attacks")}
    network = config.experiments[experiment].network
    return {name: _described(arm, network, arms) for name, arm in arms.items()}


def _described(arm: Arm, network: Architecture, arms: dict[str, Arm]) -> ArmDescription:
    training = arm.adversarial
    normalised = getattr(arm.architecture(network), "batch_norm", False)
    parts = _beside_adversarial(arm, network)
    return ArmDescription(
        method=training.attack.kind if training else None,
        recipe=training.recipe() if training else "none",
        leaks_possible=training is not None and training.attack.uses_true_label,
        width=arm.width,
        batch_norm="none" if not normalised else training.batch_norm if training else "mixture",
        constraint=_constraint(arm),
        ordinary=next((name for name, other in arms.items() if not other.adversarial and _beside_adversarial(other, network) == parts), None)
        if training
        else None,
    )


def _beside_adversarial(arm: Arm, network: Architecture) -> tuple[Settings | float | None, ...]:
    """All that makes an arm, but for adversarial training: settings that say the same in other words are the same."""
    return arm.architecture(network), arm.width, arm.penalty, arm.noise


def _constraint(arm: Arm) -> str:
    """The kinds of what the arm carries beside adversarial training."""
    parts = [part.kind for part in (arm.penalty, arm.noise, arm.front_end) if part is not None]
    return " + ".join(parts + (["whitened"] if arm.whitened else [])) or "none"
