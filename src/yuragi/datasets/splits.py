"""The training and the test part of an image set."""

from __future__ import annotations

import lazy_loader as lazy

from yuragi.errors import InputError, unknown

np = lazy.load("numpy")
xr = lazy.load("xarray")


AGAIN = "give the file that the step 'ingest' wrote"


def split(dataset: xr.Dataset, part: str, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images (image, channel, height, width) as float32 in [0, 1] and their labels (image,) as int64, of one part of a set.

    dataset
        an image set with the coordinate ``split``
    part
        ``"train"`` or ``"test"``
    count
        how many of them, the first ones in the set's order; None takes all. An `InputError` tells when there are fewer

    Errors: `InputError` for a set without images, labels or parts, and a part that it does not have.
    """
    for name in ("images", "labels", "split"):
        if name not in dataset.variables:
            raise InputError(f"the image set holds no '{name}' but {', '.join(map(str, dataset.variables)) or 'nothing'}; {AGAIN}")
    parts = np.asarray(dataset["split"].values)
    if part not in parts:
        raise unknown("part of the image set", part, sorted({str(name) for name in parts}))
    chosen = np.flatnonzero(parts == part)
    if count is not None and count > len(chosen):
        raise InputError(f"test_images = {count}: the set has {len(chosen)} images in its part '{part}'; lower it to at most that")
    chosen = chosen[:count]
    return dataset["images"].values[chosen].astype(np.float32, copy=False), dataset["labels"].values[chosen].astype(np.int64, copy=False)


def number_of_classes(dataset: xr.Dataset) -> int:
    """How many classes the labels of an image set tell apart; an `InputError` tells when the set does not name them.

    >>> number_of_classes(xr.Dataset(attrs={"classes": ["cat", "dog"]}))
    2
    """
    if "classes" not in dataset.attrs:
        raise InputError(f"the image set has no attribute 'classes'; {AGAIN}")
    # A file gives back a list of one name as that name.
    return len(np.atleast_1d(dataset.attrs["classes"]))
