"""Running the Allen SDK where it lives: in an environment of its own, whose interpreter writes NetCDF."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from yuragi.errors import InputError

PYTHON_VARIABLE = "YURAGI_ALLENSDK_PYTHON"
CACHE_VARIABLE = "YURAGI_ALLENSDK_CACHE"


def interpreter() -> Path:
    """The interpreter that has the SDK.

    Raises `InputError` where there is none, with the way to make it.
    """
    named = os.environ.get(PYTHON_VARIABLE)
    path = Path(named or ".venv-allensdk/bin/python")
    if not path.exists():
        raise InputError(
            f"{path}: no interpreter with allensdk; make one with 'make allensdk' (envs/allensdk.txt), or name another in {PYTHON_VARIABLE}"
        )
    return path


def export(output: Path, experiment: int, stimulus: str) -> None:
    """Write one recording as NetCDF.

    The SDK downloads what it needs into the folder that the environment variable ``YURAGI_ALLENSDK_CACHE`` names, which keeps it for the next time,
    else into a temporary one beside the output.

    Raises `InputError` with what the SDK says.
    """
    from yuragi.datasets import _allensdk_export  # its numpy is not needed to check a configuration

    kept = os.environ.get(CACHE_VARIABLE)
    cache = Path(kept) if kept else output.parent / ".allensdk"
    cache.mkdir(parents=True, exist_ok=True)
    options = ["--experiment", str(experiment), "--stimulus", stimulus, "--cache", str(cache)]
    # The other environment must not see packages of this one.
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        script = str(_allensdk_export.__file__)
        done = subprocess.run([str(interpreter()), script, str(output), *options], stderr=subprocess.PIPE, text=True, env=variables)
        if done.returncode or not output.exists():
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            remedy = f"check the network and the experiment's number, or set {CACHE_VARIABLE} to a folder that the SDK has filled"
            raise InputError(f"allensdk: {lines[-1] if lines else f'ended with status {done.returncode}'}; {remedy}")
    finally:
        if not kept:
            shutil.rmtree(cache, ignore_errors=True)
