"""Whether one true exponent explains what several stages show, given what each of them would show for it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from yuragi.multiple_tests import holm

FINE = 201
"""Exponents between the lowest and the highest simulated one at which the curves are read."""


class Curve(NamedTuple):
    """What a stage would show as a function of the true exponent, under one kind of noise.

    alphas
        true exponents, in ascending order, the same in all curves
    mean, deviation
        of the estimates, interpolated between the simulated exponents
    simulations
        behind the mean at each simulated exponent
    freedom
        degrees of freedom of the deviation
    """

    alphas: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    simulations: int
    freedom: int


def curves(control: pd.DataFrame) -> dict[str, dict[str, Curve]]:
    """The curve of each stage and kind of noise from simulated estimates.

    The mean is interpolated linearly between the simulated exponents. So is the variance, after it was smoothed: simulated variances of neighbouring
    exponents are averaged with weights 1, 2, 1, because that of few simulations is uncertain.

    control
        columns `stage`, `noise`, `alpha_true`, `alpha_hat`, every combination simulated equally often
    """
    fine = np.linspace(control["alpha_true"].min(), control["alpha_true"].max(), FINE)
    found: dict[str, dict[str, Curve]] = {}
    for (stage, noise), rows in control.groupby(["stage", "noise"], sort=False):
        by_alpha = rows.groupby("alpha_true")["alpha_hat"]
        mean, count = by_alpha.mean(), int(by_alpha.size().min())
        at = mean.index.to_numpy()
        variance = _smoothed(by_alpha.var(ddof=1).to_numpy())
        deviation = np.sqrt(np.interp(fine, at, variance))
        found.setdefault(str(stage), {})[str(noise)] = Curve(fine, np.interp(fine, at, mean.to_numpy()), deviation, count, count - 1)
    return found


def pairs(stages: pd.DataFrame, found: Mapping[str, Mapping[str, Curve]], floors: Mapping[str, float], level: float) -> pd.DataFrame:
    """For every two stages, how well one exponent explains what both show; see `yuragi.spectra.hierarchy.compare_hierarchy`.

        p = max over α and kinds of noise of  P( χ²_2 >= z_1² + z_2² ),     z_i = Φ⁻¹( T_{n-1}( (α̂_i - m_i) / (s_i √(1 + 1/n)) ) )

    with the mean m_i(α) and the deviation s_i(α) of n simulations of stage i. At the true exponent the probability is uniform, so that its largest
    value over all
    exponents is too small no more often than it says. An exponent must explain both estimates: if it had to explain the difference alone, exponents
    far from both would do, under which noise prevails and any difference may come about.

    stages
        columns `stage`, `alpha`, `alpha_low`, `alpha_high`
    found
        curves by stage and kind of noise
    floors
        least standard deviation of each stage's estimate
    level
        1 - the rate at which a difference survives by chance
    """
    rows = []
    for first, second in itertools.combinations(stages.itertuples(), 2):
        difference = first.alpha - second.alpha
        half = math.hypot(first.alpha_high - first.alpha_low, second.alpha_high - second.alpha_low) / 2
        p, common, explained = -1.0, math.nan, math.nan
        for one, other in itertools.product(found[first.stage].values(), found[second.stage].values()):
            distance = _score(first.alpha, one, floors[first.stage]) ** 2 + _score(second.alpha, other, floors[second.stage]) ** 2
            best = int(np.argmin(distance))
            if (likely := float(stats.chi2.sf(distance[best], 2))) > p:
                p, common, explained = likely, float(one.alphas[best]), float(one.mean[best] - other.mean[best])
        rows.append((first.stage, second.stage, difference, difference - half, difference + half, common, explained, p))
    columns = ["first", "second", "difference", "difference_low", "difference_high", "common_alpha", "explained", "p"]
    table = pd.DataFrame(rows, columns=columns)
    table["p_holm"] = holm(table["p"].to_numpy(dtype=np.float64))  # also of no pair, whose column has no type
    table["survives"] = table["p_holm"] < 1 - level
    table["sentence"] = [_sentence(row) for row in table.itertuples()]
    return table


def expected(alphas: Mapping[str, float], found: Mapping[str, Mapping[str, Curve]], floors: Mapping[str, float], level: float) -> pd.DataFrame:
    """The one exponent that suits all stages best, and what it would show in each.

    Best is the smallest sum over stages of z² (see `pairs`), each stage with the kind of noise that suits it better.

    Returns one row a stage: `stage`, `common_alpha`, `expected`, `expected_low`, `expected_high`; the range spans all kinds of noise.
    """
    scores = sum(np.min([_score(alpha, curve, floors[stage]) ** 2 for curve in found[stage].values()], axis=0) for stage, alpha in alphas.items())
    best = int(np.argmin(scores))
    rows = []
    for stage, alpha in alphas.items():
        low, high, means = math.inf, -math.inf, []
        for curve in found[stage].values():
            half = stats.t.ppf((1 + level) / 2, curve.freedom) * curve.deviation[best] * math.sqrt(1 + 1 / curve.simulations)
            half = max(half, stats.norm.ppf((1 + level) / 2) * floors[stage])
            low, high = min(low, curve.mean[best] - half), max(high, curve.mean[best] + half)
            means.append(float(curve.mean[best]))
        nearest = min(means, key=lambda mean: abs(mean - alpha))
        rows.append((stage, float(curve.alphas[best]), nearest, float(low), float(high)))
    return pd.DataFrame(rows, columns=["stage", "common_alpha", "expected", "expected_low", "expected_high"])


def _score(alpha: float, curve: Curve, floor: float) -> np.ndarray:
    """How far an estimate lies from what is expected at each true exponent, as a normal score."""
    spread = np.maximum(np.maximum(curve.deviation, floor) * math.sqrt(1 + 1 / curve.simulations), 1e-12)
    # Where the interval over stimuli decides, the spread owes nothing to the number of simulations.
    freedom = np.where(floor > curve.deviation, 1e6, curve.freedom)
    return stats.norm.isf(np.maximum(stats.t.sf(np.abs(alpha - curve.mean) / spread, freedom), 1e-300))


def _smoothed(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, 1, mode="edge")
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4


def _sentence(row: object) -> str:
    low, high = row.difference_low, row.difference_high
    interval = f" ({low:+.2f} to {high:+.2f})" if math.isfinite(low) else ""
    verdict = (
        f"survives: no single exponent explains it (p {_p(row.p_holm)}, corrected)"
        if row.survives
        else f"does not survive: one true exponent of {row.common_alpha:.2f} explains it (p {_p(row.p_holm)}, corrected)"
    )
    return f"{row.first} - {row.second}: the difference of {row.difference:+.2f}{interval} {verdict}."


def _p(value: float) -> str:
    return f"= {value:.2g}" if value >= 0.001 else "< 0.001"
