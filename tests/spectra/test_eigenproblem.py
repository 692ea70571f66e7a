from __future__ import annotations

import numpy as np
import pytest

from yuragi.spectra.eigenproblem import LARGE, LEADING, eigenvectors


def covariance(size: int, eigenvalues: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    directions = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]
    return (directions * eigenvalues) @ directions.T, directions


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_small_one_gives_its_planted_directions_in_order(dtype: type) -> None:
    matrix, directions = covariance(30, np.r_[np.arange(1.0, 21) ** -2, np.zeros(10)])
    found = eigenvectors(matrix.astype(dtype), 30)
    assert found.shape == (30, 20)
    np.testing.assert_allclose(np.abs((found * directions[:, :20]).sum(axis=0)), 1, atol=1e-3 if dtype == np.float32 else 1e-8)
    assert eigenvectors(matrix.astype(dtype), 7).shape == (30, 7)
    assert eigenvectors(np.zeros((30, 30), dtype=dtype), 30).shape == (30, 0)


def test_a_large_single_precision_one_is_nearly_that_of_double_precision() -> None:
    size = LARGE + 6
    eigenvalues = np.r_[np.arange(1, size - 99) ** -1.0, np.zeros(100)]
    matrix, directions = covariance(size, eigenvalues)
    found = eigenvectors(matrix.astype(np.float32), size)
    assert found.dtype == np.float32
    assert found.shape == (size, size - 100)
    np.testing.assert_allclose((found.astype(np.float64) ** 2).sum(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(np.abs((found * directions[:, : size - 100]).sum(axis=0))[: 10 * LEADING], 1, atol=1e-4)
    along = ((matrix @ found.astype(np.float64)) * found).sum(axis=0)
    # Plain single precision is 2e-5 off.
    np.testing.assert_allclose(along[20:], eigenvalues[20 : size - 100], rtol=5e-6)


def test_a_large_flat_one_and_one_of_zeros() -> None:
    samples = np.random.default_rng(1).standard_normal((LARGE, 3000), dtype=np.float32)
    matrix = samples @ samples.T
    found = eigenvectors(matrix, LARGE)
    expected = np.linalg.eigvalsh(matrix.astype(np.float64))[::-1]
    np.testing.assert_allclose(((matrix @ found) * found).sum(axis=0), expected, rtol=1e-4)
    # The iteration for the leading eigenvectors cannot begin.
    assert eigenvectors(np.zeros((LARGE, LARGE), dtype=np.float32), LARGE).shape == (LARGE, 0)
    identity = eigenvectors(np.eye(LARGE, dtype=np.float32), LARGE)
    np.testing.assert_allclose(identity.T @ identity, np.eye(LARGE), atol=1e-5)
