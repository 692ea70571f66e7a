"""How much memory a device has to give, and what to lower when it is not enough."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from yuragi.errors import InputError

_TOLD = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


@contextlib.contextmanager
def naming_the_knob(knob: str, value: object, remedy: str = "lower it") -> Iterator[None]:
    """Inside the block a device or a processor out of memory becomes an `InputError` that names what to lower.

    >>> with naming_the_knob("training.batch", 256):
    ...     raise torch.OutOfMemoryError("CUDA out of memory.")
    Traceback (most recent call last):
    yuragi.errors.InputError: out of memory with training.batch = 256: lower it, or choose a device with more memory
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and not any(words in str(error).lower() for words in _TOLD):
            raise
        raise InputError(f"out of memory with {knob} = {value}: {remedy}, or choose a device with more memory") from error


def fits(n_bytes: int, device: torch.device) -> bool:
    """Whether so many bytes take at most half of what is free on the device; on the processor, where they are already, always."""
    if device.type == "cuda":
        return n_bytes <= torch.cuda.mem_get_info(device)[0] / 2
    if device.type == "mps":
        return n_bytes <= (torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()) / 2
    return True
