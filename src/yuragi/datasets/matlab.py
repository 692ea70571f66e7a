"""MATLAB files of either kind, version 5 (scipy) and version 7.3 (HDF5, whose axes are reversed), through one function."""

from __future__ import annotations

import os
from typing import Any

import lazy_loader as lazy

from yuragi.datasets.formats import hdf5_member, missing_variable, open_hdf5, parsing
from yuragi.errors import InputError

h5py = lazy.load("h5py")
np = lazy.load("numpy")

Location = str | os.PathLike[str]


def read_variables(path: Location, *names: str, optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Numerical arrays of a MATLAB file, with the shapes and types that MATLAB shows.

    names
        variables, or fields of structures as ``"stim.resp"``. A field of an array of structures, such as ``"stat.npix"``, gives one number for each
        structure
    optional
        further ones, left out where they are missing

    Raises `InputError` for what is missing, with what is there, and for text, cells and objects.

    >>> read_variables("natimg2800_M160825_MP027_2016-12-14.mat", "stim.resp")["stim.resp"].shape  # doctest: +SKIP
    (5880, 11449)
    """
    with parsing(path, "a MATLAB file"):
        # Version 7.3 has a block of MATLAB's own before the HDF5 signature, which the library finds.
        found = _version_73(path, names, optional) if h5py.is_hdf5(path) else _version_5(path, names, optional)
    for name, array in found.items():
        if array.dtype.kind not in "biuf":
            raise InputError(f"{path}: '{name}' holds no numbers; this is not the file that the data set names")
    return found


def _version_5(path: Location, names: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, np.ndarray]:
    from scipy.io import loadmat, whosmat

    wanted = (*names, *optional)
    there = [name for name, _, _ in whosmat(path)]
    variables = loadmat(path, variable_names=sorted({name.split(".")[0] for name in wanted} & set(there)))
    found = {}
    for name in wanted:
        first, *fields = name.split(".")
        if first not in variables:
            if name in optional:
                continue
            raise missing_variable(path, first, there)
        value: Any = variables[first]
        inside = first
        for field in fields:
            known = value.dtype.names or ()
            if field not in known:
                if name in optional:
                    value = None
                    break
                raise missing_variable(path, f"{inside}.{field}", list(known))
            value, inside = _field(value[field]), f"{inside}.{field}"
        if value is not None:
            found[name] = np.asarray(value)
    return found


def _field(values: np.ndarray) -> Any:
    """One field of a structure, or of each structure of an array."""
    if values.size == 1:
        return values.item()
    return np.array([np.asarray(value).item() for value in values.ravel()])


def _version_73(path: Location, names: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, np.ndarray]:
    found = {}
    with open_hdf5(path) as file:
        for name in (*names, *optional):
            member: Any = file
            for part in name.split("."):
                if name in optional and (not isinstance(member, h5py.Group) or part not in member):
                    member = None
                    break
                if not isinstance(member, h5py.Group):
                    raise missing_variable(path, name, [member.name])
                member = hdf5_member(member, part, path)
            if isinstance(member, h5py.Group):
                raise missing_variable(path, name, [f"{name}.{part}" for part in sorted(map(str, member))])
            if member is not None:
                found[name] = _array(file, member)
    return found


def _array(file: h5py.File, member: h5py.Dataset) -> np.ndarray:
    if member.attrs.get("MATLAB_empty", 0):
        return np.zeros(tuple(int(size) for size in np.ravel(member[()])))  # an empty array is kept as its shape
    values = member[()]
    if h5py.check_ref_dtype(member.dtype) is not None:
        return np.array([np.asarray(file[reference][()]).item() for reference in values.ravel()])
    return values.T
