"""Human fMRI while images of eight categories are seen: all six subjects of Haxby et al., as nilearn distributes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets._blocks import Block, block_means
from yuragi.datasets._image_dataset import ImageDataset
from yuragi.datasets._nilearn_series import keep_only, only
from yuragi.datasets.formats import missing_variable, parsing
from yuragi.datasets.imaging import UNITS, Processing, clean_series, voxel_series
from yuragi.errors import InputError

np = lazy.load("numpy")
xr = lazy.load("xarray")

CONDITIONS = ("bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe")
MASKS = {"vt": "mask4_vt.nii.gz", "face": "mask8b_face_vt.nii.gz", "house": "mask8b_house_vt.nii.gz", "brain": "mask.nii.gz"}
TR = 2.5
"""Seconds, the value that nilearn's fetcher returns."""


class NilearnHaxby(ImageDataset):
    """Human fMRI, six subjects, 8 categories x 12 runs, voxels of ventral temporal cortex or the brain, 2.5 s, fetched by nilearn.

    As `haxby2001`, at full resolution: the repeats are the runs, a response is the mean over the volumes of its block, ``delay`` seconds later, of
    the time courses that were detrended and standardised within their run. A category without a block in a run is NaN there.
    """

    kind: Literal["nilearn_haxby"] = "nilearn_haxby"
    subject: int = Field(2, ge=1, le=6, description="number of the subject")
    region: Literal["vt", "face", "house", "brain"] = Field("vt", description="mask: vt (ventral temporal), its face or house voxels, or brain")
    delay: float = Field(5.0, ge=0, description="seconds by which the haemodynamic response lags the images")

    contents: ClassVar = "responses"
    licence: ClassVar = "CC BY-SA 3.0 (PyMVPA, the publisher; nilearn states none)"
    citation: ClassVar = (
        "Haxby, Gobbini, Furey, Ishai, Schouten, Pietrini (2001) Distributed and overlapping representations of faces and objects in ventral "
        "temporal cortex, Science 293:2425-2430"
    )
    home: ClassVar = "http://www.pymvpa.org/datadb/haxby2001.html"

    def variant(self) -> str:
        return f"subject{self.subject}"

    def download(self, folder: Path) -> None:
        from nilearn.datasets import fetch_haxby

        fetch_haxby(data_dir=folder, subjects=[self.subject], verbose=0)
        wanted = {"bold.nii.gz", "labels.txt", *MASKS.values()}
        keep_only(folder, [str(path) for path in folder.rglob("*") if path.name in wanted])

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        image, table = only(paths, "/bold.nii.gz"), only(paths, "/labels.txt")
        # The series is cut into its runs before it is cleaned: a filter must not run across the pauses between them.
        raw = voxel_series(image, only(paths, f"/{MASKS[self.region]}"), Processing(TR, detrend=False, standardise="none"))["recording"]
        labels, chunks = _read_labels(table)
        if len(labels) != raw.sizes["time"]:
            raise InputError(f"{table}: {len(labels)} rows for {raw.sizes['time']} volumes of {image}; delete the folder and fetch it again")
        runs = sorted(set(chunks))
        repeats = []
        for run in runs:
            own = np.flatnonzero(np.array(chunks) == run)
            where = f"{image}, run {run}"
            cleaned = clean_series(
                raw.values[own],
                sampling_interval=TR,
                detrend=self.detrend,
                low=self.low,
                high=self.high,
                standardise=self.standardise,
                where=where,
            )
            blocks = blocks_of([labels[index] for index in own], TR)
            repeats.append(block_means(cleaned, blocks, CONDITIONS, sampling_interval=TR, delay=self.delay, where=where))
        return labelled.responses(
            np.stack(repeats),
            units=UNITS[self.standardise],
            attributes=self.provenance(paths) | {"subject": self.subject, "region": self.region, "delay": self.delay},
            coordinates={"repeat": runs, "stimulus": list(CONDITIONS)} | {axis: ("unit", raw[axis].values, raw[axis].attrs) for axis in "ijkxyz"},
        )


def blocks_of(labels: Sequence[str], sampling_interval: float) -> list[Block]:
    """The blocks in a label for each volume; rest is none.

    >>> blocks_of(["rest", "face", "face", "rest"], 2.5)
    [Block(onset=2.5, duration=5.0, condition='face')]
    """
    starts = [index for index, label in enumerate(labels) if index == 0 or label != labels[index - 1]]
    ends = [*starts[1:], len(labels)]
    pairs = zip(starts, ends, strict=True)
    return [Block(start * sampling_interval, (end - start) * sampling_interval, labels[start]) for start, end in pairs if labels[start] != "rest"]


def _read_labels(path: Path) -> tuple[list[str], list[int]]:
    """A label and the number of a run for each volume: two columns, separated by a blank, under the names ``labels chunks``."""
    with parsing(path, "a table of labels"), open(path, encoding="utf-8") as file:
        rows = [line.split() for line in file if line.strip()]
        if rows[0] != ["labels", "chunks"]:
            raise missing_variable(path, "labels chunks", rows[0])
        return [row[0] for row in rows[1:]], [int(row[1]) for row in rows[1:]]
