"""Which voxels and regions there are, what they are called and where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import lazy_loader as lazy

from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
nib = lazy.load("nibabel")


def chosen_voxels(
    voxels: Sequence[Sequence[int]], inside: jaxtyping.Bool[np.ndarray, "i j k"], where: str
) -> jaxtyping.Integer[np.ndarray, " unit"] | None:
    """Where among the mask's voxels those asked for stand."""
    if not len(voxels):
        return None
    numbers = np.full(inside.shape, -1)
    numbers[inside] = np.arange(inside.sum())
    outside = []
    for voxel in voxels:
        if len(voxel) != 3:
            raise InputError(f"voxels: {tuple(voxel)} has {len(voxel)} indices, expected (i, j, k); give three")
        fits = all(0 <= index < size for index, size in zip(voxel, inside.shape, strict=True))
        if not fits or numbers[tuple(voxel)] < 0:
            outside.append(tuple(int(index) for index in voxel))
    if outside:
        shown = ", ".join(map(str, outside[:3]))
        raise InputError(f"voxels: {len(outside)} of {len(voxels)} lie outside the mask of {where} ({shown}); leave them out, or give a wider mask")
    return numbers[tuple(np.array(voxels).T)]


def label_numbers(atlas: nib.spatialimages.SpatialImage, name: str) -> jaxtyping.Integer[np.ndarray, " region"]:
    """The numbers of the regions in an atlas of labels, rising; 0 is none."""
    found = np.unique(np.nan_to_num(np.asarray(atlas.dataobj)))
    if not np.array_equal(found, np.round(found)):
        raise InputError(
            f"{name}: holds {found[found != np.round(found)][0]:g}, but labels are whole numbers; give labels, or maps in four dimensions"
        )
    found = found.astype(np.int64)
    return found[found != 0]


def region_names(
    names: Mapping[int, str] | Sequence[str] | None, expected: jaxtyping.Integer[np.ndarray, " region"], maps: bool, where: str
) -> jaxtyping.Shaped[np.ndarray, " region"]:
    """A name for each region; the number where it has none, and beside a name that two share."""
    if names is None:
        names = {}
    elif not isinstance(names, Mapping):
        if not maps or len(names) != len(expected):
            told = f"{len(names)} names for {len(expected)} maps" if maps else "names in order, but labels are named by their number"
            raise InputError(f"{where}: {told}; give a name for each number" + (" or as many as there are maps" if maps else ""))
        names = dict(zip(expected.tolist(), names, strict=True))
    titles = [names.get(number, str(number)) for number in expected.tolist()]
    twice = {title for title in titles if titles.count(title) > 1}
    return np.array([f"{title} ({number})" if title in twice else title for title, number in zip(titles, expected.tolist(), strict=True)])


def voxel_places(indices: jaxtyping.Integer[np.ndarray, "unit 3"], affine: jaxtyping.Float[np.ndarray, "4 4"]) -> dict[str, Any]:
    """The coordinates of voxels: indices, and mm by the affine matrix."""
    places = nib.affines.apply_affine(affine, indices)
    by_axis = zip("ijkxyz", [*indices.T, *places.T], strict=True)
    return {axis: ("unit", values) for axis, values in by_axis}
