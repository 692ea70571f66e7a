"""Attacks that know the defence: images within ε of the given ones that a network gets wrong."""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "apgd": ["APGD"],
        "base": ["Attack", "BallAttack", "BoundedAttack", "UnboundedAttack"],
        "basic_iterative": ["BasicIterative"],
        "fab": ["FAB"],
        "feature_space": ["FeatureSpace"],
        "feature_space_generator": ["FeatureSpaceGenerator"],
        "fgsm": ["FGSM"],
        "gradients": ["gradient_pass", "loss_gradient"],
        "hop_skip_jump": ["HopSkipJump"],
        "iterative_ll": ["IterativeLL"],
        "pgd": ["PGD"],
        "random_noise": ["RandomNoise"],
        "square": ["Square"],
        "step_ll": ["StepLL"],
        "step_rnd": ["StepRnd"],
        "suite": ["Suite"],
    },
)
