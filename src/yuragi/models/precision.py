"""Double precision, wherever the numbers lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def in_double(values: torch.Tensor) -> torch.Tensor:
    """In double precision, on the processor where the device has none, as Apple's.

    >>> import torch
    >>> in_double(torch.ones(2)).dtype
    torch.float64
    """
    return (values.cpu() if values.device.type == "mps" else values).double()
