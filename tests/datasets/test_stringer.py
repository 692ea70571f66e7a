"""Stringer's files in both MATLAB formats, from the listing over the download to labelled arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from yuragi.datasets import repositories
from yuragi.datasets.catalogue import dataset, load
from yuragi.datasets.matlab import read_variables
from yuragi.datasets.preprocessing import repeats_by_halves, zscore_by_spontaneous
from yuragi.errors import InputError

from .conftest import Server

UNITS, FRAMES, IMAGES = 6, 40, 5
NATIMG = "natimg2800_M170714_MP032_2017-09-14.mat"
SPONT = "spont_M160907_MP028_2016-09-26.mat"


def version_5(path: Path, variables: dict[str, Any]) -> None:
    """As MATLAB's ``save``: structures, and an array of structures for the cells' statistics."""
    cells = variables.get("stat")
    if cells is not None:
        names = list(cells[0])
        array = np.zeros((1, len(cells)), dtype=[(name, object) for name in names])
        for place, cell in enumerate(cells):
            for name in names:
                array[name][0, place] = cell[name]
        variables = variables | {"stat": array}
    savemat(path, variables)


def version_73(path: Path, variables: dict[str, Any]) -> None:
    """As MATLAB's ``save -v7.3``: HDF5 after a block of 512 bytes, axes reversed, arrays of structures as references."""
    with h5py.File(path, "w", userblock_size=512) as file:

        def put(group: h5py.Group, name: str, value: Any) -> None:
            if isinstance(value, dict):
                for key, item in value.items():
                    put(group.require_group(name), key, item)
            elif isinstance(value, list):
                for key in value[0]:
                    references = []
                    for place, cell in enumerate(value):
                        file[f"#refs#/{key}{place}"] = np.atleast_2d(cell[key])
                        references.append([file[f"#refs#/{key}{place}"].ref])
                    group.require_group(name).create_dataset(key, data=np.array(references, dtype=object), dtype=h5py.ref_dtype)
            else:
                group[name] = np.atleast_2d(value).T

        for name, value in variables.items():
            put(file, name, value)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(512))


Write = Callable[[Path, dict[str, Any]], None]
both = pytest.mark.parametrize("write", [version_5, version_73])


@pytest.fixture
def natimg() -> dict[str, Any]:
    """Images 1 to 5, image 4 once and image 2 three times, and the gray screen as number 6; the second cell is labelled."""
    generator = np.random.default_rng(0)
    shown = np.array([1, 6, 2, 3, 2, 5, 4, 6, 1, 2, 3, 5], dtype=np.float64)
    responses = generator.gamma(2.0, 1.0, (len(shown), UNITS)).astype(np.float32)
    responses[0, 2] = np.nan
    spontaneous = generator.gamma(2.0, 1.0, (FRAMES, UNITS)).astype(np.float32)
    return {
        "stim": {"resp": responses, "istim": shown[:, None], "spont": spontaneous},
        "stat": [{"npix": 30.0 + place, "noiseLevel": 0.5, "redcell": float(place == 1)} for place in range(UNITS)],
        "med": generator.uniform(0, 500, (UNITS, 3)),
    }


@pytest.fixture
def spont() -> dict[str, Any]:
    generator = np.random.default_rng(1)
    return {
        "Fsp": generator.gamma(2.0, 1.0, (UNITS, FRAMES)).astype(np.float32),
        "med": generator.uniform(0, 500, (UNITS, 3)),
        "stat": [{"npix": 30.0, "redcell": float(place == 4)} for place in range(UNITS)],
        "beh": {"runSpeed": generator.uniform(0, 30, (FRAMES, 1)), "face": {"motionSVD": generator.normal(size=(FRAMES, 3)).astype(np.float32)}},
        "db": {"nplanes": 10.0},
    }


def publish(server: Server, monkeypatch: pytest.MonkeyPatch, article: int, path: Path) -> None:
    body = path.read_bytes()
    monkeypatch.setattr(repositories, "FIGSHARE", server.address)
    entry = {
        "name": path.name,
        "size": len(body),
        "computed_md5": hashlib.md5(body).hexdigest(),
        "download_url": f"{server.address}/files/1",
    }
    server.bodies |= {f"/articles/{article}/files?page=1&page_size=100": json.dumps([entry]).encode(), "/files/1": body}


