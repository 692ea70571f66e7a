"""A pickle gives its arrays and containers, and nothing in it runs."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from yuragi.datasets.restricted import read_pickle
from yuragi.errors import InputError


class Payload:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def saved(tmp_path: Path, value: object, protocol: int = 4) -> Path:
    path = tmp_path / "value.pickle"
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def test_a_command_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    path = saved(tmp_path, {"betas": Payload(os.system, f"touch {trace}")})
    with pytest.raises(InputError, match=r"asks for '(posix|nt)\.system'") as caught:
        read_pickle(path)
    assert not trace.exists()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", [eval, exec, getattr, __import__, open, np.load, np.array, bytearray])
def test_every_other_name_is_refused(tmp_path: Path, function: object) -> None:
    with pytest.raises(InputError, match="asks for"):
        read_pickle(saved(tmp_path, Payload(function, "1")))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL))
def test_containers_and_arrays_come_back(tmp_path: Path, protocol: int) -> None:
    cells = np.empty((2, 1), dtype=object)
    cells[:, 0] = [np.array(["EVC"]), np.array([1, 2], dtype=np.uint8)]
    value = {
        "betas": np.arange(6, dtype=">f4").reshape(2, 3),
        "cells": cells,
        "rest": [1, 2.5, "a", None, (True, {3, 4}), np.asfortranarray(np.eye(3))],
    }
    found = (
        read_pickle(saved(tmp_path, value, protocol))
        if protocol > 2
        else read_pickle(saved(tmp_path, {k: v for k, v in value.items() if k == "cells"}))
    )
    assert found["cells"].shape == (2, 1)
    assert found["cells"][0, 0].tolist() == ["EVC"]
    assert found["cells"][1, 0].dtype == np.uint8
    if protocol > 2:
        np.testing.assert_array_equal(found["betas"], value["betas"])
        assert found["betas"].dtype == np.dtype(">f4")
        assert found["rest"][:5] == value["rest"][:5]
        np.testing.assert_array_equal(found["rest"][5], np.eye(3))


@given(array=hnp.arrays(st.sampled_from(["<f8", ">f4", "<i2", "u1", "?", "<c16", "<U3", "S2"]), hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)))
def test_any_plain_array_comes_back(array: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = read_pickle(saved(tmp_path_factory.mktemp("pickles"), array))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not accepted"):
        read_pickle(saved(tmp_path, np.zeros(2, dtype=[("a", "f8"), ("b", "i4")])))


def test_truncated_and_foreign_files(tmp_path: Path) -> None:
    path = saved(tmp_path, np.arange(100))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="cannot be read as a pickle"):
        read_pickle(path)
    path.write_bytes(b"<html>")
    with pytest.raises(InputError, match="cannot be read as a pickle"):
        read_pickle(path)


def test_an_array_shorter_than_its_shape_is_refused(tmp_path: Path) -> None:
    whole = pickle.dumps(np.arange(4, dtype=np.uint8), 4)
    path = tmp_path / "short.pickle"
    path.write_bytes(whole.replace(b"K\x04\x85", b"K\x7f\x85"))
    with pytest.raises(InputError, match="cannot be read as a pickle"):
        read_pickle(path)
