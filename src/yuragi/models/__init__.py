"""Networks whose layers have names, so that penalties, noise and analyses can say where they act."""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "network": ["Network"],
        "base": ["Architecture"],
        "perceptron": ["Perceptron"],
        "cnn": ["CNN"],
        "vgg": ["VGG"],
        "resnet18": ["ResNet18"],
        "resnet50": ["ResNet50"],
    },
)
