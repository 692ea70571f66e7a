"""The image sets that a configuration may name."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from yuragi.datasets.base import Dataset
from yuragi.plugins import any_of


def _are_images(images: Dataset) -> Dataset:
    if images.contents != "images":
        raise ValueError(f"'{images.kind}' holds {images.contents}, not images; choose an image set")
    return images


ImageSet = Annotated[any_of("yuragi.datasets", Dataset), AfterValidator(_are_images)]
"""A data set that holds images, told apart by the key ``kind``."""
