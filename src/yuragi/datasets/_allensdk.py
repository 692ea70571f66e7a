"""Running the Allen SDK where it lives: in an environment of its own, whose interpreter writes NetCDF."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets.base import Dataset
from yuragi.errors import InputError
from yuragi.files import read_netcdf

np = lazy.load("numpy")
xr = lazy.load("xarray")

PYTHON_VARIABLE = "YURAGI_ALLENSDK_PYTHON"
CACHE_VARIABLE = "YURAGI_ALLENSDK_CACHE"


class AllenDataset(Dataset):
    """Base of the data sets of the Allen Brain Observatory: one part of one experiment, exported by the SDK when the data set is fetched."""

    experiment: int = Field(501498760, ge=1, description="number of the ophys experiment")

    licence: ClassVar = "terms of use of the Allen Institute"
    citation: ClassVar = "Allen Institute for Brain Science, Allen Brain Observatory: Visual Coding, two-photon calcium imaging"
    home: ClassVar = "https://observatory.brain-map.org/visualcoding"
    stimulus: ClassVar[str]
    """The SDK's name of the part."""

    def variant(self) -> str:
        return f"experiment-{self.experiment}"

    def download(self, folder: Path) -> None:
        export(folder / self._file, self.experiment, self.stimulus)

    @property
    def _file(self) -> str:
        return f"{self.stimulus}.nc"

    def _exported(self, paths: Mapping[str, Path], variable: str) -> tuple[xr.Dataset, dict[str, Any], dict[str, Any]]:
        """What the SDK handed over, the attributes of the array, and the labels of its units."""
        data = read_netcdf(paths[self._file], variable)
        attributes = {**data.attrs, **self.provenance(paths), "experiment": self.experiment}
        area = np.full(data.sizes["unit"], str(data.attrs.get("targeted_structure", "unknown")))
        return data, attributes, {"unit": data["cell"].values, "area": ("unit", area)}


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
