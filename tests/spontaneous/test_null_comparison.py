"""The comparison with null models: its size where the null model is true, its power where it is not, and the bias that it takes out."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr

from yuragi.datasets.simulation import vector_autoregression
from yuragi.errors import InputError
from yuragi.multiple_tests import holm
from yuragi.spontaneous.descriptors import Descriptors
from yuragi.spontaneous.null_comparison import _table, compare_group, compare_with_nulls, largest_of_family, rejection_rates
from yuragi.spontaneous.nulls.autoregressive import Autoregressive
from yuragi.spontaneous.nulls.base import NullModel
from yuragi.spontaneous.nulls.phase import Phase
from yuragi.spontaneous.statistics import spatial_spectrum


class Shrinking(NullModel):
    """Independent Gaussian frames of nine tenths of the variance: a null model whose fit is biased."""

    kind: Literal["shrinking"] = "shrinking"

    def prepare(self, recording):
        return Prepared(recording, float(np.sqrt(0.9 * recording.values.var())))


class Prepared:
    def __init__(self, recording, deviation):
        self.recording, self.deviation = recording, deviation

    def draw(self, generator):
        return self.recording.copy(data=self.deviation * generator.standard_normal(self.recording.shape))


def gaussian(generator, frames=300, units=2):
    return xr.DataArray(generator.standard_normal((frames, units)), dims=("time", "unit"), name="recording")


def spread(recording, _):
    return {"log_variance": float(np.log(recording.values.var())), "maximum": float(np.abs(recording.values).max())}


def test_the_bias_of_fitting_is_taken_out():
    generator = np.random.default_rng(10)
    table = compare_with_nulls(gaussian(generator), {"shrinking": Shrinking()}, spread, surrogates=199, generator=generator).set_index("statistic")
    row = table.loc["log_variance"]
    # Without it the recording would lie |log 0.9| = 0.105, two standard deviations, off.
    deviation = np.sqrt(2 / 600)
    assert row["expected"] == pytest.approx(row["measured"], abs=4 * deviation * np.sqrt(5 / 199))
    assert not table["outside"].any()


def test_p_is_the_share_of_surrogates_that_lie_as_far():
    generator = np.random.default_rng(1)
    heavy = xr.DataArray(generator.standard_t(3, (300, 2)), dims=("time", "unit"), name="recording")
    nulls = {"first": Shrinking(), "second": Shrinking()}
    table = compare_with_nulls(heavy, nulls, spread, surrogates=39, generator=generator)
    assert table.groupby("null").size().to_dict() == {"first": 2, "second": 2}
    maximum = table[table["statistic"] == "maximum"]
    assert maximum["p"].tolist() == [0.05, 0.05]
    assert maximum["p_family"].tolist() == [1 / 40, 1 / 40]
    kept = table[table["statistic"] == "log_variance"]
    assert kept["kept"].all()
    assert (kept["p"] > 0.5).all()  # conservative: it lies where the fit put it


def test_the_correction_holds_the_error_of_the_family_and_loses_little_to_dependence():
    generator = np.random.default_rng(8)
    false, single = 0, 0
    for _ in range(400):
        common = generator.standard_normal((100, 1))
        values = np.abs(np.hstack([common + 0.1 * generator.standard_normal((100, 5)), generator.standard_normal((100, 2))]))
        corrected = largest_of_family(values[0], values[1:])
        plain = (1 + (values[1:] >= values[0]).sum(axis=0)) / 100
        assert (corrected >= plain).all()
        false += corrected.min() <= 0.05
        single += holm(plain).min() <= 0.05
    assert 0.03 <= false / 400 <= 0.075
    assert false > single  # five of seven statistics are nearly one, which Holm does not know


def test_what_a_null_model_keeps_exactly_is_never_outside():
    generator = np.random.default_rng(2)
    table = compare_with_nulls(
        gaussian(generator),
        {"phase": Phase()},
        lambda found, _: {"first_eigenvalue": float(spatial_spectrum(found)[0])},
        surrogates=19,
        generator=generator,
    )
    assert table["kept"].item()
    assert table["z"].item() == 0
    assert table["p_family"].item() == 1
    assert not table["outside"].item()


@pytest.mark.slow
def test_a_true_null_model_is_rejected_at_its_rate():
    rates = rejection_rates(
        Prepared(gaussian(np.random.default_rng(0)), 1.0), Shrinking(), spread, simulations=400, surrogates=99, generator=np.random.default_rng(3)
    ).set_index("statistic")
    assert rates["low"]["maximum"] <= 0.05 <= rates["high"]["maximum"], rates
    assert rates["low"]["any"] <= 0.05 <= rates["high"]["any"], rates
    # The null model is fitted to this very statistic, which then deviates by next to nothing.
    assert rates["kept"]["log_variance"] > 0.95
    assert rates["rejected"]["log_variance"] <= 1
    assert rates["rejected"]["maximum"] == round(400 * rates["rate"]["maximum"])


@pytest.mark.slow
def test_what_a_fit_follows_in_part_is_judged_by_what_is_left():
    """T = v + x, v the fitted log variance and x noise that no fit follows: the deviation of a recording has the variance of x alone."""

    def describe(recording, generator):
        return {"mixed": spread(recording, generator)["log_variance"] + np.sqrt(2 / 600) * 1.5 * generator.standard_normal()}

    source = Prepared(gaussian(np.random.default_rng(0)), 1.0)
    rates = rejection_rates(source, Shrinking(), describe, simulations=400, surrogates=99, generator=np.random.default_rng(9))
    table = compare_with_nulls(
        source.draw(np.random.default_rng(1)), {"a": Shrinking()}, describe, surrogates=2000, generator=np.random.default_rng(2)
    )
    assert table["absorbed"].item() == pytest.approx(1 / (1 + 1.5**2), abs=0.06)
    assert 0.025 <= rates["rate"][0] <= 0.085, rates


def test_a_false_null_model_is_rejected():
    class Heavy:
        def draw(self, generator):
            return xr.DataArray(generator.standard_t(3, (300, 2)), dims=("time", "unit"), name="recording")

    rates = rejection_rates(Heavy(), Shrinking(), spread, simulations=20, surrogates=39, generator=np.random.default_rng(4)).set_index("statistic")
    assert rates["rate"]["maximum"] >= 0.9


@pytest.mark.slow
def test_switching_is_told_from_an_autoregression_and_an_autoregression_is_not():
    generator = np.random.default_rng(5)
    smooth = vector_autoregression(units=6, frames=800, order=1, spectral_radius=0.8, alpha=1.0, generator=generator).recording
    maps = 2 * generator.standard_normal((3, 6))
    switching = maps[np.repeat(generator.integers(0, 3, 40), 20)] + generator.standard_normal((800, 6))
    describe = Descriptors(window=50, step=20, patterns=3)
    found = {}
    for name, values in (("smooth", smooth), ("switching", switching)):
        recording = xr.DataArray(values, dims=("time", "unit"), name="recording")
        table = compare_with_nulls(recording, {"autoregressive": Autoregressive(order=1)}, describe, surrogates=59, generator=generator)
        found[name] = set(table["statistic"][table["outside"]])
    assert found["smooth"] == set()
    assert {"pattern_dwell", "window_variance"} <= found["switching"]


def test_a_group_tells_what_single_recordings_do_not():
    generator = np.random.default_rng(6)

    def table(shift):
        z = generator.standard_normal(3) + np.array([shift, 0, 0])
        return pd.DataFrame({"null": "static", "statistic": ["a", "b", "c"], "z": z, "kept": False, "outside": False})

    tables = {f"subject_{number}": table(1.2) for number in range(16)}
    group = compare_group(tables).set_index("statistic")
    assert group["outside"].to_dict() == {"a": True, "b": False, "c": False}
    z = [found["z"][0] for found in tables.values()]
    assert group["median_z"]["a"] == pytest.approx(np.median(z))
    assert group["p"]["a"] == pytest.approx(scipy.stats.wilcoxon(z).pvalue)
    assert group["p_holm"]["a"] == pytest.approx(3 * group["p"]["a"])


def test_a_group_sees_a_kept_statistic_only_where_many_of_its_recordings_do():
    def table(outside):
        return pd.DataFrame({"null": "static", "statistic": ["a"], "z": [0.3], "kept": True, "outside": outside})

    for outside, found in ((2, False), (6, True)):
        group = compare_group({f"subject_{number}": table(number < outside) for number in range(16)})
        assert group["outside"].item() == found
        assert group["p"].item() == pytest.approx(scipy.stats.binom.sf(outside - 1, 16, 0.05))


def tabled(measured, first, second):
    return _table("null", {"a": measured}, first[:, None], second[:, None], 0.05).iloc[0]


def test_a_kept_statistic_is_outside_only_where_its_own_test_says_so():
    generator = np.random.default_rng(11)
    first = generator.standard_normal(199)
    row = tabled(1.0, first, first + 0.01 * generator.standard_normal(199))
    assert row["kept"]
    assert row["p"] > 0.2  # one standard deviation of the surrogates
    assert row["p_family"] >= row["p"]


@pytest.mark.parametrize("followed", [0.0, 0.5, 1.0])
def test_surrogates_that_cannot_be_fitted_in_their_turn_do_not_shift_what_is_expected(followed):
    generator = np.random.default_rng(12)
    first = generator.standard_normal(4000)
    second = 0.3 + followed * first + generator.standard_normal(4000)
    second[first > 0.5] = np.nan
    assert tabled(0.0, first, second)["expected"] == pytest.approx(-0.3, abs=0.12)


def test_a_value_that_surrogates_never_leave_is_outside_where_the_recording_has_another():
    row = tabled(2.0, np.ones(39), np.ones(39))
    assert row["outside"]
    assert row["p_family"] == 1 / 40
    assert not tabled(1 + 1e-12, np.ones(39), np.ones(39))["outside"]


def test_a_null_model_is_judged_alike_whatever_stands_beside_it():
    recording = gaussian(np.random.default_rng(13))
    alone, beside = (
        compare_with_nulls(recording, nulls, spread, surrogates=19, generator=np.random.default_rng(1))
        for nulls in ({"phase": Phase()}, {"another": Shrinking(), "phase": Phase()})
    )
    pd.testing.assert_frame_equal(alone, beside[beside["null"] == "phase"].reset_index(drop=True))


class Refusing(Shrinking):
    """A null model that some recordings are too wild for."""

    def prepare(self, recording):
        if np.abs(recording.values).max() > 3.6:
            raise InputError("recording: it is too wild; tame it")
        return super().prepare(recording)


def test_simulated_recordings_that_cannot_be_tested_are_left_out():
    source = Prepared(gaussian(np.random.default_rng(0)), 1.0)
    rates = rejection_rates(source, Refusing(), spread, simulations=20, surrogates=19, generator=np.random.default_rng(2))
    assert 10 <= rates["simulations"][0] < 20
    wild = Prepared(gaussian(np.random.default_rng(0)), 2.0)
    with pytest.raises(InputError, match=r"20 of 20 simulated recordings cannot be tested, the last one: .* too wild"):
        rejection_rates(wild, Refusing(), spread, simulations=20, surrogates=19, generator=np.random.default_rng(2))


def test_refusals():
    generator = np.random.default_rng(7)
    with pytest.raises(InputError, match="statistic 'a' is nan"):
        compare_with_nulls(gaussian(generator), {"shrinking": Shrinking()}, lambda *_: {"a": np.nan}, surrogates=19, generator=generator)
    with pytest.raises(InputError, match="null model 'mine': recording: it is too wild"):
        compare_with_nulls(2 * gaussian(generator), {"mine": Refusing()}, spread, surrogates=19, generator=generator)
    with pytest.raises(InputError, match="surrogates = 5"):
        compare_with_nulls(gaussian(generator), {"shrinking": Shrinking()}, spread, surrogates=5, generator=generator)
    with pytest.raises(InputError, match="group of 1 recording"):
        compare_group({"one": pd.DataFrame({"null": ["static"], "statistic": ["a"], "z": [1.0], "kept": [False], "outside": [False]})})
