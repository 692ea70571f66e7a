"""Random corruptions of images: noise, blur, digital and weather, in five published severities."""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "base": ["Corruption", "applicable"],
        "blur": ["DefocusBlur", "GaussianBlur", "GlassBlur", "MotionBlur", "ZoomBlur"],
        "digital": ["Contrast", "Elastic", "Jpeg", "Pixelate", "Saturate"],
        "noise": ["GaussianNoise", "ImpulseNoise", "ShotNoise", "SpeckleNoise"],
        "weather": ["Brightness", "Fog", "Snow"],
    },
)
