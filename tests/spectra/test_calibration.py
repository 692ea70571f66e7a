from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from yuragi.errors import InputError
from yuragi.spectra.calibration import COLUMNS, calibrate, pure_noise

SMALL = {"stimuli": 600, "units": 250}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return calibrate((0.8, 1.2), ("none", "signal", "white"), **SMALL, ranks=(11, 120), simulations=2)


def test_the_table_is_tidy(table: pd.DataFrame) -> None:
    assert list(table) == list(COLUMNS)
    assert len(table) == 2 * 3 * 2 * 2
    assert not table.duplicated(["alpha_true", "noise", "noise_to_signal", "seed", "estimator"]).any()
    pd.testing.assert_series_equal(table["bias"], table["alpha_hat"] - table["alpha_true"], check_names=False)
    assert table[["alpha_low", "alpha_high", "level", "covered"]].isna().all(axis=None)
    assert table.groupby("noise")["noise_to_signal"].first().to_dict() == {"none": 0.0, "signal": 1.0, "white": 1.0}


def test_noise_of_half_the_exponent_lies_between(table: pd.DataFrame) -> None:
    between = calibrate((1.2,), ("half",), **SMALL, ranks=(11, 120), simulations=2)
    bias = between.groupby("estimator")["bias"].mean()
    others = table[table["alpha_true"] == 1.2].groupby(["estimator", "noise"])["bias"].mean()
    assert others["pca", "white"] < bias["pca"] - 0.05 < others["pca", "signal"] - 0.1


def test_intervals_and_what_they_hold() -> None:
    small = {"stimuli": 100, "units": 40, "ranks": (3, 30), "simulations": 2}
    table = calibrate((1.0,), ("white", "signal"), noise_to_signal=(0.5, 2.0), bootstraps=8, **small)
    assert len(table) == 2 * 2 * 2 * 2
    assert (table["alpha_low"] < table["alpha_hat"]).all()
    assert (table["alpha_hat"] < table["alpha_high"]).all()
    assert table["covered"].tolist() == ((table["alpha_low"] <= 1.0) & (table["alpha_high"] >= 1.0)).tolist()
    assert table["covered"].nunique() == 2
    wider = calibrate((1.0,), ("white",), noise_to_signal=(2.0,), bootstraps=8, level=0.999, estimators=("pca",), **small)
    same = table[(table["noise"] == "white") & (table["noise_to_signal"] == 2.0) & (table["estimator"] == "pca")]
    assert np.allclose(wider["alpha_hat"], same["alpha_hat"])
    assert (wider["alpha_low"].to_numpy() < same["alpha_low"].to_numpy()).all()


def test_the_biases_are_the_known_ones(table: pd.DataFrame) -> None:
    bias = table.groupby(["noise", "estimator", "alpha_true"])["bias"].mean()
    assert bias["none"].abs().max() < 0.05
    assert bias["signal", "cvpca"].abs().max() < 0.08
    assert bias["white", "cvpca"].between(-0.15, -0.005).all()
    assert (bias["white", "pca"] < -0.18).all()
    without = bias["none"].unstack("estimator")
    assert (without["cvpca"] - without["pca"]).abs().max() < 1e-8


@pytest.mark.slow
def test_the_biases_at_the_size_of_a_real_recording() -> None:
    full = {"stimuli": 2000, "units": 1000, "ranks": (11, 500), "simulations": 1}
    bias = calibrate((0.8, 1.0, 1.2, 1.5), ("signal", "white"), **full).groupby(["noise", "estimator", "alpha_true"])["bias"].mean()
    assert bias["signal", "cvpca"].abs().max() < 0.05
    assert bias["white", "cvpca"].between(-0.17, -0.01).all()
    assert bias["white", "pca"].between(-0.85, -0.15).all()
    assert (bias["white", "pca"] < bias["white", "cvpca"]).all()
    noise = pure_noise(stimuli=500, units=250, simulations=10)
    assert (noise["sum"].abs() < 3 * noise["standard_error"]).all()


def test_a_cell_does_not_depend_on_the_others(table: pd.DataFrame) -> None:
    alone = calibrate((1.2,), ("white",), **SMALL, ranks=(11, 120), simulations=1)
    same = table[(table["alpha_true"] == 1.2) & (table["noise"] == "white") & (table["seed"] == 0)]
    pd.testing.assert_frame_equal(alone, same.reset_index(drop=True))


def test_another_seed_gives_other_numbers() -> None:
    small = {"stimuli": 60, "units": 30, "ranks": (2, 20), "simulations": 1}
    first, second = (calibrate((1.0,), ("white",), **small, seed=seed)["alpha_hat"] for seed in (0, 1))
    assert (first != second).all()


def test_pure_noise_sums_to_zero_within_its_error() -> None:
    table = pure_noise(stimuli=200, units=100, simulations=40)
    assert list(table["noise"]) == ["power_law", "white"]
    assert (table["sum"].abs() < 3.5 * table["standard_error"]).all()
    assert (table["standard_error"] < 0.01).all()
    with pytest.raises(InputError, match="at least 2"):
        pure_noise(simulations=1)
