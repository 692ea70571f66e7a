"""Data that installed packages ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from yuragi.datasets import digits, nitime_rest
from yuragi.datasets.catalogue import dataset, load
from yuragi.errors import InputError


def test_digits() -> None:
    data = load("digits")
    assert data["images"].shape == (1797, 1, 8, 8)
    assert data["images"].dtype == np.float32
    assert data["labels"].dtype == np.int64
    assert (float(data["images"].min()), float(data["images"].max())) == (0.0, 1.0)
    assert data["labels"].values[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert data["images"].values[0, 0, 0].tolist() == [0.0, 0.0, 5 / 16, 13 / 16, 9 / 16, 1 / 16, 0.0, 0.0]
    assert data.attrs["classes"] == [str(digit) for digit in range(10)]


def test_digits_are_split_within_each_class() -> None:
    data = load("digits", test_fraction=0.2)
    for label in range(10):
        parts = data["split"].values[data["labels"].values == label]
        assert (parts == "test").sum() == round(0.2 * parts.size)
    assert load("digits", test_fraction=0.2).identical(data)
    other = load("digits", test_fraction=0.2, seed=1)
    assert (other["split"].values != data["split"].values).any()
    np.testing.assert_array_equal(other["images"].values, data["images"].values)


def test_other_digits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "CONTENT_SHA256", "0" * 64)
    with pytest.raises(InputError, match="wrong hash"):
        load("digits")


def test_nitime() -> None:
    data = load("nitime_rest")
    recording = data["recording"]
    assert recording.shape == (250, 31)
    assert recording.attrs["sampling_interval"] == 1.89
    assert recording["time"].values[2] == pytest.approx(3.78)
    assert recording["unit"].values[:4].tolist() == ["WM", "Vent", "Brain", "LCau"]
    assert recording.values[0, :4].tolist() == [10125.9, 10112.8, 9219.5, -7.39443]
    regions = load("nitime_rest", nuisance=False)["recording"]
    assert regions.shape == (250, 28)
    assert dataset("nitime_rest", nuisance=False).sizes() == {"frames": 250, "units": 28}
    assert set(regions["tissue"].values) == {"region"}


def test_other_or_missing_series_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    altered = tmp_path / "fmri_timeseries.csv"
    altered.write_text("a,b\n1,2\n")
    monkeypatch.setattr(nitime_rest, "shipped_file", lambda: altered)
    with pytest.raises(InputError, match="wrong hash"):
        load("nitime_rest")
    monkeypatch.undo()
    monkeypatch.setattr(nitime_rest.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install nitime"):
        nitime_rest.shipped_file()


@pytest.mark.parametrize("test_fraction", [0.001, 0.1, 0.25, 0.333, 0.99])
def test_the_sizes_of_the_digits_are_those_of_the_split(test_fraction: float) -> None:
    split = load("digits", test_fraction=test_fraction)["split"].values
    assert dataset("digits", test_fraction=test_fraction).sizes() == {part: int((split == part).sum()) for part in ("train", "test")}
