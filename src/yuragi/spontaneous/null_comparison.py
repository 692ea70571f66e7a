"""Which statistics of a recording lie outside what a null model produces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
import scipy.stats
import xarray as xr
from jaxtyping import Float

from yuragi.errors import InputError
from yuragi.multiple_tests import holm
from yuragi.progress import track
from yuragi.randomness import derive_seed
from yuragi.spontaneous.nulls.base import NullModel, PreparedNull

KEPT = 0.5
"""Share of a statistic's variance that a fit follows, above which the null model keeps the statistic: what is left is too little to be known."""

Describe = Callable[[xr.DataArray, np.random.Generator], Mapping[str, float]]
"""A recording's statistics by name; see `yuragi.spontaneous.descriptors.Descriptors`."""


def compare_with_nulls(
    recording: xr.DataArray,
    nulls: Mapping[str, NullModel],
    describe: Describe,
    *,
    surrogates: int = 99,
    level: float = 0.05,
    generator: np.random.Generator,
) -> pd.DataFrame:
    """A recording's statistics against those of surrogates, with what fitting the null model does to them taken into account.

        expected = 2 mean(T*) - mean(T**),    a = cov(T*, T**) / var(T*),    f² = v + (5 - 3 a) / m,    z = (T - expected) / (f sd(T*)),
        p = min(1, 2 min(P(f (T* - mean T*) ≤ T - expected), P(f (T* - mean T*) ≥ T - expected)))

    with T of the recording, T* of surrogates of it, and T** of one surrogate of each of these. Surrogates of a fitted null model mislead twice. Their
    statistics may lie off even where the model is true (a fit to few frames, say, has more spread-out eigenvalues than the process); what fitting
    does to the recording's model it does once more to the surrogate's, so mean(T**) - mean(T*) is that bias and is taken out. And surrogates
    spread around the fit, which has followed the recording: a statistic that the fit can follow deviates less than surrogates do. How much of it
    the fit follows, T** tells, which does so with T*: the share a (1 where all is followed, 0 where nothing is, between them in part). What is
    left is v = 1 - a, or var(T** - T*) / var(T*) - 1 where that is larger, at most 1: a fit that does not use all it could adds an error of its
    own. The last part of f² is the variance of what is expected, which m surrogates tell only so well. A statistic with a above 1/2 is *kept* by
    the null model: what is left to deviate is too little to be known, f is 1, and the test of it is conservative. Tails count the recording itself:
    P = (1 + how many) / (1 + m). Near the border of stationarity some surrogates cannot be fitted and have no T**: then cov, var and mean(T**) are
    over the others, and a (mean(T*) of the others - mean(T*)) is added to what is expected, so that leaving them out does not shift it.

    recording
        activity (time, unit)
    nulls
        name → null model
    describe
        gives a recording's statistics by name
    surrogates
        m for each null model; the smallest p is 2 / (m + 1), the smallest corrected one 1 / (m + 1)
    level
        α of `outside`
    generator
        draws the surrogates, and whatever ``describe`` draws; a null model's surrogates depend on its name, not on the other null models

    Returns a row a null model and statistic: `null`, `statistic`, `measured`, `expected`, `low`, `high` (the central 95 % of f (T* - mean T*), around
    what is expected), `z`, `absorbed` (a), `kept`, `p`, `p_family` (corrected for all statistics of this null model: how often the
    largest |z| of a surrogate is as large; step-down, so dependences between statistics count), `outside` (p_family ≤ level).

    Source: the correction for bias is the shift of the iterated bootstrap, Davison & Hinkley 1997, Bootstrap Methods and their Application, §3.9;
    p with the recording counted, Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39; largest |z|, Westfall & Young 1993, Resampling-Based
    Multiple Testing.

    >>> from yuragi.spontaneous.nulls.static import Static
    >>> generator = np.random.default_rng(0)
    >>> walk = xr.DataArray(generator.standard_normal((400, 2)).cumsum(axis=0), dims=("time", "unit"))
    >>> memory = lambda found, _: {"memory": float(np.corrcoef(found[1:, 0], found[:-1, 0])[0, 1])}
    >>> table = compare_with_nulls(walk, {"static": Static()}, memory, surrogates=39, generator=generator)
    >>> table["statistic"].tolist(), bool(table["outside"][0])
    (['memory'], True)
    """
    if surrogates < 19:
        raise InputError(f"surrogates = {surrogates}: 19 at least are needed for a two-sided test at 0.1; 199 are customary")
    measured = _finite(describe(recording, generator))
    root = int(generator.integers(2**63))
    tables = []
    for name, null in nulls.items():
        own = np.random.default_rng(derive_seed(root, name))
        try:
            first, second = _surrogates(recording, null, measured, describe, track(range(surrogates), f"surrogates, {name}"), own)
        except InputError as error:
            raise InputError(f"null model '{name}': {error}") from error
        tables.append(_table(name, measured, first, second, level))
    return pd.concat(tables, ignore_index=True)


