"""Eigenvectors of a covariance or Gram matrix, in double precision or, where this costs seconds, nearly so."""

from __future__ import annotations

import lazy_loader as lazy

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")

LARGE = 1024
"""Rows from which single precision saves enough time to be worth its care."""
LEADING = 16
"""Eigenvectors that are found in double precision and taken out before the rest is left to single precision."""


def eigenvectors(matrix: jaxtyping.Float[np.ndarray, "n n"], rank: int) -> jaxtyping.Float[np.ndarray, "n r"]:
    """The eigenvectors of a symmetric positive semidefinite matrix, in descending order of their eigenvalues.

    matrix
        symmetric; in single precision it is solved in single precision from `LARGE` rows on
    rank
        the most that its rank can be; fewer are returned where further eigenvalues are no larger than rounding makes them

    The error of an eigenvector is that of the solver, which is in proportion to the largest eigenvalue, over the distance to the next
    eigenvalue. In a spectrum that falls as a power law single precision alone is therefore too coarse for the later ranks. So the leading
    eigenvectors are found and removed in double precision, and the rest is solved relative to its own, much smaller, largest eigenvalue.
    """
    # Exponents over ranks 11 to 500 of 2,800 stimuli x 10,000 units in single precision, distance from an eigendecomposition in double precision:
    # 6e-7 (alpha 1, noise as strong as the signal), 8e-6 (five times as strong), 7e-5 (alpha 1.5) in plain single precision; 2e-8, 3e-8, 8e-8 with 16
    # leading ones removed. Seconds on one core: 1.4 single, 1.7 with the leading ones removed, 3.0 double.
    if matrix.dtype == np.float32 and len(matrix) >= LARGE:
        found = _deflated(matrix, rank)
        if found is not None:
            return found
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    return vectors[:, ::-1][:, : _resolved(values[::-1][:rank], matrix)]


def _resolved(descending: jaxtyping.Float[np.ndarray, " r"], matrix: jaxtyping.Float[np.ndarray, "n n"]) -> int:
    """How many of the eigenvalues stand above the rounding of the matrix's own entries."""
    # Products in single precision miss the eigenvalues by 2e-8 to 1e-7 of the largest: errors of many terms cancel.
    precision = 8 * np.finfo(np.float32).eps if matrix.dtype == np.float32 else len(matrix) * np.finfo(np.float64).eps
    return int((descending > max(descending[0] * precision, 0.0)).sum())


def _deflated(matrix: jaxtyping.Float[np.ndarray, "n n"], rank: int) -> jaxtyping.Float[np.ndarray, "n r"] | None:
    """As `eigenvectors`; None where the iteration for the leading ones fails, as it does for a matrix of zeros."""
    import scipy.linalg
    import scipy.sparse.linalg as iterative

    double = matrix.astype(np.float64)
    start = np.cos(np.arange(len(matrix), dtype=np.float64))  # the same each time; any vector that no eigenvector is orthogonal to would do
    try:
        values, leading = iterative.eigsh(double, k=LEADING, v0=start, tol=1e-10, maxiter=20)
    except iterative.ArpackError:
        return None
    double -= (leading * values) @ leading.T
    rest = np.asfortranarray(double.T, dtype=np.float32)
    del double
    rest_values, rest_vectors = scipy.linalg.eigh(rest, driver="evd", overwrite_a=True, check_finite=False)
    # The removed ones have become zeros, below all others.
    values = np.concatenate([values[::-1], rest_values[::-1]])[:rank]
    vectors = np.concatenate([leading[:, ::-1].astype(np.float32), rest_vectors[:, ::-1]], axis=1)
    return vectors[:, : _resolved(values, matrix)]
