"""Shared variance component analysis: what two halves of a population have in common from moment to moment, without any stimulus."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from yuragi.errors import InputError
from yuragi.spectra.cross_spectrum import row_coordinates

STRIPES = 16
"""Squares along each side of the checkerboard."""


def svca(
    recording: xr.DataArray | np.ndarray,
    *,
    block: int = 60,
    sides: xr.DataArray | np.ndarray | None = None,
    gap: float | int = 10.0,
    components: int = 1024,
    generator: np.random.Generator,
) -> xr.Dataset:
    """The reliable variance of the dimensions that two sets of units share, found in one half of the time and measured in the other.

        X_train' Y_train = U diag(s) V',      reliable_n = mean_t (X_test u_n)(Y_test v_n),      total_n = mean_t [(X_test u_n)² + (Y_test v_n)²] / 2

    X and Y `(time, unit)` are the two sets of units, the mean of the training time removed. Noise private to single units adds to the total variance
    only: on average the reliable one is the shared covariance along u_n and v_n, and zero where nothing is shared.

    recording
        `(time, unit)` without gaps; an array counts as such
    block
        frames in a block of time, 60 of 1.2 s in the source; blocks are dealt at random to training and test, half each. They must be long against
        the memory of the activity, or training and test are not independent. A rest shorter than a block is joined to the last one
    sides
        which units are X (True) and Y (False). None: squares of a checkerboard of 16 x 16 where the recording has coordinates `x` and `y` over
        `unit`, so that out-of-focus light reaches one set only; without them random halves
    gap
        units nearer than half of this to the edge of a square are left out, in the unit of `x` and `y`, in micrometres in the source
    components
        the most dimensions that are returned
    generator
        deals the blocks and, where there are no positions, the units

    Returns a Dataset over `rank` (1-based) of `reliable` and `total`, in squared units of the recording, and their `ratio`, at most 1. ``reliable``
    is a spectrum for `fit_power_law`. Raises `InputError` for a recording shorter than two blocks, gaps in it, or a side without units.

    Cost: one singular value decomposition of the size of the smaller of units and frames on each side, exact: 10,000 units and as many frames make it
    5,000 x 5,000, one to two minutes on one core and 1.5 GB.

    Stringer et al. 2019, Science 364:eaav7893; there the mean over all time is removed.

    >>> generator = np.random.default_rng(0)
    >>> shared = generator.standard_normal((2000, 2)) @ generator.standard_normal((2, 40))
    >>> found = svca(shared + generator.standard_normal((2000, 40)), generator=generator)
    >>> (found["ratio"][:2] > 0.8).values.tolist(), bool(abs(found["ratio"][2:]).max() < 0.2)
    ([True, True], True)
    """
    values, positions = _checked(recording)
    frames, units = values.shape
    if block < 1 or frames < 2 * block:
        raise InputError(f"recording: {frames} frames are shorter than two blocks of {block}; record longer or give a shorter block")
    if components < 1:
        raise InputError(f"components: {components}, expected 1 or more; 1024 is customary")
    if sides is not None:
        in_x, in_y = _given(sides, units)
    elif positions is not None:
        in_x, in_y = checkerboard(*positions, gap=gap)
    else:
        in_x = generator.permutation(units) < units // 2
        in_y = ~in_x
    if not (in_x.any() and in_y.any()):
        raise InputError(f"sides: {in_x.sum()} and {in_y.sum()} of {units} units are on the two sides; give sides, or another gap")
    number = np.minimum(np.arange(frames) // block, frames // block - 1)
    train = (generator.permutation(frames // block) < frames // block // 2)[number]
    x, y = (row_coordinates(values[:, side] - values[train][:, side].mean(axis=0)) for side in (in_x, in_y))
    left, _, right = np.linalg.svd(x[train].T @ y[train], full_matrices=False)
    rank = min(components, int(in_x.sum()), int(in_y.sum()), int(train.sum()) - 1)
    x, y = x[~train] @ left[:, :rank], y[~train] @ right[:rank].T
    reliable, total = (x * y).mean(axis=0), ((x * x).mean(axis=0) + (y * y).mean(axis=0)) / 2
    ratio = np.divide(reliable, total, out=np.full(rank, np.nan), where=total > 0)
    return xr.Dataset(
        {"reliable": ("rank", reliable), "total": ("rank", total), "ratio": ("rank", ratio)},
        coords={"rank": np.arange(1, rank + 1)},
        attrs={"estimator": "svca", "units": int(in_x.sum()), "other_units": int(in_y.sum()), "frames": frames, "block": block},
    )


def checkerboard(
    x: Float[np.ndarray, " unit"], y: Float[np.ndarray, " unit"], *, gap: float | int = 10.0
) -> tuple[Bool[np.ndarray, " unit"], Bool[np.ndarray, " unit"]]:
    """The units on the dark and on the light squares of a 16 x 16 checkerboard over their positions; those near an edge are on neither.

    >>> dark, light = checkerboard(np.array([0.0, 50.0, 100.0, 1600.0]), np.zeros(4), gap=10)
    >>> dark.tolist(), light.tolist()
    ([True, True, False, False], [False, False, False, True])
    """
    square = np.zeros(len(x), dtype=np.int64)
    clear = np.ones(len(x), dtype=bool)
    for position in (x, y):
        width = np.ptp(position) / STRIPES
        if width > 0:
            along = (position - position.min()) / width
            square += np.minimum(along.astype(np.int64), STRIPES - 1)
            edge = np.clip(np.round(along), 1, STRIPES - 1)  # the outer border is no edge between squares
            clear &= np.abs(along - edge) * width >= gap / 2
    return clear & (square % 2 == 0), clear & (square % 2 == 1)


def _given(sides: xr.DataArray | np.ndarray, units: int) -> tuple[Bool[np.ndarray, " unit"], Bool[np.ndarray, " unit"]]:
    chosen = np.asarray(sides)
    if chosen.shape != (units,) or chosen.dtype != bool:
        raise InputError(f"sides: {chosen.dtype} of shape {chosen.shape}, expected one True or False for each of {units} units; give such a vector")
    return chosen, ~chosen


def _checked(recording: xr.DataArray | np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
    """The activity `(time, unit)`, and the positions of the units where there are any."""
    positions = None
    if isinstance(recording, xr.DataArray):
        if set(recording.dims) != {"time", "unit"}:
            raise InputError(f"recording: dimensions are {tuple(recording.dims)}, expected ('time', 'unit'); rename or select them")
        recording = recording.transpose("time", "unit")
        if all(name in recording.coords and recording[name].dims == ("unit",) for name in "xy"):
            positions = tuple(recording[name].values.astype(np.float64) for name in "xy")
            if not np.isfinite(positions).all():
                raise InputError("recording: some positions x, y of units are not finite; drop these units, or give sides")
        recording = recording.values
    values = np.asarray(recording)
    if values.ndim != 2 or values.shape[1] < 2:
        raise InputError(f"recording: shape is {values.shape}, expected (time, unit) with two units or more; select or add them")
    if not np.isfinite(values).all():
        raise InputError(f"recording: {int((~np.isfinite(values)).sum())} values are not finite; drop these units or fill the gaps first")
    return values, positions
