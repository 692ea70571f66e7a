"""Checkpoints: how an interrupted training goes on where it stopped."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from yuragi.errors import InputError
from yuragi.files import canonical_json
from yuragi.regularizers.base import Penalty
from yuragi.training.settings import TrainingSettings
from yuragi.training.store import read_tensors, tensors_digest, write_tensors

if TYPE_CHECKING:
    from yuragi.targets import BrainTarget


def checkpoint_path(scratch: str | os.PathLike[str], key: str) -> Path:
    """Where the checkpoint of the run ``key`` lies in the scratch folder."""
    if not key or Path(key).name != key:
        raise InputError(f"key = {key!r}: it names a folder inside the scratch folder; give letters and digits")
    return Path(scratch) / key / "checkpoint.safetensors"


def remove_checkpoint(scratch: str | os.PathLike[str], key: str) -> None:
    """Remove a run's checkpoint, once its outputs are written; nothing happens where there is none.

    scratch, key
        as given to `train`
    """
    path = checkpoint_path(scratch, key)
    path.unlink(missing_ok=True)
    # An interrupted write leaves its temporary file, which is hidden and named after the checkpoint.
    for leftover in path.parent.glob(f".{path.name}.*"):
        leftover.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def fingerprint(
    network: torch.nn.Module,
    data: dict[str, torch.Tensor],
    settings: TrainingSettings,
    seed: int,
    penalty: Penalty | None,
    target: BrainTarget | None,
    device: torch.device,
) -> str:
    """A digest of everything that decides a training's numbers, except the code: that is for the caller's key.

    network
        as it is before training
    data
        images and labels by name
    """
    specification = {
        "settings": settings.canonical(),
        "seed": seed,
        "penalty": penalty.model_dump(mode="json") if penalty else None,
        "alphas": {layer: penalty.alpha(layer, target) for layer in penalty.layers} if penalty else None,
        "network": str(network),
        "parameters": tensors_digest(network.state_dict()),
        "data": tensors_digest(data),
        "device": device.type,
        "torch": torch.__version__,
    }
    return hashlib.sha256(canonical_json(specification).encode()).hexdigest()


def save_progress(path: Path, digest: str, history: list[dict[str, int | float]], network: torch.nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Write the network, the optimiser's state and the history; every epoch seeds its own generators, so none is kept.

    digest
        the `fingerprint`
    history
        one row for each epoch that is done
    """
    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{name}": value for name, value in state.items() if value is not None}
    write_tensors(tensors, {"fingerprint": digest, "history": history}, path)


def load_progress(path: Path, digest: str, network: torch.nn.Module, optimiser: torch.optim.Optimizer) -> list[dict[str, int | float]]:
    """Take up the checkpoint at ``path`` if it is whole and of this very training, and return its history; else an empty one."""
    if not path.exists():
        return []
    try:
        tensors, record = read_tensors(path)
    except InputError as error:
        _log(f"checkpoint ignored, training starts anew: {error}")
        return []
    if record.get("fingerprint") != digest:
        _log(f"checkpoint ignored, training starts anew: {path} is of another specification, network or data")
        return []
    network.load_state_dict({name.removeprefix("network/"): value for name, value in tensors.items() if name.startswith("network/")})
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser/"):
            _, number, entry = name.split("/")
            states.setdefault(int(number), {})[entry] = value
    optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})
    _log(f"resumed after epoch {len(record['history'])} from {path}")
    return record["history"]


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
