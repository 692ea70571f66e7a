"""The fMRI session of Yamada et al. 2015 in its published layout: blocks become stimuli, runs stay apart, and another protocol is refused."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from yuragi.datasets import _yamada2015 as yamada
from yuragi.datasets.catalogue import dataset
from yuragi.errors import InputError

NAMES = ["test pre rest", "test rest", "square8x8", "smallFrame8x8", "largeFrame8x8", "plus8x8", "cross8x8"]
ORDERS = [(0, 1, 3, 4, 2, 3, 2, 4, 0, 1), (0, 1, 3, 4, 2, 1, 4, 0, 2, 3), (0, 1, 3, 4, 2, 2, 4, 3, 0, 1), (0, 1, 3, 4, 2, 2, 1, 4, 3, 0)]


def protocol() -> np.ndarray:
    """The label of each volume: ten of rest, then six of an image and six of rest, ten times, in four runs."""
    runs = [[1] * 10 + [label for image in order for label in [2001 + image] * 6 + [2] * 6] for order in ORDERS]
    return np.array(runs).ravel()


@pytest.fixture
def session(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Voxels that are told apart by their scale; each volume bears its number."""
    values = 100.0 + np.arange(520.0)[:, None] * (1.0 + np.arange(910.0))
    labels = protocol()
    path = tmp_path / "session.mat"
    with h5py.File(path, "w") as file:

        def cells(values: list[np.ndarray]) -> np.ndarray:
            references = []
            for value in values:
                place = f"#refs#/{len(file['#refs#']) if '#refs#' in file else 0}"
                file[place] = value
                references.append([file[place].ref])
            return np.array(references, dtype=object)

        def texts(names: list[str]) -> list[np.ndarray]:
            return [np.array([[ord(character)] for character in name], dtype=np.uint16) for name in names]

        file["D/data"] = values.T
        file["D/xyz"] = np.arange(2730.0).reshape(910, 3)
        file["D/labels"] = labels[None].astype(float)
        file["D/inds_runs"] = [[1.0, 130.0], [131.0, 260.0], [261.0, 390.0], [391.0, 520.0]]
        codes = [1, 2, *range(2001, 2006)]
        regions = {f"VOX_MF100301_{name}": np.arange(start, start + 300.0)[:, None] for name, start in {"LH_V1d": 1, "RH_V1v": 611}.items()}
        for name, value in {
            "labels_names": texts(NAMES),
            "inds_conds": [np.flatnonzero(labels == code)[:, None] + 1.0 for code in codes],
            "rois_names": texts(list(regions)),
            "rois_inds": list(regions.values()),
        }.items():
            file.create_dataset(f"D/{name}", data=cells(value), dtype=h5py.ref_dtype)
        file["P/fMRI/TR"] = [[2.0]]
    return path, values


def test_yamada_stimuli_are_volumes_of_blocks(session: tuple[Path, np.ndarray]) -> None:
    path, values = session
    chosen = dataset("yamada2015_v1", delay=3, detrend=False, standardise=False)
    found = chosen.read({"S2_figureImage.mat": path})["responses"]
    assert found.shape == (8, 30, 910)
    means = values.reshape(4, 130, 910).mean(axis=1)
    labels = protocol()
    for image, name in enumerate(NAMES[2:]):
        onsets = [volume for volume in range(520) if labels[volume] == 2001 + image and labels[volume - 1] != 2001 + image]
        for repeat, late in product(range(8), range(6)):
            volume = onsets[repeat] + 3 + late
            np.testing.assert_allclose(found.values[repeat, 6 * image + late], values[volume] - means[volume // 130], rtol=1e-12)
        assert found["stimulus"].values[6 * image] == f"{name} +6 s"
    assert found["group"].values.tolist() == [image for image in range(5) for _ in range(6)]
    assert found["image"].values[::6].tolist() == NAMES[2:]
    assert found["volume"].values[:6].tolist() == [3, 4, 5, 6, 7, 8]
    assert found["run"].values.tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    assert found.attrs["repetition_time"] == 2.0
    assert (found["LH_V1d"].values.sum(), found["RH_V1v"].values[610], found["RH_V1v"].values[609]) == (300, True, False)
    assert (found["y"].values[2], set(found["area"].values)) == (7.0, {"V1"})


def test_yamada_runs_are_detrended_and_standardised(session: tuple[Path, np.ndarray]) -> None:
    path, values = session
    # A straight line is all that there is: nothing but rounding is left of it.
    flat = dataset("yamada2015_v1", standardise=False).read({"S2_figureImage.mat": path})["responses"]
    assert np.abs(flat.values).max() < 1e-9 * np.abs(values).max()
    scaled = dataset("yamada2015_v1", detrend=False).read({"S2_figureImage.mat": path})["responses"]
    assert scaled.attrs["units"] == "standard deviations of the run"
    expected = (np.arange(130) - 64.5) / np.arange(130).std()
    np.testing.assert_allclose(scaled.values[0, :6, [0, 500]].T, np.stack([expected[12:18]] * 2, axis=1), rtol=1e-9)


def test_yamada_series_restarts_its_clock_in_every_run(session: tuple[Path, np.ndarray]) -> None:
    path, values = session
    data = dataset("yamada2015_v1", series=True).read({"S2_figureImage.mat": path})
    assert "recording" not in dataset("yamada2015_v1").read({"S2_figureImage.mat": path})
    np.testing.assert_array_equal(data["recording"].values, values)
    np.testing.assert_array_equal(data["time"].values, 2.0 * (np.arange(520) % 130))
    np.testing.assert_array_equal(data["volume_run"].values, 1 + np.arange(520) // 130)
    assert data["shown"].values[[0, 10, 16, 130, 519]].tolist() == ["test pre rest", "square8x8", "test rest", "test pre rest", "test rest"]
    assert data["recording"].attrs["sampling_interval"] == 2.0


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("D/labels", None, "holds no '/D/labels' but data, inds_conds"),
        ("P/fMRI/TR", None, "holds no '/P/fMRI/TR' but nothing"),
        ("P/fMRI/TR", [[np.nan]], "the repetition time P/fMRI/TR is nan"),
        ("D/data", np.zeros((910, 130)), "'D/data' is 910 x 130, expected 910 x 520"),
        ("D/labels", np.roll(protocol(), 1)[None], "do not describe the same conditions"),
        ("D/inds_runs", [[1.0, 130.0]] * 4, "does not divide the volumes into 4 runs of 130"),
    ],
)
def test_yamada_refuses_other_files(session: tuple[Path, np.ndarray], name: str, value: Any, told: str) -> None:
    path, _ = session
    with h5py.File(path, "a") as file:
        del file[name]
        if value is not None:
            file[name] = value
    with pytest.raises(InputError, match=told):
        yamada.read_session(path)


def test_yamada_refuses_another_protocol(session: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = session
    whole = yamada.read_session(path)
    shown = whole.shown.copy()
    shown[10:16] = "test rest"
    monkeypatch.setattr(yamada, "read_session", lambda _: yamada.Session(whole.values, whole.images, shown, whole.run, 2.0, whole.voxels))
    with pytest.raises(InputError, match=r"blocks are square8x8 7, smallFrame8x8 8, .*; expected 8 of 6 volumes for each of 5 images"):
        dataset("yamada2015_v1").read({"S2_figureImage.mat": path})
