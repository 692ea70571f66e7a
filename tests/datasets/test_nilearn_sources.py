"""nilearn's own fetchers against a server on this machine that holds small files in exactly the published layout."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import nibabel as nib
import nilearn.datasets
import numpy as np
import pytest
import requests

from yuragi.datasets import _nilearn_series
from yuragi.datasets.catalogue import dataset, load
from yuragi.datasets.fetching import fetch, locate
from yuragi.errors import InputError

from .conftest import Server
from .images import series, volume

MNI = np.array([[-4.0, 0, 0, 90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
SHAPE, FRAMES = (10, 10, 3), 50


@pytest.fixture
def web(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server stands for every host: what is asked of https://host/path is asked of it as /host/path."""
    send = requests.adapters.HTTPAdapter.send

    def redirected(self: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, **options: object) -> requests.Response:
        address = urlsplit(request.url)
        request.url = f"{server.address}/{address.netloc}{address.path}"
        return send(self, request, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", redirected)
    return server


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(2)


def nifti(image: nib.Nifti1Image, packed: bool = True) -> bytes:
    return gzip.compress(image.to_bytes(), mtime=0) if packed else image.to_bytes()


def text(columns: dict[str, list], separator: str) -> bytes:
    lines = [separator.join(columns), *(separator.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return ("\n".join(lines) + "\n").encode()


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def serve_msdl(web: Server, generator: np.random.Generator) -> np.ndarray:
    maps = generator.random((*SHAPE, 39)).astype(np.float32)
    names = [f" region {number} " for number in range(39)]
    table = text({"x": [1.5] * 39, "y": [2] * 39, "z": [3] * 39, "name": names, "net name": ["net"] * 39}, ",")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("MSDL_rois/msdl_rois_labels.csv", table)
        archive.writestr("MSDL_rois/msdl_rois.nii", nifti(volume(maps, MNI), packed=False))
        archive.writestr("MSDL_rois/README.txt", "about the maps")
    web.bodies["/team.inria.fr/parietal/files/2015/01/MSDL_rois.zip"] = out.getvalue()
    return maps


def serve_schaefer(web: Server) -> np.ndarray:
    parcels = (np.arange(300).reshape(SHAPE) % 101).astype(np.int16)
    base = "/raw.githubusercontent.com/ThomasYeoLab/CBIG/v0.14.3-Update_Yeo2011_Schaefer2018_labelname/stable_projects/brain_parcellation"
    base += "/Schaefer2018_LocalGlobal/Parcellations/MNI/Schaefer2018_100Parcels_7Networks_order"
    rows = [f"{number}\t7Networks_LH_Vis_{number}\t120\t18\t{number}\t0" for number in range(1, 101)]
    web.bodies[f"{base}.txt"] = ("\n".join(rows) + "\n").encode()
    web.bodies[f"{base}_FSLMNI152_2mm.nii.gz"] = nifti(volume(parcels, MNI))
    return parcels


def serve_aal(web: Server) -> np.ndarray:
    regions = np.zeros(SHAPE, np.int16)
    regions[2:5], regions[7:] = 2002, 2001
    labels = "".join(
        f"<label><index>{number}</index><name>{name}</name></label>" for number, name in ((2001, "Precentral_L"), (2002, "Precentral_R"))
    )
    files = {"aal/atlas/AAL.nii": nifti(volume(regions, MNI), packed=False), "aal/atlas/AAL.xml": f"<atlas><data>{labels}</data></atlas>".encode()}
    web.bodies["/www.gin.cnrs.fr/AAL_files/aal_for_SPM12.tar.gz"] = tarred(files | {"aal/aal.m": b"% a script"})
    return regions


def serve_development(web: Server, generator: np.random.Generator) -> dict[str, tuple[np.ndarray, dict[str, list]]]:
    """Two adults and a child; images and confounds by participant."""
    with open(Path(nilearn.datasets.__file__).parent / "data" / "development_fmri.csv", newline="") as file:
        keys = {row["participant_id"]: row for row in csv.DictReader(file)}
    people = {"sub-pixar001": "child", "sub-pixar123": "adult", "sub-pixar124": "adult"}
    columns = {"participant_id": list(people), "Age": [4, 20, 30], "AgeGroup": ["4yo", "Adult", "Adult"], "Child_Adult": list(people.values())}
    web.bodies["/osf.io/yr3av/download"] = text(columns | {"Gender": list("MFM"), "Handedness": list("RRL"), "extra": [1, 2, 3]}, "\t")
    found = {}
    for name in people:
        values = generator.normal(1000, 10, (*SHAPE, FRAMES)).astype(np.float32)
        names = ["csf", "white_matter", "global_signal", "framewise_displacement", *(f"a_comp_cor_{number:02d}" for number in range(6))]
        names += [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
        confounds = {column: generator.normal(size=FRAMES).round(6).tolist() for column in names}
        confounds["framewise_displacement"][0] = "n/a"
        web.bodies[f"/osf.io/download/{keys[name]['key_r']}/"] = text(confounds, "\t")
        web.bodies[f"/osf.io/download/{keys[name]['key_b']}/"] = nifti(series(values, 2.0, MNI))
        found[name] = values, confounds
    return found


def residuals(values: np.ndarray, *confounds: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(values)), np.arange(len(values)), *confounds])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def test_development_fmri_with_the_maps_of_msdl(web: Server, generator: np.random.Generator, tmp_path: Path) -> None:
    served, maps = serve_development(web, generator), serve_msdl(web, generator)
    options = {"subject": 2, "standardise": "none"}
    found = load("nilearn_development_fmri", cache=tmp_path, **options)["recording"]
    values, confounds = served["sub-pixar124"]
    raw = np.linalg.lstsq(maps.reshape(-1, 39).astype(np.float64), values.reshape(-1, FRAMES).astype(np.float64), rcond=None)[0].T
    used = [column for name, column in confounds.items() if name not in ("global_signal", "framewise_displacement")]
    np.testing.assert_allclose(found, residuals(raw, *used), atol=1e-4 * raw.std())
    assert found["unit"].values.tolist()[:2] == ["region 0", "region 1"]
    assert (found.attrs["subject"], found.attrs["sampling_interval"], found.attrs["confounds"]) == ("sub-pixar124", 2.0, 14)
    made = dataset("nilearn_development_fmri", **options)
    paths = locate(made, tmp_path)
    assert sorted(Path(name).name for name in paths) == [
        "msdl_rois.nii",
        "msdl_rois_labels.csv",
        "sub-pixar124_task-pixar_desc-confounds_regressors.tsv",
        "sub-pixar124_task-pixar_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz",
    ]
    digest = hashlib.sha256(next(path for name, path in paths.items() if name.endswith("bold.nii.gz")).read_bytes()).hexdigest()
    assert digest in found.attrs["sha256"]
    asked = len(web.requests)
    fetch(made, tmp_path)
    assert len(web.requests) == asked


def test_development_fmri_with_the_parcels_of_schaefer(web: Server, generator: np.random.Generator, tmp_path: Path) -> None:
    served, parcels = serve_development(web, generator), serve_schaefer(web)
    options = {"age_group": "child", "atlas": "schaefer_2018", "confounds": [], "detrend": False, "standardise": "none"}
    found = load("nilearn_development_fmri", cache=tmp_path, **options)["recording"]
    values = served["sub-pixar001"][0]
    expected = np.stack([values[parcels == number].mean(axis=0, dtype=np.float64) for number in range(1, 101)], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found["unit"].values.tolist() == [f"7Networks_LH_Vis_{number}" for number in range(1, 101)]
    with pytest.raises(InputError, match="subject = 2, but the group 'child' has 1"), pytest.warns(UserWarning, match="Wrong value for n_subjects"):
        load("nilearn_development_fmri", cache=tmp_path, **options, subject=2)
    assert len([path for path in tmp_path.rglob("*.nii.gz")]) == 2


def test_adhd_with_the_labels_of_aal(web: Server, generator: np.random.Generator, tmp_path: Path) -> None:
    regions = serve_aal(web)
    name = nilearn.datasets.func.adhd_ids()[0]
    values = generator.normal(1000, 10, (*SHAPE, FRAMES)).astype(np.float32)
    columns = ["csf", "constant", "global", "linearTrend", "wm", *(f"motion-{axis}" for axis in ("pitch", "roll", "yaw", "x", "y", "z")), "gm"]
    confounds = {column: generator.normal(size=FRAMES).round(6).tolist() for column in [*columns, *(f"compcor{number}" for number in range(1, 6))]}
    folder = f"data/{name}/{name}"
    archive = {f"{folder}_rest_tshift_RPI_voreg_mni.nii.gz": nifti(series(values, 2.5, MNI)), f"{folder}_regressors.csv": text(confounds, ",")}
    web.bodies[f"/www.nitrc.org/frs/download.php/7782/adhd40_{name}.tgz"] = tarred(archive)
    metadata = {"ADHD200_40subs_motion_parameters_and_phenotypics.csv": text({"Subject": [int(name)], "adhd": [0]}, ",")}
    web.bodies["/www.nitrc.org/frs/download.php/7781/adhd40_metadata.tgz"] = tarred(metadata)
    found = load("nilearn_adhd", cache=tmp_path, atlas="aal", standardise="none")["recording"]
    raw = np.stack([values[regions == number].mean(axis=0, dtype=np.float64) for number in (2001, 2002)], axis=1)
    used = [column for label, column in confounds.items() if label.startswith(("motion", "compcor", "wm", "csf"))]
    assert len(used) == 13
    np.testing.assert_allclose(found, residuals(raw, *used), atol=1e-4)
    assert found["unit"].values.tolist() == ["Precentral_L", "Precentral_R"]
    assert found.attrs["sampling_interval"] == 2.5  # the header's, where nilearn says 2


def test_haxby(web: Server, generator: np.random.Generator, tmp_path: Path) -> None:
    """Two runs of three blocks; a response is planted, five seconds late, for each category."""
    labels = ["rest", *["face"] * 9, "rest", "rest", *["house"] * 9, "rest", "rest", "rest", *["cat"] * 9, "rest", "rest", "rest"]
    planted = {"face": 3.0, "house": -2.0, "cat": 1.0}
    size = len(labels)
    signal = np.zeros(2 * size)
    for index, label in enumerate(labels * 2):
        signal[index] = planted.get(label, 0.0)
    signal = np.concatenate([np.roll(signal[:size], 2), np.roll(signal[size:], 2)])
    values = (100 + signal + np.zeros((*SHAPE, 1))).astype(np.float32)
    inside = np.zeros(SHAPE, np.uint8)
    inside[3:6, 4, 1] = 1
    table = "labels chunks\n" + "".join(f"{label} {chunk}\n" for chunk in (0, 1) for label in labels)
    files = {"bold.nii.gz": nifti(series(values, 2.5, MNI)), "labels.txt": table.encode(), "anat.nii.gz": nifti(volume(inside, MNI))}
    masks = ("mask4_vt", "mask8b_face_vt", "mask8b_house_vt", "mask8_face_vt", "mask8_house_vt")
    files |= {f"{name}.nii.gz": nifti(volume(inside, MNI)) for name in masks}
    archive = tarred({f"subj2/{name}": content for name, content in files.items()})
    base = "/data.pymvpa.org/datasets/haxby2001/"
    web.bodies["/www.nitrc.org/frs/download.php/7868/mask.nii.gz"] = nifti(volume(inside, MNI))
    web.bodies[f"{base}MD5SUMS"] = f"{hashlib.md5(archive).hexdigest()}  subj2-2010.01.14.tar.gz\n".encode()
    web.bodies[f"{base}subj2-2010.01.14.tar.gz"] = archive
    found = load("nilearn_haxby", cache=tmp_path, detrend=False, standardise="none")["responses"]
    assert found.shape == (2, 8, 3)
    for category, size in planted.items():
        np.testing.assert_allclose(found.sel(stimulus=category), 100 + size)
    assert np.isnan(found.sel(stimulus="chair")).all()
    early = load("nilearn_haxby", cache=tmp_path, detrend=False, standardise="none", delay=0)["responses"]
    np.testing.assert_allclose(early.sel(stimulus="face"), 100 + 3 * 7 / 9, rtol=1e-6)
    assert found["repeat"].values.tolist() == [0, 1]


def test_a_failed_fetch_leaves_nothing(web: Server, generator: np.random.Generator, tmp_path: Path) -> None:
    serve_development(web, generator)  # but no atlas
    with pytest.raises(InputError, match=r"nilearn_development_fmri") as caught:
        load("nilearn_development_fmri", cache=tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.nii*"))
    with pytest.raises(InputError, match="not in the cache; fetch it first"):
        locate(dataset("nilearn_development_fmri"), tmp_path)


def test_a_damaged_file_is_refused(web: Server, generator: np.random.Generator, tmp_path: Path) -> None:
    serve_development(web, generator)
    serve_msdl(web, generator)
    made = dataset("nilearn_development_fmri")
    image = next(path for name, path in fetch(made, tmp_path).items() if name.endswith("bold.nii.gz"))
    image.write_bytes(image.read_bytes()[:-10])
    with pytest.raises(InputError, match="truncated") as caught:
        load("nilearn_development_fmri", cache=tmp_path)
    assert str(image) in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"0 fetched files end in 'AAL.nii', expected one \(there are nothing\)"):
        _nilearn_series.read_atlas("aal", {})