def _surrogates(
    recording: xr.DataArray, null: NullModel, names: Iterable[str], describe: Describe, numbers: Iterable[int], generator: np.random.Generator
) -> tuple[Float[np.ndarray, "surrogate statistic"], Float[np.ndarray, "surrogate statistic"]]:
    """The statistics of surrogates, and of one surrogate of each of these; NaN where that, near the border of stationarity, cannot be fitted."""
    prepared = null.prepare(recording)
    first, second = [], []
    for _ in numbers:
        surrogate = prepared.draw(generator)
        found = _finite(describe(surrogate, generator))
        first.append([found[name] for name in names])
        try:
            again = null.prepare(surrogate)
        except InputError:
            second.append([np.nan] * len(first[-1]))
        else:
            found = _finite(describe(again.draw(generator), generator))
            second.append([found[name] for name in names])
    lost = int(np.isnan(second).any(axis=1).sum())
    if lost > len(first) / 2:
        raise InputError(
            f"{lost} of {len(first)} surrogates cannot be fitted in their turn, it is at the edge of being stationary; "
            "remove slow drifts from the recording, or leave this null model out"
        )
    return np.array(first), np.array(second)


def _finite(found: Mapping[str, float]) -> Mapping[str, float]:
    """The statistics themselves; one that is no number would be larger than nothing and smaller than nothing, and so pass for a finding."""
    for name, value in found.items():
        if not np.isfinite(value):
            raise InputError(f"statistic '{name}' is {value}; describe a recording by finite numbers, or leave this one out")
    return found


def _table(
    null: str,
    measured: Mapping[str, float],
    first: Float[np.ndarray, "surrogate statistic"],
    second: Float[np.ndarray, "surrogate statistic"],
    level: float,
) -> pd.DataFrame:
    values = np.array(list(measured.values()))
    centre, spread = first.mean(axis=0), first.std(axis=0, ddof=1)
    # A statistic that surrogates cannot change differs by rounding only; where it differs by more it deviates beyond any surrogate.
    rounding = 1e-9 * np.maximum(np.abs(centre), np.abs(values)) + 1e-300
    still = spread <= rounding
    exact = still & (np.abs(values - centre) <= 1e3 * rounding)
    spread = np.maximum(spread, rounding)
    fitted = np.isfinite(second).all(axis=1)
    once, twice = first[fitted], second[fitted]
    shared = ((once - once.mean(axis=0)) * (twice - twice.mean(axis=0))).sum(axis=0) / (len(once) - 1)
    followed = np.clip(shared / np.maximum(once.var(axis=0, ddof=1), rounding**2), 0.0, 1.0)
    absorbed = np.where(exact, 1.0, np.where(still, 0.0, followed))
    expected = 2 * centre - twice.mean(axis=0) + absorbed * (once.mean(axis=0) - centre)
    kept = absorbed > KEPT
    # A fit that wastes what it could know follows with an error of its own, and T** then lies further from T* than a says.
    apart = (twice - once).var(axis=0, ddof=1) / np.maximum(once.var(axis=0, ddof=1), rounding**2) - 1
    deviates = np.clip(np.maximum(1 - absorbed, apart), 0.0, 1.0)
    left = np.sqrt(deviates + (5 - 3 * absorbed) / len(first))
    factor = np.where(kept, 1.0, left)
    deviation, drawn = values - expected, factor * (first - centre)
    scale = np.where(exact, 1.0, factor * spread)
    # Among all statistics those that are kept stand back as far as they are thought to, or they would hide the others' deviations.
    z, z_drawn = np.where(exact, 0.0, deviation / scale), np.where(exact, 0.0, left * (first - centre) / scale)
    below = (1 + (drawn <= deviation).sum(axis=0)) / (1 + len(first))
    above = (1 + (drawn >= deviation).sum(axis=0)) / (1 + len(first))
    p = np.where(exact, 1.0, np.minimum(1.0, 2 * np.minimum(below, above)))
    corrected = largest_of_family(np.abs(z), np.abs(z_drawn))
    # For its own test a kept statistic must not stand back, or it would be outside for what its single test calls nothing.
    corrected = np.where(kept, np.maximum(corrected, p), corrected)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0) + expected
    return pd.DataFrame(
        {
            "null": null,
            "statistic": list(measured),
            "measured": values,
            "expected": expected,
            "low": low,
            "high": high,
            "z": z,
            "absorbed": absorbed,
            "kept": kept,
            "p": p,
            "p_family": corrected,
            "outside": corrected <= level,
        }
    )


