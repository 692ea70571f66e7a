"""Brain targets that come with yuragi, computed from recordings whose licences allow it."""

from __future__ import annotations

from importlib import resources

from yuragi.errors import unknown
from yuragi.targets.brain_target import BrainTarget

FOLDER = resources.files("yuragi.targets") / "reference_files"


def reference_names() -> list[str]:
    """The names of the targets that come with yuragi.

    >>> "legare2025_zebrafish" in reference_names()
    True
    """
    return sorted(entry.name.removesuffix(".nc") for entry in FOLDER.iterdir() if entry.name.endswith(".nc"))


def reference_target(name: str) -> BrainTarget:
    """A target that comes with yuragi; its provenance tells the recording, its licence and its hash.

    name
        one of `reference_names`; an `InputError` lists them

    >>> reference_target("legare2025_zebrafish").spontaneous.order
    1
    """
    if name not in reference_names():
        raise unknown("reference target", name, reference_names())
    with resources.as_file(FOLDER / f"{name}.nc") as path:
        return BrainTarget.read(path)
