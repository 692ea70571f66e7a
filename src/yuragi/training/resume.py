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
from yuragi.regularizers.base import Penalty, State
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
        "target": _target_digest(penalty, target),
        "network": str(network),
        "parameters": tensors_digest(network.state_dict()),
        "data": tensors_digest(data),
        "device": device.type,
        "torch": torch.__version__,
    }
    return hashlib.sha256(canonical_json(specification).encode()).hexdigest()


def _target_digest(penalty: Penalty | None, target: BrainTarget | None) -> str | None:
    """A digest of the brain target where the penalty reads it; what the noise took from it is among the network's parameters."""
    if penalty is None or not penalty.needs_target or target is None:
        return None
    variables = target.to_dataset().variables
    content = {str(name): [variable.dims, repr(variable.values.tolist())] for name, variable in variables.items()}
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def save_progress(
    path: Path, digest: str, history: list[dict[str, int | float]], network: torch.nn.Module, optimiser: torch.optim.Optimizer, penalty: State
) -> None:
    """Write the network, the states of optimiser and penalty, and the history; every epoch seeds its own generators, so none is kept.

    digest
        the `fingerprint`
    history
        one row for each epoch that is done
    """
    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{name}": value for name, value in state.items() if value is not None}
    tensors |= {f"penalty/{name}": value for name, value in penalty.items()}
    write_tensors(tensors, {"fingerprint": digest, "history": history}, path)


def load_progress(
    path: Path, digest: str, network: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[list[dict[str, int | float]], State]:
    """Take up the checkpoint at ``path`` if it is whole and of this very training; its history and the penalty's state, else empty ones."""
    if not path.exists():
        return [], {}
    try:
        tensors, record = read_tensors(path)
    except InputError as error:
        _log(f"checkpoint ignored, training starts anew: {error}")
        return [], {}
    if record.get("fingerprint") != digest:
        _log(f"checkpoint ignored, training starts anew: {path} is of another specification, network or data")
        return [], {}
    network.load_state_dict({name.removeprefix("network/"): value for name, value in tensors.items() if name.startswith("network/")})
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser/"):
            _, number, entry = name.split("/")
            states.setdefault(int(number), {})[entry] = value
    optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})
    _log(f"resumed after epoch {len(record['history'])} from {path}")
    return record["history"], {name.removeprefix("penalty/"): value for name, value in tensors.items() if name.startswith("penalty/")}


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
