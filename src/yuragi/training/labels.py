"""Labels drawn at random: the test of how readily a network learns by rote."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64

from yuragi.randomness import derive_seed


def randomised_labels(
    labels: Int64[np.ndarray, " image"], fraction: float, n_classes: int, seed: int
) -> tuple[Int64[np.ndarray, " image"], Bool[np.ndarray, " image"]]:
    """Replace a fraction of labels by labels drawn uniformly from all classes.

    labels
        class of each image, (image,)
    fraction
        of the images, in [0, 1]
    n_classes
        number of classes
    seed
        the training's seed; networks of the same seed meet the same labels

    Returns the labels, and where they were drawn (a drawn label equals the true one in one of ``n_classes`` cases).

    >>> drawn, where = randomised_labels(np.zeros(10, dtype=np.int64), 0.3, n_classes=5, seed=0)
    >>> int(where.sum()), bool((drawn[~where] == 0).all())
    (3, True)
    """
    generator = np.random.default_rng(derive_seed(seed, "random labels"))
    where = np.zeros(len(labels), dtype=bool)
    where[generator.choice(len(labels), size=round(fraction * len(labels)), replace=False)] = True
    drawn = generator.integers(n_classes, size=len(labels), dtype=np.int64)
    return np.where(where, drawn, labels), where
