"""Which estimator to trust when: bias and coverage from planted exponents, and a verdict by a stated rule."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pandas as pd

from yuragi.errors import InputError

CELL = ("noise", "noise_to_signal", "estimator")
NAMES = {
    "cvpca": "cvPCA",
    "pca": "plain PCA",
    "meme": "MEME",
    "meme_broken": "MEME with a break",
    "cross_decomposition": "cross-decomposition",
}
EQUAL = 1.1
"""Errors up to so many times the smallest count as equal."""
NOISES = {"none": "No noise", "signal": "Noise of the signal's covariance", "half": "Noise of half the signal's exponent", "white": "White noise"}


def reliability(table: pd.DataFrame) -> pd.DataFrame:
    """Bias, spread and coverage of every estimator, for each planted exponent and for all of them together.

        bias = mean of (alpha_hat - alpha_true),     rmse = √ mean of (alpha_hat - alpha_true)²,     coverage = part of the intervals that hold
        alpha_true

    table
        what `yuragi.spectra.calibration.calibrate` returns, or several such tables one below the other

    Returns a row for each noise, strength, planted exponent and estimator, and one for each noise, strength and estimator over all exponents, whose
    `alpha_true` is missing. Columns: `simulations`; `bias` and its `standard_error`; `rmse`; `spread`, the standard deviation around the bias of each
    exponent; `level`; `intervals`, how many there are; `covered`, how many of them hold the planted exponent; `coverage` with the Wilson interval
    `coverage_low`, `coverage_high` of 95 %; `coverage_of_expectation`, the part that holds the mean estimate of their exponent instead: an
    interval over stimuli is meant for that and knows nothing of the bias; `width`, their mean.

    Source of the interval: Wilson 1927, J. Am. Stat. Assoc. 22:209.

    >>> from yuragi.spectra.calibration import calibrate
    >>> table = calibrate([1.0, 1.2], ["white"], stimuli=100, units=50, ranks=(3, 40), simulations=2, estimators=["pca"], bootstraps=5)
    >>> reliability(table)[["alpha_true", "simulations", "covered"]].values.tolist()
    [[1.0, 2.0, 0.0], [1.2, 2.0, 0.0], [nan, 4.0, 0.0]]
    """
    table = table.assign(expected=table.groupby([*CELL, "alpha_true"])["alpha_hat"].transform("mean"))
    single = [
        {**dict(zip((*CELL, "alpha_true"), key, strict=True)), **_of_cell(rows)} for key, rows in table.groupby([*CELL, "alpha_true"], sort=False)
    ]
    pooled = [{**dict(zip(CELL, key, strict=True)), "alpha_true": np.nan, **_of_cell(rows)} for key, rows in table.groupby(list(CELL), sort=False)]
    return pd.DataFrame([*single, *pooled])


def trusted(summary: pd.DataFrame) -> pd.DataFrame:
    """Which estimator to trust in each situation, that is each kind and strength of noise, over all planted exponents.

    The rule: the estimator of smallest root mean squared error; among errors that are equal within a tenth, one whose intervals are good. Its
    intervals count as good where they hold the planted exponent as often as they
    promise,
    as far as the simulations can tell: the upper end of the coverage's Wilson interval reaches the nominal level. Where they do not, the sentence
    also names the estimator of smallest error whose intervals are good, if there is one. Coverage alone would crown the widest intervals.

    summary
        what `reliability` returns

    Returns one row a situation with the columns `noise`, `noise_to_signal`, `estimator`, `interval_holds` (missing without intervals) and `sentence`.
    """
    rows = []
    for (noise, strength), situation in summary[summary["alpha_true"].isna()].groupby(["noise", "noise_to_signal"], sort=False):
        by_error = situation.sort_values("rmse", kind="stable")
        good = by_error[(by_error["intervals"] > 0) & (by_error["coverage_high"] >= by_error["level"])]
        equal = by_error[by_error["rmse"] <= EQUAL * by_error["rmse"].iloc[0]]
        chosen = equal.loc[[*equal.index.intersection(good.index), *equal.index][0]]
        holds = bool(chosen["estimator"] in set(good["estimator"])) if chosen["intervals"] else pd.NA
        where = NOISES.get(noise, noise) + ("" if noise == "none" else f", {_times(float(strength))}")
        rows.append((noise, strength, chosen["estimator"], holds, f"{where}: {_verdict(chosen, holds, good)}."))
    return pd.DataFrame(rows, columns=["noise", "noise_to_signal", "estimator", "interval_holds", "sentence"]).astype({"interval_holds": "boolean"})


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The Wilson interval of a probability.

    >>> low, high = wilson(19, 20)
    >>> round(low, 3), round(high, 3)
    (0.764, 0.991)
    """
    if not 0 <= successes <= trials or trials == 0:
        raise InputError(f"successes = {successes}, trials = {trials}: expected 0 <= successes <= trials and a trial at least; count again")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / trials
    centre, half = share + z**2 / (2 * trials), z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return (centre - half) / (1 + z**2 / trials), (centre + half) / (1 + z**2 / trials)


def _of_cell(rows: pd.DataFrame) -> dict[str, float | int]:
    bias, count = rows["bias"].to_numpy(), len(rows)
    # The bias may differ between exponents: what scatters is the estimate around the mean of its own exponent.
    residual, exponents = (rows["alpha_hat"] - rows["expected"]).to_numpy(), rows["alpha_true"].nunique()
    spread = math.sqrt((residual**2).sum() / (count - exponents)) if count > exponents else math.nan
    with_interval = rows[rows["alpha_low"].notna()]
    intervals = len(with_interval)
    holds = with_interval["alpha_true"].between(with_interval["alpha_low"], with_interval["alpha_high"])
    holds_expectation = with_interval["expected"].between(with_interval["alpha_low"], with_interval["alpha_high"])
    covered = int(holds.sum())
    low, high = wilson(covered, intervals) if intervals else (math.nan, math.nan)
    return {
        "simulations": count,
        "bias": float(bias.mean()),
        "standard_error": spread / math.sqrt(count),
        "rmse": float(np.sqrt((bias**2).mean())),
        "spread": spread,
        "level": float(rows["level"].max()),
        "intervals": intervals,
        "covered": covered,
        "coverage": covered / intervals if intervals else math.nan,
        "coverage_low": low,
        "coverage_high": high,
        "coverage_of_expectation": float(holds_expectation.mean()) if intervals else math.nan,
        "width": float((with_interval["alpha_high"] - with_interval["alpha_low"]).mean()),
    }


def _verdict(chosen: pd.Series, holds: object, good: pd.DataFrame) -> str:
    """What the table says, in words."""
    error = f"trust {_name(chosen)}, error {chosen['rmse']:.2f}, bias {chosen['bias']:+.2f}"
    if holds is pd.NA:
        return error
    if holds:
        return f"{error}, and its intervals, which hold the truth in {_count(chosen)}"
    if good.empty:
        return f"{error}, but none of the intervals: its own hold the truth in {_count(chosen)}"
    other = good.iloc[0]
    instead = f"those of {_name(other)} do in {_count(other)}, error {other['rmse']:.2f}"
    return f"{error}, but not its intervals, which hold the truth in {_count(chosen)} ({instead})"


def _name(row: pd.Series) -> str:
    return NAMES.get(row["estimator"], row["estimator"])


def _count(row: pd.Series) -> str:
    return f"{row['covered']:.0f} of {row['intervals']:.0f}"


def _times(strength: float) -> str:
    return "as strong as the signal" if strength == 1 else f"{strength:g} times the signal"
