"""The resampling of seeds and images that intervals and tests rest on.

Every network answers the same images, and an arm is trained from several seeds. Both are samples: an interval over the images of one network tells
nothing about another seed. So both are resampled, independently of each other (the pigeonhole bootstrap, Owen 2007, Annals of
Applied Statistics 1:386-411). Few seeds make a plain bootstrap too sure: its variance lacks the factor S/(S-1) and its tails are those of
a normal distribution. Each resample's deviation over seeds is therefore multiplied by sqrt(S/χ²), χ² drawn with S-1 degrees of freedom,
which turns it into a Student t deviation.
"""

from __future__ import annotations

from collections.abc import Iterator

import lazy_loader as lazy
from jaxtyping import Float

from yuragi.errors import InputError

np = lazy.load("numpy")


def check_resampling(resamples: int, level: float) -> None:
    """Refuse a level outside (0, 1) and too few resamples for it, with an `InputError`."""
    if not 0 < level < 1 or resamples * (1 - level) < 10:
        raise InputError(f"resamples = {resamples}, level = {level}: the level must be in (0, 1) and leave 10 resamples outside the interval")


class SeedWeights:
    """The weight of every seed in every resample, (resample, seed); rows sum to 1, single weights may be negative."""

    def __init__(self, generator: np.random.Generator, n_seeds: int, resamples: int) -> None:
        counts = generator.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=resamples)
        deviations = counts / n_seeds - 1 / n_seeds
        if n_seeds > 1:
            deviations *= np.sqrt(n_seeds / generator.chisquare(n_seeds - 1, size=(resamples, 1)))
        self.weights = 1 / n_seeds + deviations


class ImageWeights:
    """The weight of every image in every resample, block by block, the same each time it is iterated over."""

    BLOCK = 200

    def __init__(self, generator: np.random.Generator, n_images: int, resamples: int) -> None:
        self.n_images, self.resamples = n_images, resamples
        self.seeds = generator.integers(2**63, size=-(-resamples // self.BLOCK))

    def __iter__(self) -> Iterator[tuple[slice, np.ndarray]]:
        for block, seed in enumerate(self.seeds):
            rows = slice(block * self.BLOCK, min((block + 1) * self.BLOCK, self.resamples))
            drawn = np.random.default_rng(seed).integers(self.n_images, size=(rows.stop - rows.start, self.n_images))
            drawn += np.arange(len(drawn))[:, None] * self.n_images
            counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
            yield rows, counts / self.n_images


def replicated(values: Float[np.ndarray, "seed cell image"], seeds: SeedWeights, images: ImageWeights) -> Float[np.ndarray, "resample cell"]:
    """The mean over seeds and images of every cell in every resample."""
    replicates = np.empty((images.resamples, values.shape[1]))
    for rows, weights in images:
        over_images = values @ weights.T
        replicates[rows] = np.einsum("scr,rs->rc", over_images, seeds.weights[rows])
    return replicates


def interval(replicates: Float[np.ndarray, "resample cell"], level: float, bounds: tuple[int, int]) -> Float[np.ndarray, "2 cell"]:
    """The central interval of the replicates that covers with probability ``level``; replicates that are missing are left out."""
    return np.nanquantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=0).clip(*bounds)


def two_sided(replicates: Float[np.ndarray, "resample cell"]) -> Float[np.ndarray, " cell"]:
    """Twice the smaller of the fractions of replicates at or beyond 0."""
    beyond = np.minimum((replicates <= 0).sum(0), (replicates >= 0).sum(0))
    return np.minimum(2 * (beyond + 1) / (len(replicates) + 1), 1)
