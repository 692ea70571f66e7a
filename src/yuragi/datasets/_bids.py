"""Finding files in a folder of BIDS derivatives by the entities in their names, without loading anything heavy.

nilearn's ``get_bids_files`` does the same; but the workflow asks for the files when it is planned, before any job, where its import would cost
seconds. A test holds the two together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from yuragi.errors import InputError

_PART = re.compile(r"([A-Za-z]+)-([A-Za-z0-9+]+)")


def entities(path: Path) -> dict[str, str]:
    """What a file's name tells, with its suffix.

    >>> entities(Path("sub-01_task-rest_desc-preproc_bold.nii.gz"))
    {'sub': '01', 'task': 'rest', 'desc': 'preproc', 'suffix': 'bold'}
    """
    *parts, last = path.name.split("_")
    found = {match[1]: match[2] for part in parts if (match := _PART.fullmatch(part))}
    return found | {"suffix": last.split(".", 1)[0]}


def preprocessed_runs(folder: Path, subject: str) -> list[Path]:
    """Every preprocessed series of a subject, in the order of their names; an `InputError` lists the subjects that are there."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of derivatives in which the folders sub-… lie")
    own = folder / f"sub-{subject}"
    if not own.is_dir():
        there = sorted(path.name.removeprefix("sub-") for path in folder.glob("sub-*") if path.is_dir())
        raise InputError(f"{folder}: no subject '{subject}'; there are {_listed(there)}")
    found = [*own.glob("func/*_bold.nii.gz"), *own.glob("ses-*/func/*_bold.nii.gz"), *own.glob("func/*_bold.nii"), *own.glob("ses-*/func/*_bold.nii")]
    return sorted(path for path in found if entities(path).get("desc") == "preproc")


def choose_run(runs: list[Path], wanted: Mapping[str, str], folder: Path) -> Path:
    """The one series with the wanted entities; an `InputError` lists what is there for the first that is not, or the runs to choose from."""
    left = runs
    if not runs:
        raise InputError(f"{folder}: no files …_desc-preproc_bold.nii.gz in the func folder; give the folder of fMRIPrep's derivatives")
    for entity, value in wanted.items():
        if not value:
            continue
        there = sorted({entities(path).get(entity, "none") for path in left})
        left = [path for path in left if entities(path).get(entity) == value]
        if not left:
            raise InputError(f"{folder}: no {NAMES[entity]} '{value}' of this subject; there are {_listed(there)}")
    if len(left) > 1:
        keys = [key for key in wanted if len({entities(path).get(key) for path in left}) > 1] or ["res"]
        shown = "; ".join(" ".join(f"{key}-{entities(path).get(key, 'none')}" for key in keys) for path in left[:6])
        named = ", ".join(NAMES.get(key, key) for key in keys)
        raise InputError(f"{folder}: {len(left)} series fit ({shown}); choose one by {named}")
    return left[0]


NAMES = {"ses": "session", "task": "task", "run": "run", "space": "space", "res": "resolution"}
"""The options by the entities of BIDS."""


def companion(image: Path, *, keep: tuple[str, ...], ends: tuple[str, ...]) -> Path | None:
    """The file beside the image with the same entities of those kept, and another ending; None where there is none."""
    parts = [part for part in image.name.split("_")[:-1] if part.split("-")[0] in keep]
    for end in ends:
        candidate = image.with_name("_".join([*parts, end]))
        if candidate.is_file():
            return candidate
    return None


RUN = ("sub", "ses", "task", "acq", "ce", "dir", "rec", "run", "echo")
"""The entities that name a run; fMRIPrep's tables of confounds carry these only."""


def confounds_of(image: Path) -> Path | None:
    """fMRIPrep's table of confounds for a series, under the name of its newer or its older versions."""
    return companion(image, keep=RUN, ends=("desc-confounds_timeseries.tsv", "desc-confounds_regressors.tsv"))


def mask_of(image: Path) -> Path | None:
    """fMRIPrep's brain mask in the space of a series."""
    return companion(image, keep=(*RUN, "space", "res"), ends=("desc-brain_mask.nii.gz", "desc-brain_mask.nii"))


def sidecar_of(image: Path) -> Path | None:
    """The JSON file that goes with a series."""
    path = image.with_name(image.name.split(".", 1)[0] + ".json")
    return path if path.is_file() else None


def sidecar_interval(path: Path) -> float | None:
    """The repetition time in seconds that a sidecar states, None where it states none."""
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        value = stated.get("RepetitionTime")
        return None if value is None else float(value)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: cannot be read as a JSON sidecar ({str(error).splitlines()[0]}); mend it, or take it away") from error


def _listed(names: list[str], most: int = 12) -> str:
    shown = ", ".join(names[:most]) or "none"
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