def largest_of_family(measured: Float[np.ndarray, " statistic"], drawn: Float[np.ndarray, "surrogate statistic"]) -> Float[np.ndarray, " statistic"]:
    """p-values corrected for all statistics at once: the chance that the largest of those not yet rejected is as large in a surrogate.

    p̃_(k) = max_{i≤k} (1 + #{j: max_{l≥i} d_j(l) ≥ t_(i)}) / (m + 1),     t_(1) ≥ t_(2) ≥ … the measured ones, d_j those of surrogate j

    measured, drawn
        |z| of the recording and of m surrogates

    >>> largest_of_family(np.array([3.0, 0.5]), np.array([[1.0, 2.0], [0.1, 0.2], [0.3, 0.9]]))
    array([0.25, 0.75])
    """
    order = np.argsort(-measured, kind="stable")
    largest = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
    steps = (1 + (largest >= measured[order]).sum(axis=0)) / (1 + len(drawn))
    corrected = np.empty(len(measured))
    corrected[order] = np.maximum.accumulate(steps)
    return corrected


def compare_group(tables: Mapping[str, pd.DataFrame], level: float = 0.05) -> pd.DataFrame:
    """What recordings of a group have in common: which statistics lie off a null model on the same side in most of them.

    The z of all recordings are tested for a centre of zero by the signed-rank test (exact where recordings are few), corrected by Holm over all
    null models and statistics together.

    tables
        name of a recording → its table of `compare_with_nulls`; at least two
    level
        α of `outside`

    A statistic that most recordings' null models keep is judged otherwise, since its z are small whatever it is: by whether more recordings lie
    outside than the level allows (binomial test).

    Returns a row a null model and statistic: `recordings`, `outside_share` (of the recordings, each after its own correction), `median_z`, `kept` (in
    most of them), `p`, `p_holm`, `outside` (p_holm ≤ level). With n recordings the smallest p of the signed-rank test is 2^(1-n): fewer than about
    10 pass no correction.

    Source: Wilcoxon 1945, Biometrics Bulletin 1:80.
    """
    if len(tables) < 2:
        raise InputError(f"group of {len(tables)} recording: two are needed to speak of a group; name more, or leave the group out")
    together = pd.concat([table.assign(recording=name) for name, table in tables.items()], ignore_index=True)
    rows = []
    for (null, statistic), found in together.groupby(["null", "statistic"], sort=False):
        z, outside, kept = found["z"].to_numpy(), int(found["outside"].sum()), bool(found["kept"].mean() > 0.5)
        if kept:
            p = float(scipy.stats.binomtest(outside, len(z), level, alternative="greater").pvalue)
        else:
            p = float(scipy.stats.wilcoxon(z).pvalue) if np.any(z) else 1.0
        rows.append((null, statistic, len(z), outside / len(z), float(np.median(z)), kept, p))
    group = pd.DataFrame(rows, columns=["null", "statistic", "recordings", "outside_share", "median_z", "kept", "p"])
    group["p_holm"] = holm(group["p"].to_numpy())
    return group.assign(outside=group["p_holm"] <= level)


def rejection_rates(
    source: PreparedNull,
    null: NullModel,
    describe: Describe,
    *,
    simulations: int = 200,
    surrogates: int = 99,
    level: float = 0.05,
    generator: np.random.Generator,
) -> pd.DataFrame:
    """How often recordings from a known process are told from a null model: the size of the test where they come from it, its power elsewhere.

    source
        draws recordings whose process is known: a prepared null model, or anything with ``draw(generator)``
    null
        the null model that is tested
    describe, surrogates
        as in `compare_with_nulls`
    simulations
        recordings drawn; those that the null model cannot be fitted to are left out, and an `InputError` tells if these are more than half
    level
        of each test

    Returns a row a statistic, and one called "any" for some statistic after the correction for all of them: `rejected`, `simulations` (those that
    could be tested), `rate`, `low` and `high` (Wilson's 95 % interval), and `kept` (the share of simulations in which the null model keeps the
    statistic, so that its test is conservative).
    """
    tables: list[pd.DataFrame] = []
    refused = None
    for _ in track(range(simulations), "recordings of a known process"):
        recording = source.draw(generator)
        measured = _finite(describe(recording, generator))
        try:
            first, second = _surrogates(recording, null, measured, describe, range(surrogates), generator)
        except InputError as error:
            refused = error
        else:
            tables.append(_table("null", measured, first, second, level).set_index("statistic"))
    if refused is not None and len(tables) < simulations / 2:
        raise InputError(f"{simulations - len(tables)} of {simulations} simulated recordings cannot be tested, the last one: {refused}") from refused
    simulations = len(tables)
    rejected = {name: sum(bool(table["p"][name] <= level) for table in tables) for name in tables[0].index}
    rejected["any"] = sum(bool(table["outside"].any()) for table in tables)
    rows = []
    for name, count in rejected.items():
        ends = scipy.stats.binomtest(count, simulations).proportion_ci(0.95, method="wilson")
        kept = 0.0 if name == "any" else float(np.mean([table["kept"][name] for table in tables]))
        rows.append((name, count, simulations, count / simulations, float(ends.low), float(ends.high), kept))
    return pd.DataFrame(rows, columns=["statistic", "rejected", "simulations", "rate", "low", "high", "kept"])
