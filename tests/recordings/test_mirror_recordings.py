"""Recordings and responses of the mirror that have files of their own kind: what the real files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from yuragi.datasets.catalogue import dataset, load
from yuragi.datasets.quality import check_units

pytestmark = pytest.mark.recordings


def read(mirror: Path, cache: Path, name: str, **options: object) -> xr.Dataset:
    data = load(name, cache=cache, mirror=mirror, **options)
    array = data[dataset(name).contents]
    axes = {"repeats": "repeat", "stimuli": "stimulus", "units": "unit", "frames": "time"}
    assert {axes[key]: size for key, size in dataset(name, **options).sizes().items()} == dict(array.sizes)
    assert array.dtype == np.float64
    return data


@pytest.mark.parametrize(("subject", "shape", "constant", "last"), [(50048, (193, 4675), 283, 186.0), ("0051479", (145, 4679), 68, 19.0)])
def test_abide(mirror: Path, tmp_path: Path, subject: str | int, shape: tuple[int, int], constant: int, last: float) -> None:
    found = read(mirror, tmp_path, "abide_rest_voxels", subject=subject)["recording"]
    assert found.shape == shape
    assert np.isnan(found.attrs["sampling_interval"])
    assert found.values[-1, -1] == last
    assert check_units(found).attrs["dropped_constant_units"] == constant


@pytest.mark.parametrize(
    ("recording", "shape", "interval", "first", "missing"),
    [
        ("mouse_v1", (6001, 74), 1 / 30, -0.09612353, []),
        ("zebrafish_pdp_1", (260, 1005), 1 / 7.5, 0.03093097, [60, 348]),
        ("zebrafish_pdp_2", (260, 1005), 1 / 7.5, 0.02330997, [60, 348]),
        ("zebrafish_pdp_3", (260, 1005), 1 / 7.5, 0.00788179, [60, 348]),
        ("zebrafish_pdp_4", (260, 1005), 1 / 7.5, -0.19448983, [60, 348]),
    ],
)
def test_cascade(mirror: Path, tmp_path: Path, recording: str, shape: tuple[int, int], interval: float, first: float, missing: list[int]) -> None:
    found = read(mirror, tmp_path, "cascade_examples", recording=recording)["recording"]
    assert found.shape == shape
    assert found.attrs["sampling_interval"] == interval
    assert found.values[0, 0] == pytest.approx(first, abs=1e-7)
    assert np.flatnonzero(np.isnan(found.values).any(axis=0)).tolist() == missing
    checked = check_units(found)
    assert (checked.attrs["dropped_missing_units"], checked.attrs["dropped_constant_units"]) == (len(missing), 0)


def test_legare(mirror: Path, tmp_path: Path) -> None:
    whole = read(mirror, tmp_path, "legare2025_zebrafish", part="all")
    found = whole["recording"]
    assert found.shape == (892, 70)
    assert np.isnan(found.attrs["sampling_interval"])
    assert found.values[0, 0] == pytest.approx(0.7006867)
    assert found["unit"].values[[0, 69]].tolist() == ["OE", "LRN"]
    assert found["region"].values[42] == "cerebellum"
    # Two centroids a region, which mirror each other in x.
    assert (found["x"] < found["x_opposite"]).sum() > 35
    connections = whole["structural_connectivity"]
    assert (float(connections.min()), float(connections.max()), float(np.abs(np.diag(connections)).max())) == (0.0, 1.0, 0.0)
    assert (connections.values > 0).mean() == pytest.approx(0.2845, abs=1e-4)
    flat = np.ptp(found.values, axis=0) == 0
    assert found["unit"].values[flat].tolist() == ["RH", "Pit", "GG"]
    assert check_units(found).attrs["dropped_constant_units"] == 3
    rest = read(mirror, tmp_path, "legare2025_zebrafish")
    np.testing.assert_array_equal(rest["recording"].values, found.values[:600])
    undirected = np.load(mirror / "legare2025_zebrafish" / "SC_undirected.npy")
    np.testing.assert_array_equal((undirected > 0), (connections.values > 0) | (connections.values.T > 0))


def test_rapidtide(mirror: Path, tmp_path: Path) -> None:
    found = read(mirror, tmp_path, "rapidtide_rest_cifti")["recording"]
    assert found.shape == (1200, 419)
    assert found.attrs["sampling_interval"] == 0.72
    np.testing.assert_array_equal(found.values[0, :3], np.float32([11124.63671875, 11227.42285156, 10167.82324219]))
    assert found["unit"].values[[0, 400, 418]].tolist() == ["17Networks_LH_VisCent_ExStr_1", "CEREBELLUM_LEFT", "DIENCEPHALON_VENTRAL_RIGHT"]
    places, counts = np.unique(found["structure"].values, return_counts=True)
    assert dict(zip(places.tolist(), counts.tolist(), strict=True)) == {"CORTEX_LEFT": 200, "CORTEX_RIGHT": 200, "volume": 19}
    assert check_units(found, constant="refuse", missing="refuse").shape == found.shape
    path = mirror / "rapidtide_rest_cifti" / "sub-RAPIDTIDETEST_cifti.ptseries.nii"
    own = load("cifti_recording", path=str(path), structures=("CORTEX_RIGHT",))["recording"]
    np.testing.assert_array_equal(own.values, found.values[:, 200:400])
    assert own["unit"].values.tolist() == found["unit"].values[200:400].tolist()


def test_yamada(mirror: Path, tmp_path: Path) -> None:
    data = read(mirror, tmp_path, "yamada2015_v1", series=True)
    found, series = data["responses"], data["recording"]
    assert found.shape == (8, 30, 910)
    assert series.shape == (520, 910)
    assert series.values[0, :3].tolist() == [554.0, 842.0, 973.0]
    assert series.attrs["sampling_interval"] == 2.0
    names, counts = np.unique(series["shown"].values, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "test pre rest": 40, "test rest": 240, "square8x8": 48, "smallFrame8x8": 48, "largeFrame8x8": 48, "plus8x8": 48, "cross8x8": 48,
    }  # fmt: skip
    assert found["image"].values[::6].tolist() == ["square8x8", "smallFrame8x8", "largeFrame8x8", "plus8x8", "cross8x8"]
    assert found["run"].values.tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [int(found[region].sum()) for region in ("LH_V1d", "LH_V1v", "RH_V1d", "RH_V1v")] == [338, 243, 243, 229]
    assert (found["LH_V1d"] | found["LH_V1v"] | found["RH_V1d"] | found["RH_V1v"]).values.all()
    checked = check_units(found, constant="refuse", missing="refuse")
    assert checked.shape == found.shape


def test_yamada_images_are_told_apart_late_in_the_block(mirror: Path, tmp_path: Path) -> None:
    """What the delay is for: between two halves of the repeats, images agree with themselves four seconds after the onset and not at it."""

    def agreement(delay: int) -> np.ndarray:
        found = read(mirror, tmp_path, "yamada2015_v1", delay=delay)["responses"].values
        images = found.reshape(8, 5, 6, 910)
        images = images - images.mean(axis=1, keepdims=True)
        return (images[::2].mean(axis=0) * images[1::2].mean(axis=0)).mean(axis=(0, 2))

    early, late = agreement(0), agreement(2)
    np.testing.assert_allclose(early[2:], late[:4], rtol=1e-9)
    assert early[:2].max() < 0.02
    assert late[1:].min() > 0.1
    assert int(np.argmax(late)) + 2 in (5, 6)


@pytest.mark.parametrize("session", ["BrainScanner20180223_141721", "BrainScanner20180223_142554"])
@pytest.mark.parametrize("segment", ["all", "longest"])
def test_the_nwb_reader_agrees_with_the_one_for_scholz(mirror: Path, tmp_path: Path, session: str, segment: str) -> None:
    chosen = dataset("scholz2018_celegans", session=session, segment=segment)
    known = load("scholz2018_celegans", cache=tmp_path, mirror=mirror, session=session, segment=segment)["recording"]
    path = mirror / "scholz2018_celegans" / chosen.files()[0].name
    found = load("nwb_recording", path=str(path), series="acquisition/Activity_*", segment=segment)["recording"]
    np.testing.assert_array_equal(found.values, known.values)
    np.testing.assert_array_equal(found["time"].values, known["time"].values)
    np.testing.assert_array_equal(found["segment"].values, known["segment"].values)
    assert found["unit"].values[-1] == f"Activity_{known['unit'].values[-1]}"
    assert found.attrs["pauses"] == known.attrs["pauses"]
