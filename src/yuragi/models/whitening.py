"""Where `Whitening` is imported from; PyTorch is loaded only when the class is asked for."""

from __future__ import annotations

from typing import Any

__all__ = ["Whitening"]  # noqa: F822 (found by __getattr__)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # An import statement, which the digest of the code follows; a lazy loader's table would hide the module from it.
    from yuragi.models import _whitening

    return getattr(_whitening, name)
