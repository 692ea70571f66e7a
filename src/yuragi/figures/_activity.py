"""How figures read the spectra of hidden activity, and the exponents fitted to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from yuragi.errors import InputError
from yuragi.figures.learned_spectra import ASKED
from yuragi.files import read_netcdf
from yuragi.spectra.power_law import fit_power_law
from yuragi.targets import BrainTarget


class NetworkSpectrum(NamedTuple):
    """One network's spectrum at a layer, over rank, and its exponent, NaN where none can be fitted."""

    arm: str
    seed: int
    spectrum: xr.DataArray
    noise_at_readout: float
    alpha: float
    r_squared: float


class Layer(NamedTuple):
    """A layer in all networks of an experiment. ``asked`` is empty where no penalty acts, None where the file does not tell."""

    experiment: str
    name: str
    units: str
    images: int
    first: int
    last: int
    asked: str | None
    networks: list[NetworkSpectrum]


def read_activity(path: Path, first_rank: int = 11, variance_share: float = 0.99) -> Iterator[Layer]:
    """The layers of one experiment, all networks of a layer fitted over the same ranks.

    first_rank, variance_share
        where the fit begins and ends when the file does not tell: at that rank, and where the first network reaches that share of its variance.
        Directions that hold no more than rounding and the images' own limits would decide the exponent if they were fitted too
    """
    data = read_netcdf(path, "spectrum")
    for layer in data["layer"].values:
        of_layer = data.sel(layer=layer)
        about = {name: of_layer[name].item() for name in ("first_rank", "last_rank", "units", "asked") if name in of_layer.coords}
        measured = of_layer["spectrum"].drop_vars(about)
        spectra = [measured.isel(network=place).dropna("rank") for place in range(measured.sizes["network"])]
        noise = of_layer["noise_at_readout"].values if "noise_at_readout" in of_layer else np.full(len(spectra), np.nan)
        first, last = _range([spectrum.values for spectrum in spectra], about, first_rank, variance_share)
        networks = [
            NetworkSpectrum(str(spectrum["arm"].item()), int(spectrum["seed"].item()), spectrum, float(part), *_fit(spectrum, first, last))
            for spectrum, part in zip(spectra, noise, strict=True)
        ]
        asked = str(about["asked"]) if "asked" in about else None
        yield Layer(path.stem, str(layer), str(about.get("units", "")), int(data.attrs["held_out_images"]), first, last, asked, networks)


def target_stages(paths: Sequence[Path] | None) -> dict[str, float]:
    """The exponent of every stage of the brain target, where there is one."""
    return {name: stage.alpha for name, stage in BrainTarget.read(paths[0]).stages.items()} if paths else {}


def asked_exponents(asked: str | None, stages: Mapping[str, float]) -> dict[str, float]:
    """The exponents that penalties ask of a layer, stages of the target or numbers with commas between; all stages where nothing tells."""
    if asked is None:
        return dict(stages)
    named = [name for name in asked.split(", ") if name]
    numbers = [name for name in named if name not in stages]
    called = {name: f"{ASKED} {name}" if len(numbers) > 1 else ASKED for name in numbers}
    return {called.get(name, name): stages[name] if name in stages else float(name) for name in named}


def _range(spectra: list[np.ndarray], about: Mapping[str, object], first_rank: int, variance_share: float) -> tuple[int, int]:
    length = min(len(spectrum) for spectrum in spectra)
    first = min(int(str(about.get("first_rank", first_rank))), max(length // 2, 1))
    if "last_rank" in about:
        told = int(str(about["last_rank"]))
        return first, min(max(first + 2, told), length) if told else length
    reached = [np.searchsorted(np.cumsum(spectrum), variance_share * spectrum.sum()) + 1 for spectrum in spectra if spectrum.sum() > 0]
    return first, min(max(first + 2, int(min(reached, default=first))), length)


def _fit(spectrum: xr.DataArray, first: int, last: int) -> tuple[float, float]:
    try:
        fit = fit_power_law(spectrum, (first, last), negative="drop")
    except InputError:
        # A layer that is silent, or narrower than a fit needs, has no exponent, but it is still shown.
        return np.nan, np.nan
    return fit.alpha, fit.r_squared
