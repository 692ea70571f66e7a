"""How often attacked networks are right: guards that run first, the evaluation, and its statistics."""

from __future__ import annotations

import lazy_loader as lazy

# Bound here and not lazily: the function has the name of its module, which would otherwise take its place once it is imported.
from yuragi.robustness.evaluate import evaluate

__getattr__, __dir__, _ = lazy.attach(
    __name__,
    submod_attrs={
        "adaptivity": ["adaptivity_grid"],
        "adaptivity_summary": ["grid_claims", "summarise_grid"],
        "adversarial_tables": ["adversarial_gains", "single_attack_table"],
        "adversarial_training": ["ArmDescription"],
        "capacity": ["capacity_slopes"],
        "certificates": ["certify", "predict"],
        "corruptions": ["corruption_differences", "evaluate_corruptions", "summarise_corruptions"],
        "feature_space": ["feature_space_distances", "geometry_by_layer"],
        "frozen": ["FrozenNoise"],
        "guards": ["Verdicts", "inspect_network"],
        "masking": ["masking_probes"],
        "matching": ["match_accuracy", "match_energy"],
        "properties": ["network_properties"],
        "single_attacks": ["evaluate_single_attacks"],
        "statistics": ["paired_differences", "summarise"],
        "threat": ["ThreatModel"],
        "transferability": ["TrainedNetwork", "attack_and_transfer", "transfer_table"],
        "transferability_claims": ["transfer_claims"],
        "verdicts": ["arm_verdicts"],
    },
)

__all__ = [
    "evaluate",
    "ThreatModel",
    "inspect_network",
    "masking_probes",
    "FrozenNoise",
    "feature_space_distances",
    "geometry_by_layer",
    "adaptivity_grid",
    "summarise_grid",
    "grid_claims",
    "match_accuracy",
    "match_energy",
    "certify",
    "predict",
    "evaluate_corruptions",
    "summarise_corruptions",
    "corruption_differences",
    "Verdicts",
    "arm_verdicts",
    "summarise",
    "paired_differences",
    "network_properties",
    "evaluate_single_attacks",
    "ArmDescription",
    "single_attack_table",
    "adversarial_gains",
    "capacity_slopes",
    "TrainedNetwork",
    "attack_and_transfer",
    "transfer_table",
    "transfer_claims",
]