@both
def test_natural_images_from_the_listing_to_repeats(
    write: Write, natimg: dict[str, Any], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / NATIMG, natimg)
    publish(server, monkeypatch, 6845348, tmp_path / NATIMG)
    found = load("stringer2019_natimg2800", zscore=False, spontaneous_components=0, subtract_mean=False)["responses"]
    assert found.dtype == np.float32
    assert found["stimulus"].values.tolist() == [1, 2, 3, 5]
    assert found["unit"].values.tolist() == [0, 2, 3, 4, 5]
    responses = natimg["stim"]["resp"]
    np.testing.assert_array_equal(found.sel(stimulus=3).values, responses[[3, 10]][:, [0, 2, 3, 4, 5]])
    np.testing.assert_array_equal(found.sel(stimulus=2, unit=5).values, responses[[2, 9], 5])  # the middle one of three is left out
    assert float(found.sel(stimulus=1, unit=2)[0]) == 0.0  # missing counts as zero
    np.testing.assert_array_equal(found["y"].values, natimg["med"][[0, 2, 3, 4, 5], 1])
    assert found.attrs["sha256"] == hashlib.sha256((tmp_path / NATIMG).read_bytes()).hexdigest()


@both
def test_natural_images_preprocessed(write: Write, natimg: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / NATIMG, natimg)
    found = dataset("stringer2019_natimg2800", spontaneous_components=2, drop_labelled=False).read({NATIMG: tmp_path / NATIMG})["responses"]
    assert found.shape == (2, 4, UNITS)
    responses, spontaneous = np.nan_to_num(natimg["stim"]["resp"].astype(float)), natimg["stim"]["spont"].astype(float)
    shown = natimg["stim"]["istim"].ravel().astype(int)
    standard = zscore_by_spontaneous(spontaneous, spontaneous)
    leading = np.linalg.svd(standard, full_matrices=False)[2][:2]
    expected = zscore_by_spontaneous(responses, spontaneous)[shown < 6]
    expected = expected - expected @ leading.T @ leading
    expected = expected - expected.mean(axis=0)
    np.testing.assert_allclose(found.values, repeats_by_halves(expected, shown[shown < 6])[0], atol=1e-5)
    assert found.attrs["units"] == "spontaneous standard deviations"


@both
def test_spontaneous_activity_with_the_places_of_the_cells(
    write: Write, spont: dict[str, Any], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / SPONT, spont)
    publish(server, monkeypatch, 6163622, tmp_path / SPONT)
    found = load("stringer2019_spontaneous")["recording"]
    kept = [0, 1, 2, 3, 5]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.values, spont["Fsp"][kept].T)
    for place, axis in enumerate("xyz"):
        np.testing.assert_array_equal(found[axis].values, spont["med"][kept, place])
    np.testing.assert_array_equal(found["running_speed"].values, spont["beh"]["runSpeed"].ravel())
    assert (found.attrs["planes"], found.attrs["frames_per_bin"]) == (10, 4)
    assert found["time"].attrs["units"] == "frame"


@both
def test_files_without_the_optional_fields(write: Write, spont: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / SPONT, {name: spont[name] for name in ("Fsp", "med")})
    found = dataset("stringer2019_spontaneous").read({SPONT: tmp_path / SPONT})["recording"]
    assert found.shape == (FRAMES, UNITS)
    assert "frames_per_bin" not in found.attrs


@both
def test_what_is_missing_is_told_with_what_is_there(write: Write, natimg: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / NATIMG
    del natimg["stim"]["spont"]
    write(path, natimg)
    with pytest.raises(InputError, match=r"holds no '/?stim[./]spont' but .*istim, resp|holds no 'stim\.spont' but resp, istim") as caught:
        dataset("stringer2019_natimg2800").read({NATIMG: path})
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"holds no '/?imgs' but .*med"):
        read_variables(path, "imgs")
    with pytest.raises(InputError, match=r"stat"):
        read_variables(path, "stat")


@both
def test_arrays_that_do_not_belong_together(write: Write, natimg: dict[str, Any], tmp_path: Path) -> None:
    natimg["med"] = natimg["med"][:-1]
    write(tmp_path / NATIMG, natimg)
    with pytest.raises(InputError, match="'med' is 5 x 3, expected 6 x 3"):
        dataset("stringer2019_natimg2800").read({NATIMG: tmp_path / NATIMG})


@both
def test_a_truncated_file(write: Write, spont: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / SPONT, spont)
    (tmp_path / SPONT).write_bytes((tmp_path / SPONT).read_bytes()[:900])
    with pytest.raises(InputError, match=r"cannot be read as .* it may be truncated"):
        dataset("stringer2019_spontaneous").read({SPONT: tmp_path / SPONT})
