"""Where `SpontaneousNoise` is imported from; PyTorch is loaded only when the class is asked for."""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach("yuragi.noise", submod_attrs={"_layer": ["SpontaneousNoise"]})
