"""Where streams of noise are imported from; PyTorch is loaded only when one of them is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yuragi.noise._streams import FrozenStream, NoiseStream

__all__ = ["FrozenStream", "NoiseStream"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    # An import statement, for the digest of a job's code follows those and not names in strings.
    from yuragi.noise import _streams

    return getattr(_streams, name)
