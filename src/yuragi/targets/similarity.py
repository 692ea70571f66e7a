"""Stimuli, and how alike the brain's responses to them are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from yuragi.errors import InputError

TOLERANCE = 1e-4
"""How far a matrix written by hand may be from symmetric, and its diagonal from 1."""
FEWEST = 3
"""Stimuli: the mean over two makes them opposite whatever they are."""


@dataclass(frozen=True, eq=False)
class StimulusSimilarity:
    """Stimuli, and the similarity of the responses to each pair of them.

        S_ij = x_i·x_j / (|x_i| |x_j|),    x_i the response to stimulus i, each unit's mean over stimuli subtracted

    Arrays are copied, checked and made read-only.

    images
        (stimulus, channel, height, width), bytes from 0 to 255, or numbers in [0, 1]; one channel for grey, or red, green and blue
    similarity
        S (stimulus, other stimulus), symmetric, from -1 to 1, with ones on the diagonal; kept in single precision

    An `InputError` tells shapes that do not fit, fewer than three stimuli, pixels out of range and a matrix that is no such similarity.

    >>> target = StimulusSimilarity(np.zeros((3, 1, 4, 4), dtype=np.uint8), np.eye(3))
    >>> target.n_stimuli, target.pixels().dtype.name
    (3, 'float32')
    """

    images: np.ndarray
    similarity: np.ndarray

    def __post_init__(self) -> None:
        images, similarity = np.asarray(self.images), np.asarray(self.similarity)
        if images.ndim != 4 or 0 in images.shape or images.shape[1] not in (1, 3):
            raise InputError(f"images has shape {images.shape}; (stimulus, channel, height, width) with 1 or 3 channels is needed")
        if len(images) < FEWEST:
            raise InputError(f"images: {len(images)} stimuli; similarities of responses need {FEWEST} or more")
        if similarity.shape != (len(images), len(images)):
            raise InputError(f"similarity has shape {similarity.shape}; {len(images)} images need {(len(images), len(images))}")
        images = np.array(images, dtype=np.uint8 if images.dtype == np.uint8 else np.float32)
        if images.dtype != np.uint8 and not (images.min() >= 0 and images.max() <= 1):  # so written that NaN fails too
            raise InputError(f"images: values from {images.min():.4g} to {images.max():.4g}; give numbers in [0, 1], or bytes (uint8)")
        similarity = np.array(similarity, dtype=np.float32)
        if not np.isfinite(similarity).all():
            raise InputError(
                f"similarity has {(~np.isfinite(similarity)).sum()} values that are not finite; leave out the stimuli that they belong to"
            )
        if np.abs(similarity - similarity.T).max() > TOLERANCE:
            raise InputError("similarity is not symmetric; the similarity of a pair does not depend on its order, so average it with its transpose")
        if np.abs(np.diagonal(similarity) - 1).max() > TOLERANCE:
            raise InputError(
                "similarity: the diagonal is not 1; every stimulus is as similar as can be to itself, so give cosines and no covariances"
            )
        if np.abs(similarity).max() > 1 + TOLERANCE:
            raise InputError(f"similarity: values from {similarity.min():.4g} to {similarity.max():.4g}; cosines lie between -1 and 1")
        for name, array in (("images", images), ("similarity", similarity)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def n_stimuli(self) -> int:
        """How many stimuli there are."""
        return len(self.images)

    def pixels(self) -> np.ndarray:
        """The images as single-precision numbers in [0, 1], (stimulus, channel, height, width)."""
        return self.images.astype(np.float32) / np.float32(255) if self.images.dtype == np.uint8 else self.images

    def show(self) -> list[str]:
        """The similarities in lines for a person to read."""
        pairs = self.similarity[np.triu_indices(self.n_stimuli, k=1)]
        low, high = np.quantile(pairs, [0.025, 0.975])
        channels, height, width = self.images.shape[1:]
        return [
            f"{self.n_stimuli} stimuli, {'grey' if channels == 1 else 'in colour'}, {height} x {width} pixels",
            f"similarity of pairs {pairs.mean():.3f} on average, standard deviation {pairs.std():.3f}, 95 % of them from {low:.2f} to {high:.2f}",
        ]


def reduced_images(images: np.ndarray, size: int) -> np.ndarray:
    """Images of fewer pixels, each the mean around it weighted by a triangle; a channel where all channels are equal.

    images
        (stimulus, channel, height, width), bytes
    size
        height and width that are wanted, in pixels; at most those of the images

    Returns bytes, (stimulus, channel, size, size). Raises `InputError` for images smaller than ``size``.

    >>> reduced_images(np.full((1, 3, 8, 8), 7, dtype=np.uint8), 2).tolist()
    [[[[7, 7], [7, 7]]]]
    """
    from PIL import Image

    height, width = images.shape[2:]
    if size > min(height, width):
        raise InputError(f"size = {size}: the images have {height} x {width} pixels only; give at most {min(height, width)}")
    if (images == images[:, :1]).all():
        images = images[:, :1]
    reduced = np.empty((*images.shape[:2], size, size), dtype=np.uint8)
    for index in np.ndindex(images.shape[:2]):
        reduced[index] = np.asarray(Image.fromarray(images[index]).resize((size, size), Image.Resampling.BILINEAR))
    return reduced
