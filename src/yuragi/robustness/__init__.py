"""How often attacked networks are right: guards that run first, the evaluation, and its statistics."""

from __future__ import annotations

import lazy_loader as lazy

# Bound here and not lazily: the function has the name of its module, which would otherwise take its place once it is imported.
from yuragi.robustness.evaluate import evaluate

__getattr__, __dir__, _ = lazy.attach(
    __name__,
    submod_attrs={
        "guards": ["Verdicts", "inspect_network"],
        "properties": ["network_properties"],
        "statistics": ["paired_differences", "summarise"],
        "verdicts": ["arm_verdicts"],
    },
)

__all__ = ["evaluate", "inspect_network", "Verdicts", "arm_verdicts", "summarise", "paired_differences", "network_properties"]
