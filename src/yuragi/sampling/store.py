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
AGAIN = "learn it again with `yuragi sampling_learn`"


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


def read_posterior(
    path: str | os.PathLike[str], *, pixels: int | None = None, classes: int | None = None, fewest: int = 1, wanted_by: str = ""
) -> Posterior:
    """Read what `write_posterior` wrote.

    pixels, classes
        of the images beside which it is used: units of layer 0, and bits of layer L; None: any
    fewest, wanted_by
        samples that are needed, and what needs them, for the message

    Errors: `InputError` for other files, damaged values, a network of other images, and too few samples; each names the file.
    """
    posterior = posterior_of(read_netcdf(path, "counts0"), path)
    settings = posterior.settings
    if pixels is not None and settings.layers[0] != pixels:
        raise InputError(f"{path}: layer 0 has {settings.layers[0]} units, but the images have {pixels} pixels; give a network that learned them")
    # One output unit is the bit of two classes.
    if classes is not None and classes not in (settings.outputs, max(2, settings.outputs)):
        raise InputError(f"{path}: layer L tells {settings.outputs} classes, but the images have {classes}; give a network that learned them")
    if len(posterior) < fewest:
        raise InputError(f"{path}: {len(posterior)} samples, but {wanted_by} needs {fewest}; keep more samples in learning, or ask for fewer")
    return posterior


def posterior_of(found: xr.Dataset, path: str | os.PathLike[str]) -> Posterior:
    """The samples in what `posterior_dataset` made; ``path`` names its file for messages."""
    settings = validate(SamplingSettings, _json(found, "settings", path), str(path))
    learning = validate(Learning, _json(found, "learning", path), str(path))
    sets = range(len(settings.layers) - 1)
    for name in ("sweep", *(f"{name}{below}" for name in ("counts", "steps", "offsets") for below in sets)):
        if name not in found.variables:
            raise InputError(f"{path}: holds no variable '{name}'; give a file that write_posterior wrote")
    samples = found["sweep"].size
    if not samples:
        raise InputError(f"{path}: holds no sample; {AGAIN}")

    def read(name: str, *shape: int) -> np.ndarray:
        values = found[name].values
        if values.shape != shape:
            raise InputError(
                f"{path}: {name} has the shape {values.shape}, but {samples} samples of the layers {settings.layers} need {shape}; {AGAIN}"
            )
        if values.dtype.kind not in "iuf":
            raise InputError(f"{path}: {name} holds {values.dtype}, no numbers; {AGAIN}")
        return values

    counts, steps, offsets = [], [], []
    for below, (post, source) in enumerate(zip(settings.layers[1:], settings.sources, strict=True)):
        counts.append(read(f"counts{below}", samples, post, source))
        _refuse(counts[below], ~_whole(counts[below], settings.synapses), f"counts{below}", f"a whole number 0 … {settings.synapses}", path)
        steps.append(read(f"steps{below}", post, source))
        _refuse(steps[below], _wrong_steps(settings, steps[below]), f"steps{below}", f"a step of ±{settings.grain} as its settings say", path)
        offsets.append(read(f"offsets{below}", source))
        _refuse(offsets[below], offsets[below] != settings.offsets(below), f"offsets{below}", "the offset that its settings say", path)
    sweeps = read("sweep", samples)
    wrong = ~_whole(sweeps, 2**53)
    wrong[1:] |= ~(sweeps[1:] > sweeps[:-1])
    _refuse(sweeps, wrong, "sweep", "a whole number above the one before", path)
    names = [str(name) for name in found.data_vars if str(name).startswith(TRACE)]
    traces = {name.removeprefix(TRACE): read(name, samples) for name in names}
    samples_of = tuple(values.astype(np.uint8) for values in counts)
    signs = (tuple(values.astype(kind) for values in part) for part, kind in ((steps, np.int16), (offsets, np.int32)))
    synapses = Synapses(settings, *signs, tuple(part[-1] for part in samples_of))
    return Posterior(synapses, samples_of, sweeps.astype(np.int64), traces, learning)


def _whole(values: np.ndarray, most: int) -> np.ndarray:
    """Which values are whole numbers from 0 to ``most``; NaN is none."""
    inside = (values >= 0) & (values <= most)
    return inside & (values == np.floor(values)) if values.dtype.kind == "f" else inside


def _wrong_steps(settings: SamplingSettings, steps: np.ndarray) -> np.ndarray:
    """Which steps no network of these settings has (post, source)."""
    wrong = np.abs(steps) != settings.grain
    # Only the bias is free where signs are fixed.
    fixed = 0 if settings.signs == "free" else steps.shape[1] - settings.bias
    wrong[:, fixed:] |= steps[:, fixed:] != settings.grain
    if settings.signs == "presynaptic":
        wrong[:, :fixed] |= steps[:, :fixed] != steps[:1, :fixed]
    return wrong


def _refuse(values: np.ndarray, wrong: np.ndarray, name: str, wanted: str, path: str | os.PathLike[str]) -> None:
    """An `InputError` where a value is wrong; compiled code reads these numbers without looking at their bounds."""
    if wrong.any():
        raise InputError(f"{path}: {name} holds {values[wrong][0]}, not {wanted}; {AGAIN}")


def _json(found: xr.Dataset, name: str, path: str | os.PathLike[str]) -> dict[str, object]:
    """An attribute that holds an object as JSON."""
    try:
        values = json.loads(found.attrs[name])
    except (KeyError, TypeError, ValueError):
        values = None
    if not isinstance(values, dict):
        raise InputError(f"{path}: no {name} of a sampling network in it; give a file that write_posterior wrote")
    return values
