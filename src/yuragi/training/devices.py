"""Where a network is trained, and how the same specification gives the same numbers there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from yuragi.errors import InputError, unknown

_KINDS = ("auto", "cpu", "cuda", "mps")


def resolve_device(name: str = "auto") -> torch.device:
    """The device of that name: ``auto`` takes an NVIDIA GPU where there is one, else Apple's, else the processor.

    name
        ``auto``, ``cpu``, ``cuda``, ``cuda:1`` …, or ``mps``; an `InputError` tells one that this machine lacks

    >>> resolve_device("cpu")
    device(type='cpu')
    """
    kind, _, number = name.partition(":")
    if kind not in _KINDS or (number and not (kind == "cuda" and number.isdecimal())):
        raise unknown("device", name, _KINDS)
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise InputError(f"device '{name}': this machine has no NVIDIA GPU that torch can use; choose 'auto' or 'cpu'")
        if number and int(number) >= torch.cuda.device_count():
            raise InputError(f"device '{name}': this machine has {torch.cuda.device_count()} GPU(s), counted from 0; choose one of them")
        # cuBLAS is deterministic only with a workspace of fixed size, and reads this when it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"device '{name}': this machine has no Apple GPU that torch can use; choose 'auto' or 'cpu'")
    return torch.device(f"{kind}:{number}" if number else kind)


def check_number(device: torch.device, devices: int, batch: int) -> None:
    """Refuse, with an `InputError`, to train on so many devices what cannot be trained on them.

    device
        the kind, as `resolve_device` gave it
    devices
        how many of it: GPUs, or processes on the processor
    batch
        images in a mini-batch, which the devices share
    """
    if devices < 1:
        raise InputError(f"devices = {devices}: give 1 or more")
    if devices == 1:
        return
    if device.type == "mps" or device.index is not None:
        raise InputError(f"devices = {devices}: device '{device}' is a single one; give devices = 1, or device 'cuda' or 'cpu'")
    if device.type == "cuda" and devices > torch.cuda.device_count():
        raise InputError(f"devices = {devices}: this machine has {torch.cuda.device_count()} GPU(s); give at most that")
    if batch < devices:
        raise InputError(f"devices = {devices}: a mini-batch of {batch} images leaves some of them idle; raise training.batch, or use fewer")


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Inside the block torch uses algorithms that give the same numbers every time; afterwards its settings are as they were."""
    with _settings_given_back():
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # a debugging aid that costs a pass over every new tensor
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False  # 10 bits of mantissa, on by default for convolutions
        torch.set_float32_matmul_precision("highest")
        yield


@contextlib.contextmanager
def fastest() -> Iterator[None]:
    """Inside the block a GPU may choose the fastest algorithm and round to TF32; afterwards torch's settings are as they were."""
    with _settings_given_back():
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = True
        torch.set_float32_matmul_precision("high")
        yield


@contextlib.contextmanager
def _settings_given_back() -> Iterator[None]:
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    benchmark = torch.backends.cudnn.benchmark
    reduced = torch.backends.cudnn.allow_tf32
    products = torch.get_float32_matmul_precision()
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        torch.utils.deterministic.fill_uninitialized_memory = fill
        torch.backends.cudnn.benchmark = benchmark
        torch.backends.cudnn.allow_tf32 = reduced
        torch.set_float32_matmul_precision(products)


def seeded_generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator on the device, started from ``seed``."""
    return torch.Generator(device=device).manual_seed(seed)
