"""R data files: the one variable that is asked for, as numbers; what else is in the file stays a record and is never run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import rdata
from rdata.conversion import convert_python_to_r_data
from rdata.parser import RObject, RObjectInfo, RObjectType
from rdata.unparser import unparse_file

from yuragi.datasets import abide_rest_voxels
from yuragi.datasets._rda import read_rda
from yuragi.datasets.catalogue import dataset
from yuragi.errors import InputError


@pytest.fixture
def slice_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, np.ndarray]:
    """A file as the package saves it, with fewer voxels: rdata writes slowly."""
    monkeypatch.setitem(abide_rest_voxels.VARIABLES, "0051479", ("Dat2", 14, 46))
    values = np.random.default_rng(0).integers(0, 900, (14, 46)).astype(float)
    path = tmp_path / "Dat2.rda"
    rdata.write_rda(path, {"Dat2": values, "note": "a text"})
    return path, values


def test_abide_is_time_by_voxel(slice_of: tuple[Path, np.ndarray]) -> None:
    path, values = slice_of
    found = dataset("abide_rest_voxels").read({"Dat2.rda": path})["recording"]
    assert found.dims == ("time", "unit")
    np.testing.assert_array_equal(found.values, values)
    assert np.isnan(found.attrs["sampling_interval"])
    assert found["time"].attrs["units"] == "frame"
    known = dataset("abide_rest_voxels", sampling_interval=2.0).read({"Dat2.rda": path})["recording"]
    assert known["time"].values[3] == 6.0


def test_subject_may_be_a_number() -> None:
    assert dataset("abide_rest_voxels", subject=50048) == dataset("abide_rest_voxels", subject="0050048")
    with pytest.raises(InputError, match="subject"):
        dataset("abide_rest_voxels", subject=True)
    with pytest.raises(InputError, match="sampling_interval"):
        dataset("abide_rest_voxels", sampling_interval=0)


def test_what_is_missing_or_no_number_is_told(slice_of: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    path, _ = slice_of
    with pytest.raises(InputError, match="holds no 'Dat1' but Dat2, note"):
        dataset("abide_rest_voxels", subject="0050048").read({"Dat1.rda": path})
    with pytest.raises(InputError, match="'note' is of R's type str, expected numbers"):
        read_rda(path, "note")
    rdata.write_rda(path, {"Dat2": np.zeros((3, 2))})
    with pytest.raises(InputError, match="'Dat2' is 3 x 2, expected 14 x 46"):
        dataset("abide_rest_voxels").read({"Dat2.rda": path})
    for name, content in {"page.rda": b"<html>", "half.rda": path.read_bytes()[:40], "empty.rda": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as an R data file"):
            read_rda(tmp_path / name, "Dat2")


def test_integers_with_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "whole.rda"
    rdata.write_rda(path, {"whole": np.array([[1, 2], [3, 4]], dtype=np.int32)})
    found = read_rda(path, "whole")
    assert found.dtype == np.float64
    assert found.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_call_in_the_file_is_never_made(tmp_path: Path) -> None:
    """``system("touch …")`` as a language object beside the matrix: a record of symbols, which nothing evaluates."""
    mark = tmp_path / "was_here"
    whole = convert_python_to_r_data({"Dat2": np.ones((2, 2)), "command": f"touch {mark}"}, file_type="rda")

    def info(kind: RObjectType) -> RObjectInfo:
        return RObjectInfo(type=kind, object=False, attributes=False, tag=False, gp=0, reference=0)

    def record(kind: RObjectType, value: object) -> RObject:
        return RObject(info=info(kind), value=value, attributes=None, tag=None, referenced_object=None)

    matrix, (text, end) = whole.object.value[0], whole.object.value[1].value
    symbol = record(
        RObjectType.SYM, dataclasses.replace(record(RObjectType.CHAR, b"system"), info=dataclasses.replace(info(RObjectType.CHAR), gp=64))
    )
    call = record(RObjectType.LANG, (symbol, record(RObjectType.LIST, (text, end))))
    rest = dataclasses.replace(whole.object.value[1], value=(call, end))
    unparse_file(tmp_path / "call.rda", dataclasses.replace(whole, object=dataclasses.replace(whole.object, value=(matrix, rest))), file_type="rda")
    np.testing.assert_array_equal(read_rda(tmp_path / "call.rda", "Dat2"), np.ones((2, 2)))
    with pytest.raises(InputError, match="'command' is of R's type lang"):
        read_rda(tmp_path / "call.rda", "command")
    assert not mark.exists()
