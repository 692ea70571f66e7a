"""Spike counts of macaque V1 units in response to frames of natural, synthetic and contrast-modulated image sequences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, RemoteFile, remote_files
from yuragi.datasets.formats import check_shape, hdf5_member, open_hdf5

h5py = lazy.load("h5py")
jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

_FILES = remote_files(
    "https://raw.githubusercontent.com/wongyoJung/Primary-visual-cortex-straightens-natural-video-trajectories/2e5e06035615ad9bdab698cd83c5417ab50ddb63/V1_responses",
    """
    ay2_u003_image_sequences.mat 1541685 46563979388f70c8f04fa066c05bfe63a51c32467b85fafef29826c4f2de4c53
    ay2_u007_image_sequences.mat 781060 a5343150e49f7c7a3bf0e49e86c6ee4563e88311c4787603d2041b0c1fc72d07
    ay3_u001_image_sequences.mat 1757434 d9a1f61476fd2f5e898b8ef150b7890bc817be0a2c4831fda796fc5ab6020e23
    ay4_u001_image_sequences.mat 776578 712bc324c25a9111d3d6888b029117c3e9f8ee4ec6547791091c63e54ca1cc25
    """,
)


class Henaff2021V1(Dataset):
    """Macaque V1 under anaesthesia, spike counts in 200 ms, 13 to 47 units x 484 frames of image sequences x up to 50 repeats.

    Each stimulus is one of 11 frames of one of 10 movies, natural, synthetic or contrast-modulated, at one of two scales; the 176 combinations
    that were never shown are left out. How many repeats there are, 27 to 50, differs by unit; a missing repeat is NaN. Units bear the numbers of
    the sorted clusters.
    """

    kind: Literal["henaff2021_v1"] = "henaff2021_v1"
    session: Literal["ay2_u003", "ay2_u007", "ay3_u001", "ay4_u001"] = Field("ay3_u001", description="animal and penetration")

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "responses"
    licence: ClassVar = "none stated: for tests and benchmarks only, do not redistribute"
    citation: ClassVar = (
        "Hénaff, Bai, Charlton, Nauhaus, Simoncelli, Goris (2021) Primary visual cortex straightens natural video trajectories, "
        "Nature Communications 12:5982"
    )
    home: ClassVar = "https://github.com/wongyoJung/Primary-visual-cortex-straightens-natural-video-trajectories"

    def files(self) -> tuple[RemoteFile, ...]:
        return self.source_files(f"{self.session}_image_sequences.mat")

    def sizes(self) -> dict[str, int]:
        return {"repeats": 50, "stimuli": 484, "units": UNITS[self.session]}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self.files()[0].name]
        with open_hdf5(path) as file:
            session = hdf5_member(file, "naturalStruct", path)
            stimuli = hdf5_member(session, "stimulusStruct", path)
            conditions = {name: _texts(file, hdf5_member(stimuli, key, path)) for name, key in CONDITIONS.items()}
            clusters = hdf5_member(session, "cluster_list", path)[()].ravel().astype(int)
            area = _text(hdf5_member(session, "cortical_area", path)[()])
            duration = float(hdf5_member(session, "integrationPeriod", path)[()].item())
            counts = hdf5_member(session, "sortedResponses", path)[()]
        shape = (None, clusters.size, FRAMES, *(len(conditions[name]) for name in ("movie", "category", "scale")))
        check_shape(path, "sortedResponses", counts.shape, shape)
        # (repeat, unit, frame, movie, category, scale) becomes (repeat, scale, category, movie, frame, unit): the frames of a movie lie side by side.
        ordered = counts.transpose(0, 5, 4, 3, 2, 1)
        values = ordered.reshape(len(counts), -1, clusters.size)
        labels = _labels(conditions, ordered.shape[1:5])
        shown = np.isfinite(values).any(axis=(0, 2))
        return labelled.responses(
            np.ascontiguousarray(values[:, shown]),
            units=f"spikes in {1000 * duration:.0f} ms",
            attributes=self.provenance() | {"session": self.session},
            coordinates={name: ("stimulus", label[shown]) for name, label in labels.items()}
            | {"unit": clusters, "area": ("unit", np.full(clusters.size, area))},
        )


CONDITIONS = {"scale": "scales", "category": "categories", "movie": "movie_titles"}
FRAMES = 11
UNITS = {"ay2_u003": 39, "ay2_u007": 16, "ay3_u001": 47, "ay4_u001": 13}


def _labels(conditions: dict[str, list[str]], shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """What each stimulus is: its scale, category, movie and frame, a name made of them, and a number for the sequence that it is a frame of."""
    scale, category, movie, frame = (index.ravel() for index in np.indices(shape))
    labels = {name: np.array(conditions[name])[index] for name, index in (("scale", scale), ("category", category), ("movie", movie))}
    parts = zip(*labels.values(), frame + 1, strict=True)
    names = np.array([f"{scale} {category} {movie} {frame:02d}" for scale, category, movie, frame in parts])
    movies = np.ravel_multi_index((scale, category, movie), shape[:3])
    return {"stimulus": names, **labels, "frame": frame + 1, "group": movies}


def _texts(file: h5py.File, references: h5py.Dataset) -> list[str]:
    """The strings of a MATLAB cell array."""
    return [_text(file[reference][()]) for reference in references[()].ravel()]


def _text(characters: jaxtyping.UInt16[np.ndarray, ...]) -> str:
    """A MATLAB string, which HDF5 keeps as the codes of its characters."""
    return "".join(map(chr, characters.ravel()))
