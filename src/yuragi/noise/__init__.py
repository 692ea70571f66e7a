"""Noise inside networks: spontaneous activity of the brain, and the controls that share its energy but not its structure."""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "layer": ["SpontaneousNoise"],
        "base": ["Noise"],
        "spontaneous": ["Spontaneous"],
        "white": ["WhiteNoise"],
        "modified": ["Modified"],
        "neuronal": ["NeuronalNoise"],
    },
)
