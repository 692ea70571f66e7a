"""Human V1 fMRI: responses to five images, volume by volume after their onset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import _yamada2015 as source
from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset
from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

IMAGES, BLOCK, REPEATS = 5, 6, 8
"""Images, volumes of a block, and blocks of an image."""


class Yamada2015V1(Dataset):
    """Human V1 fMRI, 910 voxels, 8 blocks of each of 5 images: 30 stimuli, which are the 6 volumes of each image's block.

    A stimulus is an image and a time: the ``delay``-th volume after the block's onset and the five that follow (a volume lasts 2 s, a block 12 s,
    a rest 12 s). Responses lag behind the stimulus: what the images differ in rises from the second volume on and is largest around the sixth.
    ``image``, ``volume`` (counted from the onset) and ``group`` (the image) label a stimulus, ``run`` (repeat) the run of a block. Each run has
    its straight line removed (``detrend``) and, voxel by voxel, its standard deviation divided out (``standardise``).

    **Five images are few.** The 30 stimuli are no 30 images but five, seen through the slow response at six times: what tells the images apart
    spans four dimensions, what else is in the spectrum is the common time course and its differences. An exponent over 29 ranks describes this
    experiment and not V1's code for natural images, and an interval over stimuli resamples five groups. Use it to try out a pipeline on real
    fMRI with a free licence. Volumes of one block are not independent either; the noise of two repeats is, but for what the standardisation of a
    common run shares.

    ``series=True`` adds all 520 raw volumes as the variable ``recording`` (time, unit), with what was ``shown`` and the ``volume_run`` of each. **It
    is not spontaneous activity:** images were shown in half of the volumes, and the response to them outlasts every rest. It serves as a control
    that is known to be driven. The pauses between runs are not known: ``time`` starts again at 0 in every run, so that an estimator that needs equal
    steps refuses to join them; select one run.

    ``area`` is V1; ``LH_V1d``, ``LH_V1v``, ``RH_V1d``, ``RH_V1v`` (unit) tell the regions, which overlap; ``x``, ``y``, ``z`` are positions as in
    the file.
    """

    kind: Literal["yamada2015_v1"] = "yamada2015_v1"
    delay: int = Field(2, ge=0, le=6, description="volumes of 2 s between an image's onset and the first of the six volumes that are taken")
    detrend: bool = Field(True, description="remove each run's straight line from each voxel")
    standardise: bool = Field(True, description="divide each voxel by its standard deviation in each run")
    series: bool = Field(False, description="add the raw volumes of the four runs as a variable 'recording'")

    SOURCES: ClassVar = source.FILES
    contents: ClassVar = "responses"
    licence: ClassVar = source.LICENCE
    citation: ClassVar = source.CITATION
    home: ClassVar = source.HOME

    def sizes(self) -> dict[str, int]:
        return {"repeats": REPEATS, "stimuli": IMAGES * BLOCK, "units": source.VOXELS}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self.files()[0].name]
        session = source.read_session(path)
        values = session.values.copy()
        for number in range(1, source.RUNS + 1):
            values[session.run == number] = _cleaned(values[session.run == number], self.detrend, self.standardise)
        onsets = {image: _onsets(session.shown == image) for image in session.images}
        found = {image: len(starts) for image, starts in onsets.items()}
        if list(found.values()) != [REPEATS] * IMAGES:
            told = ", ".join(f"{image} {count}" for image, count in found.items())
            raise InputError(f"{path}: blocks are {told}; expected {REPEATS} of {BLOCK} volumes for each of {IMAGES} images; fetch the file again")
        runs = np.array([session.run[starts] for starts in onsets.values()])
        if (runs != runs[0]).any():
            raise InputError(f"{path}: not every run shows each image equally often, so that a repeat has no run; fetch the file again")
        taken = np.array(list(onsets.values()))[:, :, None] + self.delay + np.arange(BLOCK)  # (image, block, volume)
        blocks = values[taken].transpose(1, 0, 2, 3)  # (block, image, volume, voxel)
        image, volume = (index.ravel() for index in np.indices((IMAGES, BLOCK)))
        names = np.array(session.images)[image]
        seconds = session.repetition_time * (volume + self.delay)
        data = labelled.responses(
            blocks.reshape(REPEATS, IMAGES * BLOCK, source.VOXELS),
            units="standard deviations of the run" if self.standardise else "a.u.",
            attributes=self.provenance() | {"repetition_time": session.repetition_time, "delay": self.delay},
            coordinates={
                "stimulus": np.array([f"{name} +{late:g} s" for name, late in zip(names, seconds, strict=True)]),
                "image": ("stimulus", names),
                "volume": ("stimulus", volume + self.delay),
                "group": ("stimulus", image),
                "run": ("repeat", runs[0]),
            }
            | session.voxels,
        )
        return data.assign(recording=_recording(session, self.provenance())) if self.series else data


def _recording(session: source.Session, attributes: dict[str, str]) -> xr.DataArray:
    """The raw volumes; time in seconds from the start of each run."""
    seconds = session.repetition_time * np.tile(np.arange(float(source.VOLUMES)), source.RUNS)
    labels = {"time": seconds, "volume_run": ("time", session.run), "shown": ("time", session.shown)}
    return labelled.recording(
        session.values, sampling_interval=session.repetition_time, units="a.u.", attributes=attributes, coordinates=labels | session.voxels
    )["recording"]


def _cleaned(run: jaxtyping.Float[np.ndarray, "time voxel"], detrend: bool, standardise: bool) -> jaxtyping.Float[np.ndarray, "time voxel"]:
    """One run with zero mean, without its straight line and with unit variance, as asked for."""
    line = np.linspace(-1.0, 1.0, len(run))[:, None]
    cleaned = run - run.mean(axis=0)
    if detrend:
        cleaned -= line * (line * cleaned).sum(axis=0) / np.square(line).sum()
    if standardise:
        spread = cleaned.std(axis=0)
        cleaned /= np.where(spread > 0, spread, 1.0)
    return cleaned


def _onsets(shown: jaxtyping.Bool[np.ndarray, " time"]) -> list[int]:
    """The first volume of each stretch in which the image was shown, of stretches as long as a block."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shown, [False]]).astype(np.int8)))
    return [int(first) for first, end in edges.reshape(-1, 2) if end - first == BLOCK]
