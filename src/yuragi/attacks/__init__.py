"""Attacks that know the defence: images within ε of the given ones that a network gets wrong."""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "base": ["Attack", "BoundedAttack"],
        "fgsm": ["FGSM"],
        "gradients": ["gradient_pass", "loss_gradient"],
        "pgd": ["PGD"],
        "random_noise": ["RandomNoise"],
    },
)
