"""Bias, coverage and verdict, against tables made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from yuragi.errors import InputError
from yuragi.spectra.calibration import COLUMNS
from yuragi.spectra.reliability import reliability, trusted, wilson


def made(errors: dict[str, list[float]], half: float | None, noise: str = "white", strength: float = 1.0) -> pd.DataFrame:
    """One table with these errors at the exponents 1 and 2, and intervals of this half width."""
    rows = []
    for estimator, values in errors.items():
        for place, error in enumerate(values):
            alpha = 1.0 + place % 2
            low, high = (np.nan, np.nan) if half is None else (alpha + error - half, alpha + error + half)
            level = np.nan if half is None else 0.95
            rows.append((alpha, noise, strength, place // 2, estimator, alpha + error, error, low, high, level, pd.NA))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_a_table_by_hand() -> None:
    errors = [0.1, 0.3, -0.1, 0.5]
    summary = reliability(made({"cvpca": errors}, half=0.2))
    assert summary["alpha_true"].tolist()[:2] == [1.0, 2.0]
    first, second, pooled = (row for _, row in summary.iterrows())
    assert (first["bias"], second["bias"], pooled["bias"]) == pytest.approx((0.0, 0.4, 0.2))
    assert first["rmse"] == pytest.approx(0.1)
    assert first["spread"] == pytest.approx(np.std([0.1, -0.1], ddof=1))
    assert first["standard_error"] == pytest.approx(np.std([0.1, -0.1], ddof=1) / np.sqrt(2))
    # Around the mean of each exponent: what differs between exponents is no scatter.
    assert pooled["spread"] == pytest.approx(np.sqrt((0.1**2 * 4) / 2))
    assert pooled["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    assert (first["covered"], second["covered"], pooled["covered"], pooled["intervals"]) == (2, 0, 2, 4)
    assert pooled["coverage"] == 0.5
    assert second["coverage_of_expectation"] == 1.0
    assert pooled["width"] == pytest.approx(0.4)
    assert (pooled["coverage_low"], pooled["coverage_high"]) == wilson(2, 4)


def verdict(tables: list[pd.DataFrame]) -> pd.Series:
    return trusted(reliability(pd.concat(tables))).iloc[0]


def test_the_rule() -> None:
    close, far = [0.06] * 20, [0.2, -0.2] * 10
    good = verdict([made({"pca": close}, half=0.1), made({"cvpca": far}, half=0.3)])
    assert good["estimator"] == "pca"
    assert good["interval_holds"]
    start = "White noise, as strong as the signal: trust plain PCA, error 0.06, bias +0.06, "
    assert good["sentence"] == start + "and its intervals, which hold the truth in 20 of 20."
    # Wide intervals make nobody the best, but they are named where the best has none that hold.
    wide = verdict([made({"pca": close}, half=0.05), made({"cvpca": far}, half=0.3)])
    assert wide["estimator"] == "pca"
    assert not wide["interval_holds"]
    rest = "but not its intervals, which hold the truth in 0 of 20 (those of cvPCA do in 20 of 20, error 0.20)."
    assert wide["sentence"] == start + rest
    tie = verdict([made({"pca": close}, half=0.05), made({"cvpca": [0.064] * 20}, half=0.1)])
    assert tie["estimator"] == "cvpca"
    neither = verdict([made({"cvpca": far, "pca": close}, half=0.05)])
    assert neither["sentence"] == start + "but none of the intervals: its own hold the truth in 0 of 20."
    without = verdict([made({"cvpca": far, "pca": close}, half=None)])
    assert pd.isna(without["interval_holds"])
    assert without["sentence"] == start.removesuffix(", ") + "."


def test_every_situation_has_its_verdict() -> None:
    table = pd.concat([made({"pca": [0.1] * 4}, 0.2, noise, strength) for noise in ("signal", "half") for strength in (0.25, 4.0)])
    verdicts = trusted(reliability(table))
    assert len(verdicts) == 4
    assert verdicts["sentence"].is_unique
    assert "Noise of half the signal's exponent, 0.25 times the signal" in verdicts["sentence"][2]


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (3, 7), (40, 40)])
def test_wilson_is_scipys(successes: int, trials: int) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(0.9, method="wilson")
    assert wilson(successes, trials, 0.9) == pytest.approx((expected.low, expected.high))


def test_no_trial_has_no_interval() -> None:
    with pytest.raises(InputError, match="successes = 0, trials = 0"):
        wilson(0, 0)
