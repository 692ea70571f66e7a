"""Real images: the reduced subject of Haxby et al., through every mask, against plain indexing of the files."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import xarray as xr

from yuragi.datasets.catalogue import dataset
from yuragi.datasets.haxby2001 import CONDITIONS, VOXELS
from yuragi.datasets.imaging import Processing, region_series, voxel_series
from yuragi.datasets.quality import check_units
from yuragi.errors import InputError

pytestmark = pytest.mark.recordings


@pytest.fixture
def folder(mirror: Path) -> Path:
    return mirror / "haxby2001"


def read(folder: Path, name: str, **options: object) -> xr.DataArray:
    made = dataset(name, **options)
    return made.read({file.name: folder / file.name for file in made.files()})[made.contents]


def bold(folder: Path, run: int, view: str) -> np.ndarray:
    return nib.load(folder / f"haxby2001/sub001/BOLD/task001_run{run:03d}/bold_{view}.nii.gz").get_fdata()


@pytest.mark.parametrize("region", ["brain", "gray", "vt", "hoc", "white"])
def test_voxels_of_every_mask(folder: Path, region: str) -> None:
    found = read(folder, "haxby2001_series", run=4, region=region, detrend=False, standardise="none")
    mask = nib.load(folder / f"haxby2001/sub001/masks/25mm/{region}.nii.gz").get_fdata() != 0
    np.testing.assert_array_equal(found.values, bold(folder, 4, "25mm")[mask].T)
    assert found.shape == (121, VOXELS[region])
    assert found.attrs["sampling_interval"] == 2.5
    assert found.time[-1] == 300.0
    assert dict(dataset("haxby2001_series", region=region).sizes()) == {"frames": 121, "units": VOXELS[region]}


def test_runs_are_those_of_the_concatenated_slice(folder: Path) -> None:
    """The slice also comes as one series with a label for each of its 1,452 volumes: they tell independently what the events of each run say."""
    labels = [line.split()[0] for line in (folder / "single_slice/attributes_literal.txt").read_text().splitlines()]
    whole = nib.load(folder / "single_slice/bold.nii.gz").get_fdata()
    mask = nib.load(folder / "single_slice/mask.nii.gz").get_fdata() != 0
    for run in range(1, 13):
        found = read(folder, "haxby2001_series", view="1slice", run=run, detrend=False, standardise="none")
        own = slice(121 * (run - 1), 121 * run)
        assert found["condition"].values.tolist() == labels[own]
        np.testing.assert_array_equal(found.values, whole[mask][:, own].T)


def test_responses_are_means_over_the_blocks(folder: Path) -> None:
    found = read(folder, "haxby2001", view="1slice", runs=[3, 9], detrend=False, standardise="none")
    mask = nib.load(folder / "single_slice/mask.nii.gz").get_fdata() != 0
    values = bold(folder, 9, "1slice")[mask].T
    rows = (folder / "haxby2001/sub001/BOLD/task001_run009/bold_events.tsv").read_text().splitlines()[1:]
    for row in rows:
        onset, duration, category = row.split("\t")
        first = round((float(onset) + 5.0) / 2.5)
        expected = values[first : first + round(float(duration) / 2.5)].mean(axis=0)
        np.testing.assert_allclose(found.sel(repeat=9, stimulus=category), expected, rtol=1e-12)
    assert found.shape == (2, 8, 530)
    assert found["stimulus"].values.tolist() == list(CONDITIONS)


def test_categories_are_told_apart_across_halves_of_the_runs(folder: Path) -> None:
    """What the data are known for: the pattern of a category is more like itself in other runs than like those of other categories."""
    found = check_units(read(folder, "haxby2001", view="1slice"), missing="refuse")
    halves = [part.mean("repeat") for part in (found[::2], found[1::2])]
    even, odd = (half - half.mean("stimulus") for half in halves)
    similarity = np.corrcoef(even, odd)[:8, 8:]
    same, other = np.diag(similarity), similarity[~np.eye(8, dtype=bool)]
    assert same.mean() - other.mean() > 5 * other.std() / np.sqrt(8)
    generator = np.random.default_rng(0)  # no other pairing of the categories does as well
    shuffled = [similarity[np.arange(8), generator.permutation(8)].mean() for _ in range(1000)]
    assert (np.array(shuffled) >= same.mean()).mean() < 0.005
    assert set(found["stimulus"].values[np.argsort(same)[-3:]]) >= {"face", "house"}


def test_motion_is_regressed_out(folder: Path) -> None:
    motion = np.loadtxt(folder / "haxby2001/sub001/BOLD/task001_run002/bold_moest.txt")
    found = read(folder, "haxby2001_series", run=2, motion=True)
    centred = motion - motion.mean(axis=0)
    assert np.abs(centred.T @ found.values / np.linalg.norm(centred, axis=0)[:, None]).max() < 1e-9
    assert found.attrs["confounds"] == 6


def test_a_mask_of_the_other_view_is_refused(folder: Path) -> None:
    image = folder / "haxby2001/sub001/BOLD/task001_run001/bold_1slice.nii.gz"
    mask = folder / "haxby2001/sub001/masks/25mm/gray.nii.gz"
    with pytest.raises(InputError, match=r"6 x 10 x 10 voxels of 25 x 25 x 25 mm.*40 x 20 x 1 voxels of 3\.1 x 3\.75 x 3\.75 mm.*resample"):
        voxel_series(image, mask)
    with pytest.raises(InputError, match="region = 'vt' has no mask in the view '1slice'"):
        dataset("haxby2001", view="1slice", region="vt")
    with pytest.raises(InputError, match=r"high = 0\.2 Hz"):
        voxel_series(folder / "haxby2001/sub001/BOLD/task001_run001/bold_25mm.nii.gz", mask, Processing(high=0.2))


def test_probabilities_of_the_harvard_oxford_mask_serve_as_labels(folder: Path) -> None:
    image = folder / "haxby2001/sub001/BOLD/task001_run001/bold_25mm.nii.gz"
    atlas = folder / "haxby2001/sub001/masks/25mm/hoc.nii.gz"
    found = region_series(image, atlas, Processing(detrend=False, standardise="none"))["recording"]
    labels, values = np.asarray(nib.load(atlas).dataobj), nib.load(image).get_fdata()
    assert found["region"].values.tolist() == np.unique(labels)[1:].tolist()
    np.testing.assert_allclose(found, np.stack([values[labels == label].mean(axis=0) for label in np.unique(labels)[1:]], axis=1))
