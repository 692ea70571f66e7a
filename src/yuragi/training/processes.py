"""One device or several, in single or mixed precision, through Lightning Fabric."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from yuragi.errors import InputError
from yuragi.training.settings import TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class DivergedError(InputError):
    """A training that became infinite or undefined."""


def fabric_for(device: torch.device, devices: int, settings: TrainingSettings) -> Fabric:
    """What runs steps of a training on one device, or on several of this machine with a process each.

    Lightning Fabric rather than accelerate: its processes start from a function call, where accelerate's usual launcher is a command with a
    configuration file of its own; and it is called in single places of a loop that stays ours (autocast, backward, step, all_reduce).

    device, devices
        the kind, as `resolve_device` gave it, and how many of it
    settings
        their ``precision``
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import MixedPrecision
    from lightning_fabric.plugins.environments import LightningEnvironment

    # Given by name: Fabric would otherwise look for Slurm and others in the environment, and wait for processes that nobody started.
    plugins: list[Any] = [LightningEnvironment()]
    if settings.precision != "32":
        plugins.append(MixedPrecision(settings.precision, device.type))
    if devices > 1:
        # Spawned, for a forked process cannot use a GPU that its parent has touched.
        return Fabric(accelerator=device.type, devices=devices, strategy="ddp_spawn", plugins=plugins)
    if device.type == "cuda":
        return Fabric(accelerator="cuda", devices=[torch.cuda.current_device() if device.index is None else device.index], plugins=plugins)
    return Fabric(accelerator=device.type, devices=1, plugins=plugins)


def launched(fabric: Fabric, function: Callable[..., Any], *arguments: Any) -> Any:
    """``function(fabric, *arguments)`` here for one device, else in a process for each; what the first of them returns.

    function, arguments
        for several devices both travel by pickle: a function of a module, and a script that calls this needs ``if __name__ == "__main__"``. What the
        function returns must be plain values then, and tensors among the arguments are shared by the processes and the caller

    An `InputError` of any process is raised here.
    """
    if fabric.world_size == 1:
        return function(fabric, *arguments)
    with _environment_given_back(), tempfile.TemporaryDirectory() as folder:
        call = _Call(function, arguments, Path(folder) / "returned.json")
        try:
            fabric.launch(call)
        except torch.multiprocessing.ProcessRaisedException as error:
            raise _told(str(error)) or error from error
        return json.loads(call.path.read_text())


@dataclass
class _Call:
    """Function and arguments as one callable, for Fabric would take arguments apart and build them anew, which frozen ones forbid.

    What is returned goes through a file: Fabric's own way is a pipe that nobody reads before the processes have ended, and it holds 64 KiB.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    path: Path

    def __call__(self, fabric: Fabric) -> None:
        returned = self.function(fabric, *self.arguments)
        if fabric.is_global_zero:
            self.path.write_text(json.dumps(returned))


def _told(traceback: str) -> InputError | None:
    """The `InputError` in the text of another process's traceback, whose last line it is; None for another error."""
    name, _, message = traceback.strip().splitlines()[-1].partition(": ")
    kinds = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in (InputError, DivergedError)}
    return kinds[name](message) if name in kinds else None


@contextlib.contextmanager
def _environment_given_back() -> Iterator[None]:
    """Fabric leaves the port of its processes in the environment, where the next launch would find it still taken."""
    names = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
