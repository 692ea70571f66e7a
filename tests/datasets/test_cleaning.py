"""Each step of cleaning against plain numpy, and the refusals of the bands and confounds that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yuragi.datasets._confounds import read_confounds
from yuragi.datasets.imaging import clean_series
from yuragi.errors import InputError

from .images import table

OFF = {"detrend": False, "standardise": "none"}


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def residuals(values: np.ndarray, *columns: np.ndarray) -> np.ndarray:
    """What least squares leaves of the values."""
    design = np.column_stack(columns)
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def test_nothing_asked_nothing_done(generator: np.random.Generator) -> None:
    values = generator.normal(size=(30, 4))
    before = values.copy()
    np.testing.assert_array_equal(clean_series(values, **OFF), values)
    clean_series(values)
    np.testing.assert_array_equal(values, before)


def test_detrending_is_least_squares(generator: np.random.Generator) -> None:
    values = generator.normal(5, 1, (40, 3)).cumsum(axis=0)
    time = np.arange(40.0)
    np.testing.assert_allclose(clean_series(values, standardise="none"), residuals(values, np.ones(40), time), atol=1e-10)


def test_zscores_have_one_degree_of_freedom_less(generator: np.random.Generator) -> None:
    values = generator.normal(5, 3, (20, 4))
    expected = (values - values.mean(axis=0)) / np.sqrt(((values - values.mean(axis=0)) ** 2).sum(axis=0) / 19)
    np.testing.assert_allclose(clean_series(values, detrend=False), expected, rtol=1e-12)


def test_percent_of_the_mean_before_the_trend_was_taken(generator: np.random.Generator) -> None:
    values = generator.normal(-200, 3, (20, 4)) + np.arange(20.0)[:, None]
    expected = 100 * residuals(values, np.ones(20), np.arange(20.0)) / np.abs(values.mean(axis=0))
    np.testing.assert_allclose(clean_series(values, standardise="percent"), expected, atol=1e-9)
    with pytest.raises(InputError, match="2 units have a mean of 0"):
        clean_series(np.column_stack([values - values.mean(axis=0)])[:, :2], standardise="percent")


@pytest.mark.parametrize("detrend", [True, False])
def test_confounds_are_regressed_out_by_least_squares(generator: np.random.Generator, detrend: bool) -> None:
    confounds = generator.normal(3, 1, (60, 4)) * [1, 1e-3, 1e4, 1]
    confounds[:, 3] = 2 * confounds[:, 0] - confounds[:, 1]  # of rank 3
    values = generator.normal(size=(60, 5)) + confounds @ (generator.normal(size=(4, 5)) / [[1], [1e-3], [1e4], [1]])
    found = clean_series(values, confounds=confounds, detrend=detrend, standardise="none")
    columns = [np.ones(60), *([np.arange(60.0)] if detrend else [])]
    expected = residuals(values, *columns, *confounds[:, :3].T)
    np.testing.assert_allclose(found, expected if detrend else expected + values.mean(axis=0), atol=1e-8)


def test_confounds_are_filtered_as_the_series_are(generator: np.random.Generator) -> None:
    """Regressing out confounds that keep their slow part would put that part back into the series."""
    series, confounds = generator.normal(size=(400, 3)), generator.normal(size=(400, 2))
    band = {"low": 0.02, "high": 0.1, "sampling_interval": 1.0, "standardise": "none"}
    filtered, theirs = clean_series(series, **band), clean_series(confounds, **band)
    theirs -= theirs.mean(axis=0)
    expected = filtered - theirs @ np.linalg.lstsq(theirs, filtered, rcond=None)[0]
    np.testing.assert_allclose(clean_series(series, confounds=confounds, **band), expected, atol=1e-10)


@pytest.mark.parametrize(("low", "high"), [(None, 0.08), (0.05, None), (0.03, 0.09)], ids=["low-pass", "high-pass", "band-pass"])
@pytest.mark.parametrize("frequency", [0.02, 0.05, 0.08, 0.12, 0.2])
def test_gain_of_the_filter(low: float | None, high: float | None, frequency: float) -> None:
    """A sine comes through with the squared gain of a Butterworth filter of order 5, and without a delay."""
    interval, frames = 2.0, 4000
    time = np.arange(frames) * interval
    sine = np.sin(2 * np.pi * frequency * time)
    found = clean_series(sine[:, None], low=low, high=high, sampling_interval=interval, **OFF)[:, 0]
    warped = np.tan(np.pi * frequency * interval)
    edges = [None if edge is None else np.tan(np.pi * edge * interval) for edge in (low, high)]
    if None in edges:
        ratio = warped / edges[1] if low is None else edges[0] / warped
    else:
        ratio = (warped**2 - edges[0] * edges[1]) / (warped * (edges[1] - edges[0]))
    gain = 1 / (1 + ratio**10)
    middle = slice(1000, 3000)
    np.testing.assert_allclose(found[middle], gain * sine[middle], atol=2e-4)


def test_constant_and_explained_units_are_zero_and_not_noise(generator: np.random.Generator) -> None:
    values = generator.normal(size=(50, 3))
    values[:, 1] = 9361.3  # whose detrended rounding errors, z-scored, would look like a signal
    values[:, 2] = 3 + 2 * values[:, 0]
    found = clean_series(values, confounds=values[:, :1])
    np.testing.assert_array_equal(found, 0)
    np.testing.assert_array_equal(clean_series(values, **OFF)[:, 1], 9361.3)
    assert clean_series(values)[:, 0].std(ddof=1) == pytest.approx(1)


@settings(max_examples=20, deadline=None)
@given(where=st.integers(0, 29), unit=st.integers(0, 3), value=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_missing_value_spoils_its_own_unit_only(where: int, unit: int, value: float) -> None:
    values = np.random.default_rng(1).normal(size=(30, 4))
    whole = clean_series(values)
    values[where, unit] = value
    found = clean_series(values)
    assert np.isnan(found[:, unit]).all()
    others = np.delete(np.arange(4), unit)
    np.testing.assert_allclose(found[:, others], whole[:, others], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("frames", "options", "told"),
    [
        (100, {"high": 0.25, "sampling_interval": 2.0}, r"high = 0.25 Hz lies outside 0 to 0.25 Hz"),
        (100, {"low": 0.3, "sampling_interval": 2.0}, r"low = 0.3 Hz lies outside"),
        (100, {"low": 0.1, "high": 0.05, "sampling_interval": 2.0}, "is empty"),
        (100, {"low": 0.1}, "needs the repetition time"),
        (100, {"low": 0.1, "sampling_interval": float("nan")}, "needs the repetition time"),
        (99, {"low": 0.005, "sampling_interval": 2.0}, "99 frames, but one cycle of low = 0.005 Hz takes 100"),
        (18, {"high": 0.1, "sampling_interval": 2.0}, "18 frames, but the filter's ends takes? 19"),
        (2, {}, "2 frames"),
        (100, {"confounds": np.zeros((99, 2))}, "100 frames but 99 rows of confounds"),
        (100, {"confounds": np.full((100, 2), np.nan)}, "confound columns 0, 1 have missing values"),
        (10, {"confounds": np.random.default_rng(0).normal(size=(10, 8))}, "8 confounds with mean and trend are 10 columns for 10 frames"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(frames: int, options: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        clean_series(np.random.default_rng(0).normal(size=(frames, 2)), where="run.nii.gz", **options)
    message = str(caught.value)
    assert message.startswith("run.nii.gz: ")
    assert "\n" not in message
    assert "; " in message


@pytest.mark.parametrize(
    ("frames", "options"),
    [(100, {"low": 0.005}), (19, {"high": 0.1}), (34, {"low": 0.02, "high": 0.1})],
)
def test_the_shortest_runs_that_are_taken_can_be_filtered(frames: int, options: dict[str, float]) -> None:
    values = np.random.default_rng(0).normal(size=(frames, 2))
    assert np.isfinite(clean_series(values, sampling_interval=2.0, **options)).all()


@pytest.mark.parametrize(("name", "separator"), [("a.tsv", "\t"), ("a.csv", ","), ("a.txt", " ")])
def test_confounds_come_by_name(tmp_path, name: str, separator: str) -> None:
    columns = {"rot_x": np.arange(5.0), "csf": np.arange(5.0) ** 2, "fd": np.array([np.nan, 0.1, 0.2, 0.3, 0.4])}
    path = table(tmp_path / name, columns, separator)
    found = read_confounds(path, ["fd", "rot_x"])
    np.testing.assert_array_equal(found, np.column_stack([[0.1, 0.1, 0.2, 0.3, 0.4], np.arange(5.0)]))
    assert read_confounds(path).shape == (5, 3)


def test_confounds_without_names(tmp_path) -> None:
    (tmp_path / "motion.txt").write_text("-0.004  0.003 1e-3 \n 0.1 0.2 0.3\n")
    np.testing.assert_array_equal(read_confounds(tmp_path / "motion.txt"), [[-0.004, 0.003, 1e-3], [0.1, 0.2, 0.3]])
    with pytest.raises(InputError, match="no line of names"):
        read_confounds(tmp_path / "motion.txt", ["csf"])


@pytest.mark.parametrize(
    ("text", "columns", "told"),
    [
        ("csf\twm\n1\t2\n3\t4\n", ["cfs"], "'cfs' does not exist; did you mean 'csf'.*Known: csf, wm"),
        ("csf\n1\nn/a\n3\n", [], "confound 'csf' has no value in row 2"),
        ("csf\nn/a\nn/a\n3\n", [], "confound 'csf' has no value in row 2"),
        ("csf\n1\nlow\n", [], "'low' in row 2, not a number"),
        ("csf\twm\n1\t2\n3\n", [], "rows of 1 cells under 2 columns"),
        ("", [], "is empty"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path, text: str, columns: list[str], told: str) -> None:
    path = tmp_path / "confounds.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        read_confounds(path, columns)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        read_confounds(tmp_path / "nowhere.tsv")
