"""Small images whose values are known, and tables of confounds beside them."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

AFFINE = np.array([[-3.0, 0, 0, 12], [0, 3, 0, -6], [0, 0, 4, 5], [0, 0, 0, 1]])


def volume(values: np.ndarray, affine: np.ndarray = AFFINE) -> nib.Nifti1Image:
    return nib.Nifti1Image(values, affine)


def series(values: np.ndarray, interval: float | None = 2.0, affine: np.ndarray = AFFINE, unit: str = "sec") -> nib.Nifti1Image:
    """An image (i, j, k, time) whose header states the repetition time, or none."""
    image = nib.Nifti1Image(values, affine)
    image.header.set_zooms((*nib.affines.voxel_sizes(affine), 0.0 if interval is None else interval))
    image.header.set_xyzt_units("mm", "unknown" if interval is None else unit)
    return image


def random_series(generator: np.random.Generator, shape: tuple[int, int, int, int] = (4, 5, 3, 80), interval: float | None = 2.0) -> nib.Nifti1Image:
    return series(generator.normal(1000.0, 10.0, shape), interval)


def saved(image: nib.Nifti1Image, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


def table(path: Path, columns: dict[str, np.ndarray], separator: str = "\t") -> Path:
    """A table with names; NaN is written as fMRIPrep writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(*columns.values(), strict=True)
    lines = [separator.join(columns), *(separator.join("n/a" if np.isnan(cell) else repr(float(cell)) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path
