"""The file of Yamada et al. 2015, and the session that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lazy_loader as lazy

from yuragi.datasets.base import remote_files
from yuragi.datasets.formats import check_shape, hdf5_member, open_hdf5
from yuragi.errors import InputError

h5py = lazy.load("h5py")
jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")

FILES = remote_files(
    "https://raw.githubusercontent.com/KamitaniLab/NeuralCodeConverter/63cdb7b87bcdfc8f48de9956aba7633528e7fb78/data",
    "S2_figureImage.mat 4068848 15160b519e9e234f22cfbdd918e418dd42e9ebbdacb35e5e194c668e62b3c6dd",
)
LICENCE = "ODC-BY"
CITATION = "Yamada, Miyawaki, Kamitani (2015) Inter-subject neural code converter for visual image representation, NeuroImage 113:289-297"
HOME = "https://github.com/KamitaniLab/NeuralCodeConverter"

VOXELS, RUNS, VOLUMES = 910, 4, 130
"""Voxels, runs, and volumes of a run."""
REST = ("test pre rest", "test rest")


@dataclass(frozen=True, slots=True)
class Session:
    """One subject's session.

    values
        signal (time, voxel), the runs one after the other
    images
        names of the images, in the order of the file's list
    shown
        what was shown in each volume: an image's name, ``test pre rest`` or ``test rest``
    run
        number of the run of each volume, from 1
    repetition_time
        seconds between volumes
    voxels
        coordinates of the voxels: position and membership in the regions of interest, as the file has them
    """

    values: jaxtyping.Float[np.ndarray, "time voxel"]
    images: list[str]
    shown: jaxtyping.Shaped[np.ndarray, " time"]
    run: jaxtyping.Integer[np.ndarray, " time"]
    repetition_time: float
    voxels: dict[str, tuple[str, Any]]


def read_session(path: Path) -> Session:
    """The session in a file of MATLAB 7.3."""
    with open_hdf5(path) as file:
        data, protocol = hdf5_member(file, "D", path), hdf5_member(file, "P", path)
        values = hdf5_member(data, "data", path)[()].T
        positions = hdf5_member(data, "xyz", path)[()]
        labels = hdf5_member(data, "labels", path)[()]
        bounds = hdf5_member(data, "inds_runs", path)[()]
        names = _texts(file, hdf5_member(data, "labels_names", path))
        conditions = [_indices(file, reference) for reference in hdf5_member(data, "inds_conds", path)[()].ravel()]
        regions = _texts(file, hdf5_member(data, "rois_names", path))
        members = [_indices(file, reference) for reference in hdf5_member(data, "rois_inds", path)[()].ravel()]
        repetition_time = float(hdf5_member(hdf5_member(protocol, "fMRI", path), "TR", path)[()].item())
    check_shape(path, "D/data", values.T.shape, (VOXELS, RUNS * VOLUMES))
    check_shape(path, "D/xyz", positions.shape, (VOXELS, 3))
    check_shape(path, "D/labels", labels.shape, (1, RUNS * VOLUMES))
    check_shape(path, "D/inds_runs", bounds.shape, (RUNS, 2))
    if not repetition_time > 0:
        raise InputError(f"{path}: the repetition time P/fMRI/TR is {repetition_time}, expected seconds; fetch the file again")
    shown = np.full(RUNS * VOLUMES, "", dtype=f"<U{max(map(len, names))}")
    for name, volumes in zip(names, conditions, strict=True):
        shown[volumes] = name
    if (shown == "").any() or len({(name, label) for name, label in zip(shown.tolist(), labels.ravel().tolist(), strict=True)}) != len(names):
        raise InputError(f"{path}: 'D/labels' and 'D/inds_conds' do not describe the same conditions; fetch the file again")
    run = np.zeros(RUNS * VOLUMES, dtype=np.int64)
    for number, (first, last) in enumerate(bounds.astype(int), start=1):
        run[first - 1 : last] = number
    if np.bincount(run, minlength=RUNS + 1).tolist() != [0] + [VOLUMES] * RUNS:
        raise InputError(f"{path}: 'D/inds_runs' does not divide the volumes into {RUNS} runs of {VOLUMES}; fetch the file again")
    voxels: dict[str, tuple[str, Any]] = {axis: ("unit", positions[:, column]) for column, axis in enumerate("xyz")}
    voxels["area"] = ("unit", np.full(VOXELS, "V1"))
    for region, inside in zip(regions, members, strict=True):
        mask = np.zeros(VOXELS, dtype=bool)
        mask[inside] = True
        voxels["_".join(region.split("_")[-2:])] = ("unit", mask)
    return Session(np.ascontiguousarray(values), [name for name in names if name not in REST], shown, run, repetition_time, voxels)


def _indices(file: h5py.File, reference: h5py.Reference) -> jaxtyping.Integer[np.ndarray, " index"]:
    """MATLAB's indices, counted from 1, as ours."""
    return file[reference][()].ravel().astype(np.int64) - 1


def _texts(file: h5py.File, references: h5py.Dataset) -> list[str]:
    """The strings of a MATLAB cell array, which HDF5 keeps as the codes of their characters."""
    return ["".join(map(chr, file[reference][()].ravel())) for reference in references[()].ravel()]
