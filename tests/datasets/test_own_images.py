"""A NIfTI file and a folder of BIDS derivatives of one's own, in the layout that fMRIPrep writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis, SeriesAxis
from nilearn.interfaces.bids import get_bids_files

from yuragi.datasets import _bids
from yuragi.datasets.catalogue import dataset, load
from yuragi.errors import InputError
from yuragi.files import sha256_of

from .images import random_series, saved, series, table, volume

FRAMES = 60


def one_line(message: str) -> str:
    assert "\n" not in message
    assert ";" in message
    return message


def run(folder: Path, name: str, generator: np.random.Generator, interval: float | None = 2.0, stated: float | None = 2.0) -> Path:
    """One preprocessed run: series, sidecar, mask, and confounds with what fMRIPrep leaves out in the first row."""
    space = "space-MNI152NLin2009cAsym"
    func = folder / Path(*[part for part in name.split("_") if part.startswith(("sub-", "ses-"))]) / "func"
    image = saved(random_series(generator, (4, 5, 3, FRAMES), interval), func / f"{name}_{space}_desc-preproc_bold.nii.gz")
    if stated is not None:
        image.with_name(image.name.replace(".nii.gz", ".json")).write_text(json.dumps({"RepetitionTime": stated, "SkullStripped": False}))
    inside = np.zeros((4, 5, 3), np.uint8)
    inside[1:3, 1:4] = 1
    saved(volume(inside), func / f"{name}_{space}_desc-brain_mask.nii.gz")
    columns = {}
    for axis in ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z", "csf", "white_matter", "global_signal"):
        values = generator.normal(size=FRAMES)
        slope = np.diff(values, prepend=np.nan)
        columns |= {axis: values, f"{axis}_derivative1": slope, f"{axis}_power2": values**2, f"{axis}_derivative1_power2": slope**2}
    columns["framewise_displacement"] = np.abs(np.diff(columns["trans_x"], prepend=np.nan))
    table(func / f"{name}_desc-confounds_timeseries.tsv", columns | {"cosine00": np.cos(np.pi * (np.arange(FRAMES) + 0.5) / FRAMES)})
    (func / f"{name}_desc-confounds_timeseries.json").write_text("{}")
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(3)
    run(tmp_path, "sub-01_task-rest_run-1", generator)
    run(tmp_path, "sub-01_task-rest_run-2", generator)
    run(tmp_path, "sub-01_task-film_run-1", generator)
    return tmp_path


def options(folder: Path, **more: object) -> dict[str, object]:
    return {"path": str(folder), "subject": "01", "task": "rest", "run": "1", "standardise": "none"} | more


def residuals(values: np.ndarray, confounds: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(values)), np.arange(len(values)), confounds])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def raw(image: Path) -> np.ndarray:
    import nibabel as nib

    mask = np.asarray(nib.load(str(image).replace("preproc_bold", "brain_mask")).dataobj) > 0
    return np.asarray(nib.load(image).dataobj)[mask].T


def test_voxels_of_one_run(folder: Path) -> None:
    found = load("bids_derivatives", **options(folder, detrend=False))["recording"]
    image = folder / "sub-01/func/sub-01_task-rest_run-1_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
    np.testing.assert_array_equal(found.values, raw(image))
    assert found.attrs["sampling_interval"] == 2.0
    assert image.name in found.attrs["sha256"]
    assert found.attrs["image"] == image.name
    other = load("bids_derivatives", **options(folder, run=2, detrend=False))["recording"]
    assert not np.allclose(other, found)


def test_named_columns_and_a_strategy_remove_the_same_confounds(folder: Path) -> None:
    image = folder / "sub-01/func/sub-01_task-rest_run-1_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
    rows = (image.parent / "sub-01_task-rest_run-1_desc-confounds_timeseries.tsv").read_text().splitlines()
    names = [name for name in rows[0].split("\t") if name.startswith(("trans_", "rot_"))]
    assert len(names) == 24
    cells = [dict(zip(rows[0].split("\t"), row.split("\t"), strict=True)) for row in rows[1:]]
    confounds = np.array([[float("nan") if row[name] == "n/a" else float(row[name]) for name in names] for row in cells])
    confounds[0] = np.where(np.isnan(confounds[0]), confounds[1], confounds[0])
    by_name = load("bids_derivatives", **options(folder, columns=names))["recording"]
    np.testing.assert_allclose(by_name, residuals(raw(image), confounds), atol=1e-8)
    by_strategy = load("bids_derivatives", **options(folder, strategy=["motion"]))["recording"]
    np.testing.assert_allclose(by_strategy, by_name, atol=1e-8)
    assert by_strategy.attrs["confounds"] == 24


def test_volumes_before_the_steady_state_are_dropped(folder: Path) -> None:
    image = folder / "sub-01/func/sub-01_task-rest_run-1_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
    path = image.parent / "sub-01_task-rest_run-1_desc-confounds_timeseries.tsv"
    rows = path.read_text().splitlines()
    marks = ["non_steady_state_outlier00\tnon_steady_state_outlier01", "1\t0", "0\t1", *["0\t0"] * (FRAMES - 2)]
    path.write_text("\n".join(f"{row}\t{mark}" for row, mark in zip(rows, marks, strict=True)) + "\n")
    found = load("bids_derivatives", **options(folder, strategy=["wm_csf"]))["recording"]
    columns = [rows[0].split("\t").index(name) for name in ("csf", "white_matter")]
    confounds = np.array([[float(row.split("\t")[column]) for column in columns] for row in rows[3:]])
    np.testing.assert_allclose(found, residuals(raw(image)[2:], confounds), atol=1e-8)
    assert (found.sizes["time"], found.attrs["dropped_volumes"]) == (FRAMES - 2, 2)


def test_regions_by_name(folder: Path, tmp_path: Path) -> None:
    regions = np.zeros((4, 5, 3), np.int16)
    regions[1, :3], regions[2] = 5, 2
    atlas = saved(volume(regions), tmp_path / "atlas" / "atlas.nii.gz")
    names = tmp_path / "atlas" / "atlas.tsv"
    names.write_text("index\tname\n2\tright\n5\tleft\n")
    found = load("bids_derivatives", **options(folder, atlas=str(atlas), names=str(names)))["recording"]
    assert found["unit"].values.tolist() == ["right", "left"]
    made = dataset("bids_derivatives", **options(folder, atlas=str(atlas), names=str(names), columns=["csf"]))
    assert {path.name for path in made.local_files()} == {
        "sub-01_task-rest_run-1_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz",
        "sub-01_task-rest_run-1_space-MNI152NLin2009cAsym_desc-preproc_bold.json",
        "sub-01_task-rest_run-1_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz",
        "sub-01_task-rest_run-1_desc-confounds_timeseries.tsv",
        "atlas.nii.gz",
        "atlas.tsv",
    }
    assert all(path.is_file() for path in made.local_files())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"subject": "02"}, "no subject '02'; there are 01"),
        ({"task": "rset"}, "no task 'rset' of this subject; there are film, rest"),
        ({"run": "7"}, "no run '7' of this subject; there are 1, 2"),
        ({"session": "a"}, "no session 'a' of this subject; there are none"),
        ({"run": ""}, r"2 series fit \(run-1; run-2\); choose one by run"),
        ({"columns": ["trans_q"]}, "'trans_q' does not exist"),
        ({"strategy": ["compcor"]}, "strategy compcor cannot be loaded"),
        ({"high": 0.3}, "high = 0.3 Hz lies outside 0 to 0.25 Hz"),
        ({"low": 0.005}, "60 frames, but one cycle"),
        ({"atlas": "nowhere.nii.gz"}, r"nowhere\.nii\.gz: no such file"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(folder: Path, more: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        load("bids_derivatives", **options(folder, **more))
    one_line(str(caught.value))


def test_sessions_are_told_apart(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    run(tmp_path, "sub-01_ses-a_task-rest", generator)
    run(tmp_path, "sub-01_ses-b_task-rest", generator)
    with pytest.raises(InputError, match=r"2 series fit \(ses-a; ses-b\); choose one by session"):
        load("bids_derivatives", path=str(tmp_path), subject="01")
    assert load("bids_derivatives", path=str(tmp_path), subject="01", session="b")["recording"].attrs["image"].startswith("sub-01_ses-b")


@pytest.mark.parametrize(
    ("header", "stated", "given", "told"),
    [
        (2.0, 1.5, None, "RepetitionTime 1.5 s, but the header of .* states 2 s; give repetition_time"),
        (None, None, None, "the header states no repetition time"),
        (2.0, 1.5, 1.5, 1.5),
        (None, 1.5, None, 1.5),
        (2.0, None, None, 2.0),
        (2.0, 2.0005, None, 2.0005),
    ],
)
def test_the_repetition_time_of_sidecar_and_header(
    tmp_path: Path, header: float | None, stated: float | None, given: float | None, told: str | float
) -> None:
    run(tmp_path, "sub-01_task-rest", np.random.default_rng(0), header, stated)
    asked = {"path": str(tmp_path), "subject": "01", "repetition_time": given}
    if isinstance(told, float):
        assert load("bids_derivatives", **asked)["recording"].attrs["sampling_interval"] == told
        return
    with pytest.raises(InputError, match=told) as caught:
        load("bids_derivatives", **asked)
    one_line(str(caught.value))


def test_the_files_are_those_that_nilearn_finds(folder: Path) -> None:
    theirs = get_bids_files(folder, file_tag="bold", file_type="nii.gz", sub_label="01", modality_folder="func", filters=[("desc", "preproc")])
    assert [str(path) for path in _bids.preprocessed_runs(folder, "01")] == theirs


def test_files_are_listed_without_loading_nilearn(folder: Path) -> None:
    code = (
        "import sys\n"
        "from yuragi.datasets.catalogue import dataset\n"
        f"made = dataset('bids_derivatives', path={str(folder)!r}, subject='01', task='rest', run='1', strategy=['motion'])\n"
        "assert len(made.local_files()) == 5, made.local_files()\n"
        "heavy = {'nilearn', 'nibabel', 'xarray', 'scipy', 'pandas'}\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules if '.' in name} & heavy))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_a_nifti_file(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    image = random_series(generator, (4, 5, 3, FRAMES))
    values = np.asarray(image.dataobj)
    path = str(saved(image, tmp_path / "bold.nii.gz"))
    inside = np.zeros((4, 5, 3), np.uint8)
    inside[1, :2] = 1
    mask = str(saved(volume(inside), tmp_path / "mask.nii.gz"))
    drift = generator.normal(size=FRAMES)
    confounds = str(table(tmp_path / "confounds.csv", {"drift": drift, "other": drift**2}, ","))
    found = load("nifti_recording", path=path, mask=mask, confounds=confounds, confound_columns=["drift"], standardise="none")["recording"]
    np.testing.assert_allclose(found, residuals(values[inside > 0].T, drift[:, None]), atol=1e-8)
    one = load("nifti_recording", path=path, mask=mask, voxels=[[1, 1, 2]], detrend=False, standardise="none")["recording"]
    np.testing.assert_array_equal(one.values[:, 0], values[1, 1, 2])
    regions = load("nifti_recording", path=path, atlas=mask, detrend=False, standardise="none")["recording"]
    np.testing.assert_allclose(regions.values[:, 0], values[inside > 0].mean(axis=0))
    assert {"source", "licence", "citation", "sha256"} <= set(found.attrs)
    assert [file.name for file in dataset("nifti_recording", path=path, mask=mask, confounds=confounds).local_files()] == [
        "bold.nii.gz",
        "mask.nii.gz",
        "confounds.csv",
    ]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "neither mask nor atlas is given"),
        ({"atlas": "a.nii", "voxels": [[0, 0, 0]]}, "voxels are taken from a mask"),
        ({"mask": "m.nii", "names": "n.tsv"}, "names are those of an atlas"),
        ({"mask": "m.nii", "confound_columns": ["csf"]}, "confound_columns are those of a table"),
        ({"mask": "m.nii", "low": 0.1, "high": 0.05}, "is empty; give low < high"),
        ({"mask": "m.nii", "voxels": [[0, -1, 0]]}, "voxels"),
        ({"mask": "m.nii", "repetition_time": 0}, "repetition_time"),
    ],
)
def test_options_that_contradict_each_other(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        dataset("nifti_recording", path="bold.nii.gz", **wrong)
    assert "\n" not in str(caught.value)


def grayordinates(path: Path) -> Path:
    axes = (SeriesAxis(0, 0.72, 30), BrainModelAxis.from_surface(np.arange(10), 20, "CIFTI_STRUCTURE_CORTEX_LEFT"))
    nib.Cifti2Image(np.zeros((30, 10), np.float32), axes).to_filename(path)
    return path


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((4, 5, 3, FRAMES), np.complex64), "its voxels are complex numbers, expected real numbers; give another file as image"),
        (np.zeros((4, 5, 3, FRAMES), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "its voxels are of the type .*expected real numbers"),
        (None, r"is a Cifti2Image, which has no voxels; give a NIfTI file as image \('cifti_recording' reads CIFTI\)"),
    ],
)
def test_an_image_without_real_voxels_is_told_in_one_line(tmp_path: Path, values: np.ndarray | None, told: str) -> None:
    path = grayordinates(tmp_path / "rest.dtseries.nii") if values is None else saved(series(values), tmp_path / "bold.nii.gz")
    mask = saved(volume(np.ones((4, 5, 3), np.uint8)), tmp_path / "mask.nii.gz")
    with pytest.raises(InputError, match=told) as caught:
        load("nifti_recording", path=str(path), mask=str(mask))
    one_line(str(caught.value))


def test_files_of_one_name_in_two_folders_both_leave_their_hash(tmp_path: Path) -> None:
    image = saved(random_series(np.random.default_rng(0), (4, 5, 3, FRAMES)), tmp_path / "run" / "image.nii.gz")
    mask = saved(volume(np.ones((4, 5, 3), np.uint8)), tmp_path / "mask" / "image.nii.gz")
    found = load("nifti_recording", path=str(image), mask=str(mask)).attrs["sha256"]
    assert found == ", ".join(f"image.nii.gz={sha256_of(path)}" for path in (image, mask))
