"""Exponents along a hierarchy, and the control that a difference must survive: other sizes and other noise, but one true exponent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from yuragi.datasets.simulation import NoiseShape, power_law_responses
from yuragi.errors import InputError
from yuragi.progress import track
from yuragi.randomness import derive_seed
from yuragi.spectra import common_exponent
from yuragi.spectra.estimators import Estimate, Estimator, estimate
from yuragi.spectra.repeats import response_array
from yuragi.spectra.variance import variance_ratio

Ranks = tuple[int, int]
Responses = xr.DataArray | np.ndarray

MARGIN, STEPS = 0.2, 4
"""How far the grid of common exponents goes beyond the observed ones at first, and in how many steps it covers the range."""
LOWEST, HIGHEST = 0.05, 4.0
"""Exponents beyond these are never tried."""


class Hierarchy(NamedTuple):
    """What `compare_hierarchy` returns: a table of stages, a table of their pairs, and the simulations behind both."""

    stages: pd.DataFrame
    pairs: pd.DataFrame
    control: pd.DataFrame


@dataclasses.dataclass(frozen=True)
class Design:
    """Everything but the exponent that may make the exponents of two stages differ: what the control copies from a stage."""

    stimuli: int
    units: int
    repeats: int
    missing: np.ndarray | None
    """Where a repeat is missing; None: nowhere."""
    noise_to_signal: float
    population: int | None
    ranks: Ranks

    @classmethod
    def of(cls, responses: Responses, ranks: Ranks, population: int | None) -> Design:
        """The design of observed responses; with one repeat they count as free of noise."""
        array = response_array(responses)
        missing = np.isnan(array)
        repeats, stimuli, units = array.shape
        strength = variance_ratio(responses) if repeats > 1 else 0.0
        return cls(stimuli, units, repeats, missing if missing.any() else None, strength, population, ranks)

    def simulate(self, alpha: float, noise: NoiseShape, generator: np.random.Generator) -> np.ndarray:
        """Responses of the same size, noise and gaps, whose exponent is ``alpha``."""
        responses = power_law_responses(
            stimuli=self.stimuli,
            units=self.units,
            repeats=self.repeats,
            alpha=alpha,
            noise=noise,
            noise_to_signal=self.noise_to_signal,
            population=self.population,
            generator=generator,
        ).responses
        if self.missing is not None:
            responses[self.missing] = np.nan
        return responses


def compare_hierarchy(
    stages: Mapping[str, Responses],
    *,
    ranks: Ranks | Mapping[str, Ranks] = (11, 500),
    estimator: Estimator = "cvpca",
    noises: Sequence[NoiseShape] = ("signal", "white"),
    exponents: Sequence[float] | None = None,
    population: int | Mapping[str, int] | None = None,
    simulations: int = 20,
    shuffles: int = 3,
    bootstraps: int = 100,
    level: float = 0.95,
    generator: np.random.Generator,
) -> Hierarchy:
    """The exponent of every stage, and for every two of them whether one true exponent could have made them differ as much.

        p = max over α and kinds of noise of  P( both stages show estimates at least as unlikely as α̂_1, α̂_2  |  true exponent α in both )

    from simulated responses with the units, stimuli, repeats, missing repeats, ranks and ratio of trial-to-trial to stimulus-driven variance of each
    stage (`yuragi.spectra.common_exponent` has the arithmetic). A difference survives where no single exponent and no assumed kind of noise
    explains it: where p, corrected over pairs (Holm), is below 1 - level.

    stages
        the responses of each stage, `(repeat, stimulus, unit)`, in the order of the hierarchy: areas of a brain, or layers of a network. One repeat
        counts as free of noise
    ranks
        first and last rank of the fit, 1-based, both included: for all stages, or for each by its name
    estimator
        see `yuragi.spectra.estimators.estimate`; the observed and the simulated responses go through the same, with the same settings
    noises
        kinds of trial-to-trial noise that are assumed in turn, for each stage; the least favourable to a difference counts
    exponents
        the common exponents tried, at least two; None: a grid around the observed estimates, widened until the simulated estimates of every stage and
        kind of noise enclose the observed one, or come no nearer
    population
        units that the recorded ones are a random sample of: for all stages, or for each by its name; None: all are recorded. A few units out of many
        have a flatter spectrum
    simulations
        simulated responses for each stage, kind of noise and exponent, at least three
    shuffles
        divisions of the repeats that cvPCA averages, in the observed and in the simulated responses
    bootstraps
        resamplings for each observed interval; 0: none. Where the interval over stimuli is wider than the simulations scatter, as with heavy tails
        or with stimuli in groups, its width counts in the test
    level
        coverage of the intervals, and 1 - level the rate at which a difference would survive by chance
    generator
        source of randomness

    Returns a `Hierarchy`. `stages`: `stage`, `estimator`, `alpha`, `alpha_low`, `alpha_high`, `first_rank`, `last_rank`, `negative_ranks`, `units`,
    `stimuli`,
    `repeats`, `missing_share`, `population`, `signal_to_noise_ratio` (of one trial, infinite for one repeat), `participation_ratio`, and what the
    one exponent that
    suits all stages best, `common_alpha`, would show there: `expected`, between `expected_low` and `expected_high`. `pairs`: `first`, `second`,
    `difference` with `difference_low` and `difference_high`, `explained` (the difference that the most likely `common_alpha` makes by itself),
    `p`, `p_holm`,
    `survives`, `sentence`. `control`: `stage`, `noise`, `alpha_true`, `simulation`, `alpha_hat`, `negative_ranks`.

    >>> generator = np.random.default_rng(0)
    >>> def simulated(alpha):
    ...     return power_law_responses(
    ...         stimuli=300, units=40, repeats=2, alpha=alpha, noise="white", noise_to_signal=0.5, generator=generator
    ...     ).responses
    >>> same, other = (
    ...     compare_hierarchy({"v1": simulated(1.0), "v2": simulated(alpha)}, ranks=(3, 30), simulations=6, bootstraps=0, generator=generator)
    ...     for alpha in (1.0, 2.0)
    ... )
    >>> same.pairs["survives"].tolist(), other.pairs["survives"].tolist()
    ([False], [True])
    """
    if len(stages) < 1:
        raise InputError("stages: there are none; give the responses of one stage or more")
    if simulations < 3:
        raise InputError(f"simulations: {simulations}, expected at least 3, since the control needs a spread; 20 is customary")
    if exponents is not None and len(set(exponents)) < 2:
        raise InputError(f"exponents: {list(exponents)}, expected two common exponents or more; give a range, or None")
    designs = {name: Design.of(data, _of(ranks, name, "ranks"), _of(population, name, "population")) for name, data in stages.items()}
    settings = {"estimator": estimator, "shuffles": shuffles}
    observed = {
        name: estimate(data, ranks=designs[name].ranks, bootstraps=bootstraps, level=level, generator=generator, **settings)
        for name, data in stages.items()
    }
    root = int(generator.integers(2**62))
    draws: list[pd.DataFrame] = []

    def simulate(alphas: Sequence[float]) -> None:
        cells = [
            (name, noise, float(alpha), number)
            for name, design in designs.items()
            for noise in (noises if design.noise_to_signal > 0 else ("none",))
            for alpha in alphas
            for number in range(simulations)
        ]
        rows = []
        for name, noise, alpha, number in track(cells, "one true exponent"):
            own = np.random.default_rng(derive_seed(root, name, noise, alpha, number))
            found = estimate(designs[name].simulate(alpha, noise, own), ranks=designs[name].ranks, quiet=True, generator=own, **settings)
            rows.append((name, noise, alpha, number, found.alpha, found.fit.negative_ranks))
        draws.append(pd.DataFrame(rows, columns=["stage", "noise", "alpha_true", "simulation", "alpha_hat", "negative_ranks"]))

    alphas = {name: found.alpha for name, found in observed.items()}
    simulate(sorted(set(exponents)) if exponents is not None else _around(list(alphas.values())))
    while exponents is None and (missing := _still_missing(pd.concat(draws), alphas)):
        simulate(missing)
    control = pd.concat(draws, ignore_index=True).sort_values(["stage", "noise", "alpha_true", "simulation"], ignore_index=True)
    curves = common_exponent.curves(control)
    floors = {name: _deviation(found, level) for name, found in observed.items()}
    rows = [_stage_row(name, observed[name], designs[name]) for name in stages]
    expected = common_exponent.expected(alphas, curves, floors, level)
    pairs = common_exponent.pairs(pd.DataFrame(rows), curves, floors, level)
    return Hierarchy(pd.DataFrame(rows).merge(expected, on="stage"), pairs, control)


def _of(value: Mapping | tuple | int | None, name: str, argument: str) -> tuple | int | None:
    """What holds for one stage."""
    if not isinstance(value, Mapping):
        return value
    if name not in value:
        raise InputError(f"{argument}: nothing for the stage '{name}', there are {', '.join(map(str, value)) or 'none'}; add it")
    return value[name]


def _around(alphas: Sequence[float]) -> list[float]:
    low, high = max(min(alphas) - MARGIN, LOWEST), min(max(alphas) + MARGIN, HIGHEST)
    return np.linspace(low, max(high, low + MARGIN), STEPS + 1).round(4).tolist()


def _still_missing(control: pd.DataFrame, alphas: Mapping[str, float]) -> list[float]:
    """Further exponents, where the simulated estimates of some stage have not reached the observed one yet and still come nearer."""
    means = control.groupby(["stage", "noise", "alpha_true"])["alpha_hat"].mean().unstack("alpha_true")
    tried, values = means.columns.to_numpy(), means.to_numpy()
    observed = means.index.get_level_values("stage").map(alphas).to_numpy()
    step = max(float(tried[-1] - tried[-2]), MARGIN)
    further = []
    if ((values.max(axis=1) < observed) & (values[:, -1] > values[:, -2])).any() and tried[-1] < HIGHEST:
        further.append(min(round(float(tried[-1]) + step, 4), HIGHEST))
    if ((values.min(axis=1) > observed) & (values[:, 0] < values[:, 1])).any() and tried[0] > LOWEST:
        further.append(max(round(float(tried[0]) - step, 4), LOWEST))
    return further


def _deviation(found: Estimate, level: float) -> float:
    """The standard deviation that the interval over stimuli tells; 0 without one."""
    if found.alpha_interval is None:
        return 0.0
    low, high = found.alpha_interval
    return (high - low) / 2 / NormalDist().inv_cdf((1 + level) / 2)


def _stage_row(name: str, found: Estimate, design: Design) -> dict[str, str | float]:
    low, high = found.alpha_interval or (np.nan, np.nan)
    return {
        "stage": name,
        "estimator": found.estimator,
        "alpha": found.alpha,
        "alpha_low": low,
        "alpha_high": high,
        "first_rank": design.ranks[0],
        "last_rank": design.ranks[1],
        "negative_ranks": found.fit.negative_ranks,
        "units": design.units,
        "stimuli": design.stimuli,
        "repeats": design.repeats,
        "missing_share": 0.0 if design.missing is None else float(design.missing.mean()),
        "population": np.nan if design.population is None else float(design.population),
        "signal_to_noise_ratio": 1 / design.noise_to_signal if design.noise_to_signal else np.inf,
        "participation_ratio": found.participation_ratio,
    }
