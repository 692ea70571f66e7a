"""A small problem that a perceptron learns in a second."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from sklearn.datasets import load_digits


class Digits(NamedTuple):
    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


@pytest.fixture(scope="session")
def digits() -> Digits:
    """The 8 x 8 digits of scikit-learn: 600 to train on, 400 held out."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images, labels = (data.images[order, None] / 16).astype(np.float32), data.target[order].astype(np.int64)
    return Digits(images[:600], labels[:600], images[600:1000], labels[600:1000])
