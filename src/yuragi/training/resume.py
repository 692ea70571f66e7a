"""Checkpoints: how an interrupted training goes on where it stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from yuragi.errors import InputError
from yuragi.files import canonical_json
from yuragi.regularizers.base import Penalty, State
from yuragi.training.live import Pace
from yuragi.training.settings import TrainingSettings
from yuragi.training.store import differences, read_tensors, tensors_digest, write_tensors

if TYPE_CHECKING:
    from yuragi.targets import BrainTarget
    from yuragi.training.adversarial import AdversarialTraining


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


def specification(
    network: torch.nn.Module,
    data: dict[str, torch.Tensor],
    settings: TrainingSettings,
    seed: int,
    penalty: Penalty | None,
    target: BrainTarget | None,
    adversarial: AdversarialTraining | None,
    device: torch.device,
    devices: int,
) -> dict[str, Any]:
    """Everything that decides a training's numbers, except the code: that is for the caller's key. Large things by their digests.

    network
        as it is before training
    data
        images and labels by name
    device, devices
        the kind, and how many of it
    """
    return {
        "settings": settings.canonical(),
        "seed": seed,
        "penalty": penalty.model_dump(mode="json") if penalty else None,
        "target": _target_digest(penalty, target),
        "adversarial": adversarial.canonical() if adversarial else None,
        "network": hashlib.sha256(str(network).encode()).hexdigest(),
        "noise": {name: noise.record() for name, noise in network.noise.items()},
        "parameters": tensors_digest(network.state_dict()),
        "data": tensors_digest(data),
        "device": device.type,
        "devices": devices,
        "torch": torch.__version__,
    }


def _target_digest(penalty: Penalty | None, target: BrainTarget | None) -> str | None:
    """A digest of the brain target where the penalty reads it; what the noise took from it is among the network's parameters."""
    if penalty is None or not penalty.needs_target or target is None:
        return None
    variables = target.to_dataset().variables
    content = {str(name): [variable.dims, repr(variable.values.tolist())] for name, variable in variables.items()}
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


@dataclass
class Progress:
    """Where a training stands at the end of an epoch; every epoch seeds its own generators, so none is kept.

    history, paces
        one row for each epoch that is done
    penalty
        what the penalty has learned
    best
        the parameters and buffers of the best epoch, where the training stops early; else empty
    """

    history: list[dict[str, int | float]] = field(default_factory=list)
    paces: list[Pace] = field(default_factory=list)
    penalty: State = field(default_factory=dict)
    best: dict[str, torch.Tensor] = field(default_factory=dict)


def save_progress(
    path: Path,
    spec: Mapping[str, Any],
    progress: Progress,
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    precision: Mapping[str, int | float],
) -> None:
    """Write the network and all that the next epoch needs.

    spec
        the `specification`
    optimiser, precision
        their states are written; that of the precision is of a gradient scaler, and empty without one
    """
    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{name}": value for name, value in state.items() if value is not None}
    tensors |= {f"penalty/{name}": value for name, value in progress.penalty.items()}
    tensors |= {f"best/{name}": value for name, value in progress.best.items()}
    record = {
        "specification": spec,
        "history": [list(row.items()) for row in progress.history],  # JSON with sorted keys would lose the order of columns
        "paces": progress.paces,
        "precision": dict(precision),
        "penalty_devices": {name: str(value.device) for name, value in progress.penalty.items()},
    }
    write_tensors(tensors, record, path)


def load_progress(
    path: Path, spec: Mapping[str, Any], network: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[Progress, dict[str, int | float]]:
    """Take up the checkpoint at ``path`` if it is whole and of this very training.

    Returns where that training stood and the state of its precision, else those of a start. A checkpoint of another specification is never used: a
    line on standard error names the first difference, and the next checkpoint of this training takes its place.
    """
    if not path.exists():
        return Progress(), {}
    try:
        tensors, record = read_tensors(path)
    except InputError as error:
        _log(f"checkpoint ignored, training starts anew: {error}")
        return Progress(), {}
    for key, expected, found in differences(json.loads(canonical_json(spec)), record.get("specification", {})):
        _log(f"checkpoint ignored, training starts anew: {path} is of another specification, {key} = {_short(found)} and not {_short(expected)}")
        return Progress(), {}
    network.load_state_dict(_under("network/", tensors))
    _load_optimiser(optimiser, _under("optimiser/", tensors))
    penalty = {name: value.to(record["penalty_devices"][name]) for name, value in _under("penalty/", tensors).items()}
    _log(f"resumed after epoch {len(record['history'])} from {path}")
    history = [dict(row) for row in record["history"]]
    return Progress(history, [Pace(*pace) for pace in record["paces"]], penalty, _under("best/", tensors)), record["precision"]


def _load_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        number, entry = name.split("/")
        parameter = parameters[int(number)]
        # In the memory layout of its parameter, as the optimiser made it.
        of_parameter = entry != "step" and value.shape == parameter.shape
        kept = torch.empty_like(parameter, dtype=value.dtype).copy_(value) if of_parameter else value
        states.setdefault(int(number), {})[entry] = kept
    optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
