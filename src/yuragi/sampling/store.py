"""Samples of a network's synapses as a file, so that what was learned can be looked at, attacked and taken up again."""

from __future__ import annotations

import json
import os

import numpy as np
import xarray as xr

from yuragi.errors import InputError
from yuragi.files import canonical_json, read_netcdf, write_netcdf
from yuragi.sampling.learning import Learning, Posterior
from yuragi.sampling.model import SamplingSettings, Synapses
from yuragi.settings import validate

TRACE = "trace_"


def write_posterior(posterior: Posterior, path: str | os.PathLike[str]) -> None:
    """Write all samples, their signs, traces and settings as NetCDF.

    ``counts<l>`` (sample, unit of l + 1, source) and ``steps<l>`` for each set of connections from layer l, ``trace_<name>`` (sample), the coordinate
    ``sweep``, and as attributes the settings of the network and of the learning as JSON.

    >>> import tempfile
    >>> from yuragi.sampling import Sampler
    >>> posterior = Sampler(SamplingSettings(layers=(2, 3, 1)), np.random.default_rng(0)).learn(np.eye(2), np.eye(2)[:, :1], sweeps=4, quiet=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_posterior(posterior, f"{folder}/posterior.nc")
    ...     again = read_posterior(f"{folder}/posterior.nc")
    >>> bool((again.counts[0] == posterior.counts[0]).all()), again.settings == posterior.settings
    (True, True)
    """
    write_netcdf(posterior_dataset(posterior), path)


def posterior_dataset(posterior: Posterior) -> xr.Dataset:
    """The samples as labelled arrays, as `write_posterior` describes them."""
    found = xr.Dataset(coords={"sweep": ("sample", posterior.sweeps)})
    for below, counts in enumerate(posterior.counts):
        found[f"counts{below}"] = (("sample", f"unit{below + 1}", f"source{below}"), counts)
        found[f"steps{below}"] = ((f"unit{below + 1}", f"source{below}"), posterior.synapses.steps[below])
        found[f"offsets{below}"] = ((f"source{below}",), posterior.synapses.offsets[below])
    for name, values in posterior.traces.items():
        found[f"{TRACE}{name}"] = ("sample", values)
    found.attrs = {"settings": canonical_json(posterior.settings.canonical()), "learning": canonical_json(posterior.learning.canonical())}
    return found


def read_posterior(path: str | os.PathLike[str]) -> Posterior:
    """Read what `write_posterior` wrote. Errors: `InputError` for other files."""
    return posterior_of(read_netcdf(path, "counts0"), path)


def posterior_of(found: xr.Dataset, path: str | os.PathLike[str]) -> Posterior:
    """The samples in what `posterior_dataset` made; ``path`` names its file for messages."""
    settings = validate(SamplingSettings, _json(found, "settings", path), str(path))
    learning = validate(Learning, _json(found, "learning", path), str(path))
    sets = range(len(settings.layers) - 1)
    for name in ("sweep", *(f"{name}{below}" for name in ("counts", "steps", "offsets") for below in sets)):
        if name not in found.variables:
            raise InputError(f"{path}: holds no variable '{name}'; give a file that write_posterior wrote")
    shapes = [found[f"counts{below}"].shape[1:] for below in sets]
    if shapes != list(zip(settings.layers[1:], settings.sources, strict=True)):
        raise InputError(f"{path}: counts of shapes {shapes} do not fit the layers {settings.layers}; give a file that write_posterior wrote")
    counts = tuple(found[f"counts{below}"].values.astype(np.uint8) for below in sets)
    steps = tuple(found[f"steps{below}"].values.astype(np.int16) for below in sets)
    offsets = tuple(found[f"offsets{below}"].values.astype(np.int32) for below in sets)
    synapses = Synapses(settings, steps, offsets, tuple(part[-1] for part in counts))
    traces = {str(name).removeprefix(TRACE): found[name].values for name in found.data_vars if str(name).startswith(TRACE)}
    return Posterior(synapses, counts, found["sweep"].values, traces, learning)


def _json(found: xr.Dataset, name: str, path: str | os.PathLike[str]) -> dict[str, object]:
    """An attribute that holds an object as JSON."""
    try:
        values = json.loads(found.attrs[name])
    except (KeyError, TypeError, ValueError):
        values = None
    if not isinstance(values, dict):
        raise InputError(f"{path}: no {name} of a sampling network in it; give a file that write_posterior wrote")
    return values
