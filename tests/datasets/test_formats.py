"""Formats give their arrays, and one clear line for what is missing, truncated or of another shape."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from yuragi.datasets.formats import (
    check_shape,
    hdf5_member,
    open_hdf5,
    read_idx,
    read_javascript_integers,
    read_mat,
    read_npy,
    read_png,
)
from yuragi.errors import InputError


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def refused(path: Path, told: str) -> pytest.RaisesExc[InputError]:
    return pytest.raises(InputError, match=told, check=lambda error: str(path) in str(error) and "\n" not in str(error))


def test_npy(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(1000.0))
    np.testing.assert_array_equal(read_npy(path), np.arange(1000.0))
    halve(path)
    with refused(path, "cannot be read as a numpy array"):
        read_npy(path)
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with refused(path, "cannot be read as a numpy array"):
        read_npy(path)


def test_mat(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"tc": np.arange(6.0).reshape(2, 3), "other": np.eye(50)})
    (found,) = read_mat(path, "tc")
    np.testing.assert_array_equal(found, np.arange(6.0).reshape(2, 3))
    with refused(path, r"holds no 'activity' but tc, other"):
        read_mat(path, "activity")
    halve(path)
    with refused(path, "cannot be read as a MATLAB file"):
        read_mat(path, "other")


def test_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["group/a"] = np.arange(10_000.0)
        file["group/b"] = 1.0
    with open_hdf5(path) as file:
        assert hdf5_member(file["group"], "a", path).shape == (10_000,)
    with refused(path, r"holds no '/group/c' but a, b"), open_hdf5(path) as file:
        hdf5_member(file["group"], "c", path)
    halve(path)
    with refused(path, "cannot be read as HDF5"), open_hdf5(path):
        pass


def test_png(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_png(path, "L", 30, 40), pixels)
    with refused(path, "pixels are L, expected RGB"):
        read_png(path, "RGB", 30, 40)
    with refused(path, "'pixels' is 30 x 40, expected 40 x 30"):
        read_png(path, "L", 40, 30)
    halve(path)
    with refused(path, "cannot be read as a PNG image"):
        read_png(path, "L", 30, 40)


def test_idx(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path.write_bytes(gzip.compress(struct.pack(">4B3i", 0, 0, 8, 3, 2, 3, 4) + values.tobytes()))
    np.testing.assert_array_equal(read_idx(path, (2, None, 4)), values)
    with refused(path, "'array' is 2 x 3 x 4, expected 5 x any x 4"):
        read_idx(path, (5, None, 4))
    path.write_bytes(gzip.compress(struct.pack(">4B3i", 0, 0, 8, 3, 2, 3, 4) + values.tobytes()[:-1]))
    with refused(path, "gzipped idx"):
        read_idx(path, (2, 3, 4))
    path.write_bytes(gzip.compress(b"something else"))
    with refused(path, "no idx header"):
        read_idx(path, (2, 3, 4))
    path.write_bytes(b"not gzipped")
    with refused(path, "gzipped idx"):
        read_idx(path, (2, 3, 4))


def test_javascript(tmp_path: Path) -> None:
    path = tmp_path / "labels.js"
    path.write_text("var labels=[3, 1,\n 2];\n")
    assert read_javascript_integers(path, "labels").tolist() == [3, 1, 2]
    for text in ("var labels=[3, 1", "var other=[1];", "var labels=[1];alert(1);", "var labels=[f()];", "var labels=[1,,2];", ""):
        path.write_text(text)
        with refused(path, "cannot be read as a JavaScript array"):
            read_javascript_integers(path, "labels")


def test_shapes() -> None:
    with pytest.raises(InputError, match=r"a.mat: 'tc' is 3 x 4, expected 94 x any"):
        check_shape("a.mat", "tc", (3, 4), (94, None))
    with pytest.raises(InputError, match="expected 3 x 4 x 5"):
        check_shape("a.mat", "tc", (3, 4), (3, 4, 5))
